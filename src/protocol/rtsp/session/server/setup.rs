//! SETUP: which track is meant, and which of the offered ways it takes.

use super::{Ask, Dialog, Stage, State, login};
use crate::media::{TrackId, Tracks};
use crate::protocol::rtp::sdp_read::Described;
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::wire::sdp_write;
use crate::protocol::rtsp::wire::transport::{Offer, answer, offers, why_none};
use crate::protocol::rtsp::wire::{Request, Status, StreamPath, Transport};

impl Dialog {
    pub(super) fn setup(&mut self, request: Request) {
        let Some(transport) = request.headers.get("transport") else {
            return self.refuse(&request, Status::BAD_REQUEST, "SETUP has no Transport");
        };
        let ways = offers(transport);
        let recording = match &self.state {
            State::Publishing { recording, .. } => Some(*recording),
            State::Reading { stage: Stage::Playing | Stage::Paused, .. } => {
                let reason = "tracks are set up before PLAY; this session goes on with those that it has";
                return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
            }
            _ => None,
        };
        if let Some(recording) = recording {
            if recording {
                let reason = "tracks are set up before RECORD";
                return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
            }
            return self.setup_publishing(&request, &ways);
        }
        if ways.iter().any(|o| o.record) {
            let reason = "ANNOUNCE comes before a SETUP to record";
            return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
        }
        let place = match &self.state {
            State::Reading { place, .. } => place.clone(),
            _ => match self.described.as_ref().filter(|(p, _)| p.inside(&request.uri).is_some()) {
                Some((place, _)) => place.clone(),
                None => match self.place(&request) {
                    Some((place, _)) => {
                        // SETUP without DESCRIBE: its tracks have to be asked for.
                        let login = login(&request);
                        return self.ask(request, Ask::Read(place, login));
                    }
                    None => return,
                },
            },
        };
        if matches!(self.state, State::Idle) {
            return self.ask(request, Ask::Open(place));
        }
        self.setup_reading(&request, &ways);
    }

    pub(super) fn setup_reading(&mut self, request: &Request, ways: &[Offer]) {
        let datagrams = self.around.ports.is_some();
        let State::Reading { place, reading, .. } = &mut self.state else { return };
        let only = only_place(&reading.tracks);
        let track = match place.inside(&request.uri) {
            None => {
                let reason = "this session reads another stream";
                return self.refuse(request, Status::BAD_REQUEST, reason);
            }
            Some("") => match only {
                Some(only) => only,
                None => {
                    let reason = "SETUP names one of the tracks";
                    return self.refuse(request, Status::AGGREGATE_NOT_ALLOWED, reason);
                }
            },
            Some(track) => match place_of(&reading.tracks, track) {
                Some(track) => track,
                None => return self.refuse(request, Status::NOT_FOUND, "the stream has no such track"),
            },
        };
        match reading.ways.set_up(track, ways.iter().map(|o| o.transport), datagrams) {
            Some(way) => self.set_up(request, way, ways, false),
            None => self.no_transport(request, ways),
        }
    }

    fn setup_publishing(&mut self, request: &Request, ways: &[Offer]) {
        let datagrams = self.around.ports.is_some();
        let State::Publishing { place, described, ways: tracked, .. } = &mut self.state else { return };
        let Some(track) = announced_track(place, described, tracked, &request.uri) else {
            return self.refuse(request, Status::NOT_FOUND, "no such track was announced");
        };
        match tracked.set_up(track, ways.iter().map(|o| o.transport), datagrams) {
            Some(way) => self.set_up(request, way, ways, true),
            None => self.no_transport(request, ways),
        }
    }

    fn no_transport(&mut self, request: &Request, ways: &[Offer]) {
        // A first SETUP that fails leaves no session behind.
        if let State::Reading { reading, .. } = &self.state
            && reading.ways.is_empty()
        {
            self.state = State::Idle;
        }
        let reason = match ways {
            [] => why_none(request.headers.get("transport").unwrap_or_default()),
            _ if self.around.ports.is_none() => "only RTP/AVP/TCP can be used here".into(),
            _ => "all tracks of a session go the same way, by connection or by datagram".into(),
        };
        self.refuse(request, Status::UNSUPPORTED_TRANSPORT, &reason);
    }

    fn set_up(&mut self, request: &Request, way: Transport, ways: &[Offer], record: bool) {
        let same = |offer: &&Offer| std::mem::discriminant(&offer.transport) == std::mem::discriminant(&way);
        let feedback = ways.iter().find(same).is_some_and(|offer| offer.feedback);
        let draft = self.reply(Status::OK, request);
        self.say(draft.header("Transport", answer(way, self.around.ports, record, feedback)));
    }
}

/// The place of a track that is the only one, which may be named by the whole stream.
fn only_place(tracks: &Tracks) -> Option<usize> {
    let mut carried = sdp_write::carried(tracks).filter_map(TrackId::place);
    carried.next().filter(|_| carried.next().is_none())
}

/// The place of the track that this control URL, relative to the stream's, names.
pub(super) fn place_of(tracks: &Tracks, control: &str) -> Option<usize> {
    sdp_write::carried(tracks).find(|id| sdp_write::control(*id) == control)?.place()
}

/// Which of the announced tracks a SETUP means: the one whose control URL its own ends with, since what stands before that
/// is put together in many ways; of tracks that have none the next one. A single track may be named by the whole stream.
fn announced_track(place: &StreamPath, described: &[Described], ways: &Tracked, uri: &str) -> Option<usize> {
    let named = described.iter().enumerate().filter(|(_, d)| ends_with(uri, &d.control));
    let longest = named.max_by_key(|(_, d)| d.control.len()).map(|(at, _)| at);
    longest.or_else(|| {
        let whole = place.inside(uri).is_some_and(str::is_empty);
        let nameless =
            |at: &usize| described.get(*at).is_some_and(|d| matches!(d.control.as_str(), "" | "*"));
        let all = 0..described.len();
        match described.len() {
            1 if whole => Some(0),
            _ => all.filter(nameless).find(|at| ways.way(*at).is_none()),
        }
    })
}

/// Whether a URL is, or ends with, this control URL. Hosts are not compared, nor what a client adds behind a question mark.
pub(super) fn ends_with(uri: &str, control: &str) -> bool {
    fn path(url: &str) -> &str {
        let rest = url
            .split_once("://")
            .map_or(url, |(_, rest)| rest.get(rest.find('/').unwrap_or(rest.len())..).unwrap_or(""));
        rest.trim_matches('/')
    }
    let control = path(control);
    let ends = |uri: &str| {
        let before = uri.strip_suffix(control);
        before.is_some_and(|b| b.is_empty() || b.ends_with('/') || control.starts_with('?'))
    };
    let uri = path(uri);
    !control.is_empty()
        && control != "*"
        && (ends(uri) || uri.split_once('?').is_some_and(|(uri, _)| ends(uri.trim_end_matches('/'))))
}
