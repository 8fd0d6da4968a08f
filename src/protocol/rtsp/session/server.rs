//! The server's side of one RTSP connection. One connection carries at most one session: a stream that is read or one
//! that is published. Bytes go in; out come answers, packets, and questions that only the server can decide.

mod setup;

use super::tracks::{Channel, Tracked};
use crate::auth;
use crate::media::{MOST_TRACKS, TrackId, Tracks};
use crate::protocol::rtp::sdp_read::{self, Described};
use crate::protocol::rtsp::wire::Broken;
use crate::protocol::rtsp::wire::authorization::{Shown, challenges};
use crate::protocol::rtsp::wire::message::Draft;
use crate::protocol::rtsp::wire::play_head::{Start, rtp_info, session_id};
use crate::protocol::rtsp::wire::sdp_write;
use crate::protocol::rtsp::wire::transport::offers;
use crate::protocol::rtsp::wire::tunnel::{self, Tunnel};
use crate::protocol::rtsp::wire::{Http, Incoming, Input, Method, Request, Status, StreamPath};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// Seconds without a sign of life after which a session ends, as `Session` says.
pub const TIMEOUT_SECS: u64 = 60;
/// Packets in a row on channels that were not set up, before the connection ends.
const MOST_STRAYS: u32 = 32;

/// What the dialog needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The server's address on this connection, for descriptions.
    pub local: IpAddr,
    /// The server's ports for RTP and RTCP; none if it has no datagrams.
    pub ports: Option<(u16, u16)>,
    /// A random word: the challenge of this connection.
    pub nonce: String,
    /// Whether passwords have to be shown as they are: whoever compares them knows none that a challenge could be answered with.
    pub basic_only: bool,
    /// A random word: the session of this connection.
    pub session: String,
    /// The server's applications, the first one being that of names without one.
    pub applications: Arc<[String]>,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Bytes for the peer.
    Say(Bytes),
    /// A question; nothing more is read before [`Dialog::answer`].
    Ask(Box<Ask>),
    /// A packet of the session.
    Packet(Channel, Bytes),
    /// A packet that belongs to nothing.
    Stray,
    /// The connection is one side of a tunnel through HTTP. What goes down it is said as always, behind the answer to the
    /// GET; what the client says comes on another connection.
    Tunnel(Tunnel),
    /// Somebody could not publish, or not read, as it wanted: the log says so, since many programs show no reason.
    Refused {
        /// `ANNOUNCE` or `SETUP`.
        method: &'static str,
        /// The name of the stream as it was shown; empty if there is none.
        name: String,
        /// The status that was answered.
        status: Status,
        /// The reason beside it.
        reason: String,
    },
    /// The last answer has been said: close. The limit that was broken, if it was one.
    Close(Option<&'static str>),
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Which tracks has this stream, and may it be read? Answer: [`Answer::Tracks`].
    Read(StreamPath, Login),
    /// A session to read this stream begins. Answer: [`Answer::Done`].
    Open(StreamPath),
    /// May this be published here, and is the name free? Answer: [`Answer::Done`].
    Publish(StreamPath, Login, Vec<Described>),
    /// Frames, from now on. Answer: [`Answer::Playing`].
    Play(StreamPath, Reading),
    /// No frames for a while. Answer: [`Answer::Done`].
    Pause,
    /// The publisher's packets come from now on, these ways. Answer: [`Answer::Done`].
    Record(Tracked),
    /// The session is over. Answer: [`Answer::Done`].
    Leave,
}

/// What somebody shows to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The credentials, if any.
    pub shown: Option<Shown>,
    /// The method that they were shown with.
    pub method: String,
}

impl Login {
    /// What is shown, as whoever decides compares it; `nonce` is the challenge of this connection.
    pub fn shown(&self, nonce: &str) -> auth::Shown {
        let Some(shown) = &self.shown else { return auth::Shown::Nothing };
        let user = shown.user().to_string();
        match shown {
            Shown::Basic { password, .. } => auth::Shown::Password { user, password: password.clone() },
            Shown::Digest(_) => {
                let (shown, method, nonce) = (shown.clone(), self.method.clone(), nonce.to_string());
                let fits = move |wanted: &auth::Credentials| shown.fits(wanted, &method, &nonce);
                auth::Shown::Proof { user, fits: Arc::new(fits) }
            }
        }
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The tracks as they were described.
    pub tracks: Tracks,
    /// Their ways, by [`TrackId::place`].
    pub ways: Tracked,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done.
    Done,
    /// The tracks of the stream, and its public name, which is what later questions are about.
    Tracks(Tracks, String),
    /// Frames follow; where each track begins, in the order of the tracks, as far as it is known.
    Playing(Vec<(TrackId, u16, u32)>),
    /// No, with the reason in one lowercase sentence.
    Refused(Status, String),
    /// No: what is wanted is published with its key, which is shown as a password and cannot be compared with a digest.
    NeedsKey(String),
    /// No, and the connection ends.
    Dismissed(Status, String),
}

#[derive(Debug)]
enum State {
    /// No session.
    Idle,
    /// A stream is read.
    Reading { place: StreamPath, reading: Reading, stage: Stage },
    /// A stream is published.
    Publishing { place: StreamPath, described: Vec<Described>, ways: Tracked, recording: bool },
}

/// How far a reader has come. What it has set up stays as it is from its first PLAY on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SettingUp,
    Playing,
    Paused,
}

/// One connection.
#[derive(Debug)]
pub struct Dialog {
    around: Surroundings,
    input: Input,
    out: VecDeque<Step>,
    state: State,
    /// What was described last, for SETUPs that follow.
    described: Option<(StreamPath, Tracks)>,
    /// The request whose question is open.
    open: Option<Request>,
    strays: u32,
    /// Whether a message has come.
    begun: bool,
    /// The last session's packets went between the messages; a few may still come.
    left_interleaved: bool,
    /// A key was asked for, which a digest does not show.
    basic_alone: bool,
    agent: String,
    closed: bool,
}

impl Dialog {
    /// A connection on which nothing has been said.
    pub fn new(around: Surroundings) -> Dialog {
        Dialog {
            around,
            input: Input::default(),
            out: VecDeque::new(),
            state: State::Idle,
            described: None,
            open: None,
            strays: 0,
            begun: false,
            left_interleaved: false,
            basic_alone: false,
            agent: String::new(),
            closed: false,
        }
    }

    /// Where bytes from the peer are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.input.buffer
    }

    /// Whether the begin of a message or packet has come whose end has not.
    pub fn is_partial(&self) -> bool {
        self.input.is_partial()
    }

    /// `User-Agent` of the peer, as it came.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Whether tracks go over this connection or by datagrams; `None` before the first SETUP.
    pub fn interleaved(&self) -> Option<bool> {
        match &self.state {
            State::Reading { reading, .. } => reading.ways.interleaved(),
            State::Publishing { ways, .. } => ways.interleaved(),
            State::Idle => None,
        }
    }

    /// The next thing to do. `None`: read more, or answer the open question.
    pub fn step(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.out.pop_front() {
                return Some(step);
            }
            if self.closed || self.open.is_some() {
                return None;
            }
            match self.input.take() {
                Ok(None) => return None,
                Ok(Some(Incoming::Request(request))) => self.request(request),
                Ok(Some(Incoming::Packet { channel, payload })) => {
                    return Some(self.packet(channel, payload));
                }
                Ok(Some(Incoming::Http(http))) => self.http(&http),
                // We ask nothing that would be answered.
                Ok(Some(Incoming::Response(_))) => {}
                Err(broken) => self.broken(&broken),
            }
        }
    }

    /// Ends the connection because something took too long or a limit was broken outside of the messages.
    pub fn dismiss(&mut self, status: Status, reason: &'static str, limit: Option<&'static str>) {
        self.broken(&Broken { status, reason, cseq: None, limit });
    }

    fn broken(&mut self, broken: &Broken) {
        self.closed = true;
        let draft = Draft::response(broken.status, broken.cseq.unwrap_or(0))
            .header("Server", "msconv")
            .header("Connection", "close")
            .body("text/plain", format!("{}\n", broken.reason).into());
        self.out.push_back(Step::Say(draft.bytes()));
        self.out.push_back(Step::Close(broken.limit));
    }

    /// HTTP on a port of RTSP: one half of a tunnel, or somebody who is wrong here.
    fn http(&mut self, http: &Http) {
        match tunnel::half(http).filter(|_| !self.begun) {
            Some(tunnel) => {
                self.begun = true;
                // What follows on the way up is no message.
                self.closed = matches!(tunnel, Tunnel::Up(_));
                self.out.push_back(Step::Tunnel(tunnel));
            }
            None => {
                let reason =
                    "this port speaks RTSP; HTTP only carries it, by GET and POST with an x-sessioncookie";
                self.dismiss(Status::BAD_REQUEST, reason, None);
            }
        }
    }

    /// What has come and is no message: the begin of what comes up a tunnel.
    pub fn rest(&mut self) -> BytesMut {
        self.input.buffer.split()
    }

    fn packet(&mut self, channel: u8, payload: Bytes) -> Step {
        let ways = match &self.state {
            State::Reading { reading, .. } => Some(&reading.ways),
            State::Publishing { ways, .. } => Some(ways),
            State::Idle => None,
        };
        let known = ways.and_then(|ways| ways.channel(channel));
        if let Some(channel) = known {
            self.strays = 0;
            return Step::Packet(channel, payload);
        }
        self.strays = self.strays.saturating_add(1);
        // A reader's farewell by RTCP may be under way while it takes its leave by TEARDOWN.
        let interleaved = ways.map_or(self.left_interleaved, |ways| ways.interleaved() == Some(true));
        if !interleaved || self.strays > MOST_STRAYS {
            let reason = "a packet on a channel that was not set up";
            self.dismiss(Status::BAD_REQUEST, reason, Some("rtsp_stray_packets"));
        }
        Step::Stray
    }

    fn reply(&self, status: Status, request: &Request) -> Draft {
        let draft = Draft::response(status, request.cseq).header("Server", "msconv");
        let names_session = matches!(
            request.method,
            Method::Setup
                | Method::Play
                | Method::Pause
                | Method::Record
                | Method::GetParameter
                | Method::SetParameter
        );
        match self.state {
            State::Idle => draft,
            _ if names_session => {
                draft.header("Session", format!("{};timeout={TIMEOUT_SECS}", self.around.session))
            }
            _ => draft,
        }
    }

    fn say(&mut self, draft: Draft) {
        self.out.push_back(Step::Say(draft.bytes()));
    }

    fn refuse(&mut self, request: &Request, status: Status, reason: &str) {
        let mut draft = self.reply(status, request);
        if status == Status::UNAUTHORIZED {
            for challenge in challenges(&self.around.nonce, self.around.basic_only || self.basic_alone) {
                draft = draft.header("WWW-Authenticate", challenge);
            }
        }
        if status == Status::METHOD_NOT_ALLOWED {
            draft = draft.header("Allow", "OPTIONS");
        }
        if !reason.is_empty() {
            draft = draft.body("text/plain", format!("{reason}\n").into());
        }
        self.say(draft);
        if matches!(request.method, Method::Announce | Method::Setup) && status != Status::UNAUTHORIZED {
            let name = StreamPath::of(&request.uri, &self.around.applications)
                .map(|(place, _)| place.stream.name)
                .unwrap_or_default();
            let method = if request.method == Method::Setup { "SETUP" } else { "ANNOUNCE" };
            self.out.push_back(Step::Refused { method, name, status, reason: reason.to_string() });
        }
    }

    fn ask(&mut self, request: Request, ask: Ask) {
        self.open = Some(request);
        self.out.push_back(Step::Ask(Box::new(ask)));
    }

    fn request(&mut self, request: Request) {
        self.begun = true;
        if let Some(agent) = request.headers.get("user-agent") {
            self.agent = crate::base::printable::bounded(agent, 200);
        }
        if let Some(required) = request.headers.get("require") {
            let draft = self.reply(Status::OPTION_NOT_SUPPORTED, &request);
            return self.say(draft.header("Unsupported", required));
        }
        let idle = matches!(self.state, State::Idle);
        // What begins anew needs none: some still name their last one.
        let begins = matches!(request.method, Method::Options | Method::Describe | Method::Announce);
        let other =
            request.headers.get("session").is_some_and(|s| idle || session_id(s) != self.around.session);
        if other && !(begins && idle) {
            return self.refuse(&request, Status::SESSION_NOT_FOUND, "there is no such session");
        }
        match &request.method {
            Method::Options => {
                let draft = self.reply(Status::OK, &request).header("Public", Method::PUBLIC);
                self.say(draft);
            }
            Method::GetParameter => {
                let draft = self.reply(Status::OK, &request);
                self.say(draft);
            }
            Method::SetParameter if request.body.is_empty() => {
                let draft = self.reply(Status::OK, &request);
                self.say(draft);
            }
            Method::SetParameter => {
                self.refuse(&request, Status::PARAMETER_NOT_UNDERSTOOD, "this server has no such parameter");
            }
            Method::Other(_) => self.refuse(&request, Status::NOT_IMPLEMENTED, "there is no such method"),
            _ if request.uri == "*" => {
                self.refuse(&request, Status::METHOD_NOT_ALLOWED, "this method needs the URL of a stream");
            }
            Method::Describe => self.describe(request),
            Method::Announce => self.announce(request),
            Method::Setup => self.setup(request),
            Method::Play => self.play(request),
            Method::Pause => self.pause(request),
            Method::Record => self.record(request),
            Method::Teardown => self.teardown(request),
        }
    }

    /// The place that a request names; refuses the request if it names none.
    fn place(&mut self, request: &Request) -> Option<(StreamPath, Option<String>)> {
        match StreamPath::of(&request.uri, &self.around.applications) {
            Ok(found) => Some(found),
            Err(bad) => {
                self.refuse(request, Status::BAD_REQUEST, &bad.to_string());
                None
            }
        }
    }

    fn describe(&mut self, request: Request) {
        let accepts = request.headers.get("accept").is_none_or(|a| {
            let a = a.to_ascii_lowercase();
            a.contains("sdp") || a.contains('*')
        });
        if !accepts {
            return self.refuse(&request, Status::NOT_ACCEPTABLE, "descriptions come as application/sdp");
        }
        if let Some((place, _)) = self.place(&request) {
            let login = login(&request);
            self.ask(request, Ask::Read(place, login));
        }
    }

    fn announce(&mut self, request: Request) {
        if !matches!(self.state, State::Idle) {
            let reason = "this connection carries a session already";
            return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
        }
        let Some((place, _)) = self.place(&request) else { return };
        match sdp_read::read(&request.body) {
            Ok(described) => {
                let login = login(&request);
                self.ask(request, Ask::Publish(place, login, described));
            }
            Err(refused @ sdp_read::Refused::Unreadable) => {
                // What it is called matters only where it cannot be read.
                let kind =
                    request.headers.get("content-type").unwrap_or("application/sdp").to_ascii_lowercase();
                let status =
                    if kind.contains("sdp") { Status::BAD_REQUEST } else { Status::UNSUPPORTED_MEDIA };
                self.refuse(&request, status, &refused.to_string());
            }
            Err(refused) => self.refuse(&request, Status::UNSUPPORTED_MEDIA, &refused.to_string()),
        }
    }

    fn play(&mut self, request: Request) {
        let State::Reading { place, reading, stage } = &self.state else {
            let reason = "SETUP comes before PLAY";
            return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
        };
        match place.inside(&request.uri) {
            None => self.refuse(&request, Status::NOT_FOUND, "this session reads another stream"),
            Some(track) if !track.is_empty() && reading.ways.places().count() > 1 => {
                self.refuse(&request, Status::ONLY_AGGREGATE, "PLAY goes for all tracks together");
            }
            Some(_) if reading.ways.is_empty() => {
                self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, "SETUP comes before PLAY");
            }
            Some(_) if *stage == Stage::Playing => {
                let draft = with_range(self.reply(Status::OK, &request), &request);
                self.say(draft);
            }
            Some(_) => {
                let ask = Ask::Play(place.clone(), reading.clone());
                self.ask(request, ask);
            }
        }
    }

    fn pause(&mut self, request: Request) {
        match &self.state {
            State::Reading { stage: Stage::Playing, .. } => self.ask(request, Ask::Pause),
            State::Reading { .. } => {
                let draft = self.reply(Status::OK, &request);
                self.say(draft);
            }
            _ => {
                let reason = "there is nothing to pause";
                self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
            }
        }
    }

    fn record(&mut self, request: Request) {
        let State::Publishing { ways, recording, .. } = &self.state else {
            let reason = "ANNOUNCE and SETUP come before RECORD";
            return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
        };
        if ways.is_empty() {
            let reason = "SETUP comes before RECORD";
            return self.refuse(&request, Status::NOT_VALID_IN_THIS_STATE, reason);
        }
        if *recording {
            let draft = self.reply(Status::OK, &request);
            return self.say(draft);
        }
        let ask = Ask::Record(ways.clone());
        self.ask(request, ask);
    }

    fn teardown(&mut self, request: Request) {
        match &mut self.state {
            State::Idle => {
                let reason = "there is no session";
                self.refuse(&request, Status::SESSION_NOT_FOUND, reason);
            }
            // One track of several may be given up before it plays.
            State::Reading { place, reading, stage: Stage::SettingUp }
                if reading.ways.places().count() > 1
                    && place.inside(&request.uri).is_some_and(|t| !t.is_empty()) =>
            {
                let named =
                    place.inside(&request.uri).and_then(|track| setup::place_of(&reading.tracks, track));
                if let Some(track) = named {
                    reading.ways.tear_down(track);
                }
                let draft = self.reply(Status::OK, &request);
                self.say(draft);
            }
            _ => self.ask(request, Ask::Leave),
        }
    }

    /// Answers the open question.
    pub fn answer(&mut self, answer: Answer) {
        let Some(request) = self.open.take() else { return };
        match answer {
            Answer::Refused(status, reason) => self.refused(&request, status, &reason),
            Answer::NeedsKey(reason) => {
                self.basic_alone = true;
                self.refused(&request, Status::UNAUTHORIZED, &reason);
            }
            Answer::Dismissed(status, reason) => {
                self.refused(&request, status, &reason);
                self.closed = true;
                self.out.push_back(Step::Close(None));
            }
            Answer::Tracks(tracks, name) => self.tracks(request, tracks, name),
            Answer::Playing(starts) => self.playing(&request, &starts),
            Answer::Done => self.done(request),
        }
    }

    fn refused(&mut self, request: &Request, status: Status, reason: &str) {
        if request.method == Method::Play {
            // What it had set up is worth nothing any more.
            self.state = State::Idle;
        }
        self.refuse(request, status, reason);
    }

    fn tracks(&mut self, request: Request, tracks: Tracks, name: String) {
        let Ok((mut place, _)) = StreamPath::of(&request.uri, &self.around.applications) else { return };
        place.stream.name = name;
        if sdp_write::carried(&tracks).next().is_none() {
            let name = tracks.video().map_or("nothing", |v| v.codec.name());
            let reason = format!("{name} has no way over RTSP here");
            return self.refuse(&request, Status::UNSUPPORTED_MEDIA, &reason);
        }
        let describes = request.method == Method::Describe;
        if describes {
            let sdp =
                sdp_write::describe(&place.stream.name, &tracks, self.around.local, u64::from(request.cseq));
            let draft = self.reply(Status::OK, &request);
            let draft = draft.header("Content-Base", format!("{}/", place.base));
            self.say(draft.body("application/sdp", sdp));
        }
        self.described = Some((place.clone(), tracks));
        if !describes {
            // SETUP without DESCRIBE goes on.
            self.ask(request, Ask::Open(place));
        }
    }

    fn playing(&mut self, request: &Request, starts: &[(TrackId, u16, u32)]) {
        let State::Reading { place, stage, .. } = &mut self.state else { return };
        *stage = Stage::Playing;
        let start = |(id, sequence, timestamp): &(TrackId, u16, u32)| Start {
            url: format!("{}/{}", place.base, sdp_write::control(*id)),
            sequence: *sequence,
            timestamp: *timestamp,
        };
        let starts: Vec<_> = starts.iter().map(start).collect();
        let mut draft = with_range(self.reply(Status::OK, request), request);
        if !starts.is_empty() {
            draft = draft.header("RTP-Info", rtp_info(&starts));
        }
        self.say(draft);
    }

    fn done(&mut self, request: Request) {
        match request.method {
            Method::Setup => {
                let Some((place, tracks)) = self.described.clone() else { return };
                let reading = Reading { tracks, ways: Tracked::new(MOST_TRACKS) };
                self.state = State::Reading { place, reading, stage: Stage::SettingUp };
                let ways = request.headers.get("transport").map(offers).unwrap_or_default();
                return self.setup_reading(&request, &ways);
            }
            Method::Announce => return self.announced(&request),
            Method::Pause => {
                if let State::Reading { stage, .. } = &mut self.state {
                    *stage = Stage::Paused;
                }
            }
            Method::Record => {
                if let State::Publishing { recording, .. } = &mut self.state {
                    *recording = true;
                }
            }
            Method::Teardown => self.leave(),
            _ => {}
        }
        let draft = self.reply(Status::OK, &request);
        self.say(draft);
    }

    /// The name is its publisher's. What of its tracks is left out stands beside the answer (`Warning`, as in HTTP).
    fn announced(&mut self, request: &Request) {
        let Ok((place, _)) = StreamPath::of(&request.uri, &self.around.applications) else { return };
        let Ok(described) = sdp_read::read(&request.body) else { return };
        let left_out = sdp_read::left_out(&described);
        let ways = Tracked::new(described.len());
        self.state = State::Publishing { place, described, ways, recording: false };
        let mut draft = self.reply(Status::OK, request);
        if !left_out.is_empty() {
            let list = sdp_read::list(&left_out).replace(['"', '\\'], "'");
            draft = draft.header("Warning", format!("199 msconv \"left out: {list}\""));
        }
        self.say(draft);
    }

    fn leave(&mut self) {
        self.left_interleaved = self.interleaved() == Some(true);
        self.state = State::Idle;
    }
}

fn login(request: &Request) -> Login {
    let shown = request.headers.get("authorization").and_then(Shown::read);
    Login { shown, method: request.method.name().to_string() }
}

/// What is live begins now, whatever the range asks for, and whether or not that can be read.
fn with_range(draft: Draft, request: &Request) -> Draft {
    match request.headers.get("range") {
        Some(_) => draft.header("Range", "npt=now-"),
        None => draft,
    }
}

#[cfg(test)]
mod tests;
