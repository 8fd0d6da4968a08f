//! A client's side of one RTSP connection: reads a stream, or publishes one. Benches and tests use it, and it is what
//! pulling from other servers will stand on.

use super::tracks::{Channel, Tracked};
use crate::auth::Credentials;
use crate::media::Tracks;
use crate::protocol::rtp::sdp_read::{self, Described};
use crate::protocol::rtsp::wire::authorization::respond;
use crate::protocol::rtsp::wire::message::Draft;
use crate::protocol::rtsp::wire::play_head::{Start, read_rtp_info, session_id};
use crate::protocol::rtsp::wire::sdp_write;
use crate::protocol::rtsp::wire::transport::{Offer, offers, request};
use crate::protocol::rtsp::wire::{Incoming, Input, Method, Response, Status, Transport};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// What the client wants.
#[derive(Clone, Debug)]
pub enum Intent {
    /// To read.
    Read,
    /// To publish these tracks.
    Publish(Box<Tracks>),
}

/// How the packets are to go.
#[derive(Clone, Debug)]
pub enum Way {
    /// Between the messages.
    Interleaved,
    /// As datagrams to (from) these own ports, one pair for each track.
    Datagrams(Vec<(u16, u16)>),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Bytes for the server.
    Say(Bytes),
    /// The tracks of the stream, in the order in which packets name them.
    Described(Vec<Described>),
    /// The server's ports of a track.
    ServerPorts(usize, (u16, u16)),
    /// PLAY or RECORD has been granted; where tracks begin, as the server says.
    Granted(Vec<Start>),
    /// A packet.
    Packet(Channel, Bytes),
    /// The server is alive and answered something else.
    Answered,
    /// It said no, and this is over.
    Refused(Status, String),
    /// It said what cannot be read, and this is over.
    Unreadable(String),
}

/// One connection.
#[derive(Debug)]
pub struct Caller {
    url: String,
    credentials: Option<Credentials>,
    wanted: Intent,
    way: Way,
    input: Input,
    out: VecDeque<Event>,
    cseq: u32,
    open: Option<(Method, String)>,
    challenge: Option<String>,
    tried: bool,
    session: Option<String>,
    /// URLs of tracks that are still to be set up, with their places.
    to_set_up: VecDeque<(usize, String)>,
    ways: Tracked,
    base: String,
    closed: bool,
}

impl Caller {
    /// Begins: the first request is there at once. `url` without credentials.
    pub fn new(url: &str, credentials: Option<Credentials>, wanted: Intent, way: Way) -> Caller {
        let mut caller = Caller {
            url: url.to_string(),
            credentials,
            wanted,
            way,
            input: Input::default(),
            out: VecDeque::new(),
            cseq: 0,
            open: None,
            challenge: None,
            tried: false,
            session: None,
            to_set_up: VecDeque::new(),
            ways: Tracked::new(2),
            base: url.trim_end_matches('/').to_string(),
            closed: false,
        };
        let method = match caller.wanted {
            Intent::Read => Method::Describe,
            Intent::Publish(_) => Method::Announce,
        };
        caller.send(method, url.to_string());
        caller
    }

    /// Where bytes from the server are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.input.buffer
    }

    /// The ways of the tracks, once they are set up.
    pub fn ways(&self) -> &Tracked {
        &self.ways
    }

    /// Sends a request on the whole stream: a sign of life, PAUSE, TEARDOWN. Only when nothing is open.
    pub fn ask(&mut self, method: Method) {
        if self.open.is_none() {
            self.send(method, self.base.clone());
        }
    }

    /// The next thing to do; `None`: read more.
    pub fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.out.pop_front() {
                return Some(event);
            }
            if self.closed {
                return None;
            }
            match self.input.take() {
                Ok(None) => return None,
                Ok(Some(Incoming::Response(response))) => self.response(&response),
                Ok(Some(Incoming::Packet { channel, payload })) => {
                    if let Some(channel) = self.ways.channel(channel) {
                        return Some(Event::Packet(channel, payload));
                    }
                }
                // Servers may ask for signs of life; none of those that we talk to insists.
                Ok(Some(Incoming::Request(_))) => {}
                Ok(Some(Incoming::Http(_))) => self.fail("the server speaks HTTP"),
                Err(broken) => self.fail(broken.reason),
            }
        }
    }

    fn fail(&mut self, why: &str) {
        self.closed = true;
        self.out.push_back(Event::Unreadable(why.to_string()));
    }

    fn send(&mut self, method: Method, uri: String) {
        self.cseq = self.cseq.saturating_add(1);
        let mut draft = Draft::request(&method, &uri, self.cseq).header("User-Agent", "msconv");
        if let (Some(challenge), Some(credentials)) = (&self.challenge, &self.credentials)
            && let Some(line) = respond(challenge, credentials, method.name(), &uri)
        {
            draft = draft.header("Authorization", line);
        }
        if let Some(session) = &self.session {
            draft = draft.header("Session", session.clone());
        }
        let record = matches!(self.wanted, Intent::Publish(_));
        match (&method, &self.wanted) {
            (Method::Describe, _) => draft = draft.header("Accept", "application/sdp"),
            (Method::Announce, Intent::Publish(tracks)) => {
                let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
                draft = draft.body("application/sdp", sdp_write::describe("msconv", tracks, here, 1));
            }
            (Method::Setup, _) => {
                let track = self.to_set_up.front().map_or(0, |(track, _)| *track);
                draft = draft.header("Transport", request(self.wanted(track), record));
            }
            (Method::Play, _) => draft = draft.header("Range", "npt=0.000-"),
            _ => {}
        }
        self.out.push_back(Event::Say(draft.bytes()));
        self.open = Some((method, uri));
    }

    /// The way of a track that is asked for.
    fn wanted(&self, track: usize) -> Transport {
        match &self.way {
            Way::Interleaved => {
                let first = u8::try_from(track.saturating_mul(2)).unwrap_or(0);
                Transport::Interleaved(Some((first, first.saturating_add(1))))
            }
            Way::Datagrams(ports) => {
                let (rtp, rtcp) = ports.get(track).copied().unwrap_or_default();
                Transport::Datagrams { rtp, rtcp }
            }
        }
    }

    fn response(&mut self, response: &Response) {
        let Some((method, uri)) = self.open.take_if(|_| response.cseq.is_none_or(|cseq| cseq == self.cseq))
        else {
            return;
        };
        if response.status == Status::UNAUTHORIZED && !self.tried && self.credentials.is_some() {
            self.challenge = response.headers.get("www-authenticate").map(str::to_string);
            self.tried = true;
            return self.send(method, uri);
        }
        if !(200..300).contains(&response.status.0) {
            self.closed = true;
            let reason = String::from_utf8_lossy(&response.body).trim().to_string();
            let reason = if reason.is_empty() { response.phrase.clone() } else { reason };
            return self.out.push_back(Event::Refused(response.status, reason));
        }
        // A digest is good for one method and URL only, but the challenge stays.
        self.tried = false;
        if let Some(session) = response.headers.get("session") {
            self.session = Some(session_id(session).to_string());
        }
        match method {
            Method::Describe => self.described(response),
            Method::Announce => {
                let Intent::Publish(tracks) = &self.wanted else { return };
                let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
                match sdp_read::read(&sdp_write::describe("msconv", tracks, here, 1)) {
                    Ok(described) => self.set_all_up(&described),
                    Err(why) => self.fail(&why.to_string()),
                }
            }
            Method::Setup => self.one_set_up(response),
            Method::Play | Method::Record => {
                let starts = response.headers.get("rtp-info").map(read_rtp_info).unwrap_or_default();
                self.out.push_back(Event::Granted(starts));
            }
            Method::Teardown => {
                self.session = None;
                self.out.push_back(Event::Answered);
            }
            _ => self.out.push_back(Event::Answered),
        }
    }

    fn described(&mut self, response: &Response) {
        let base = response.headers.get("content-base").or_else(|| response.headers.get("content-location"));
        // Some name no scheme, or two; then the URL that was asked for is as good.
        if let Some(base) = base.filter(|base| base.matches("://").count() == 1) {
            self.base = base.trim_end_matches('/').to_string();
        }
        match sdp_read::read(&response.body) {
            Ok(described) => {
                self.out.push_back(Event::Described(described.clone()));
                self.set_all_up(&described);
            }
            Err(why) => self.fail(&why.to_string()),
        }
    }

    fn set_all_up(&mut self, described: &[Described]) {
        self.ways = Tracked::new(described.len());
        let is_carried = |d: &Described| !matches!(d.format, sdp_read::Format::LeftOut(_));
        let carried = described.iter().enumerate().filter(|(_, d)| is_carried(d));
        let url = |d: &Described| match d.control.as_str() {
            "" | "*" => self.base.clone(),
            whole if whole.contains("://") => whole.to_string(),
            relative => format!("{}/{}", self.base, relative.trim_start_matches('/')),
        };
        self.to_set_up = carried.map(|(at, d)| (at, url(d))).collect();
        self.next_set_up();
    }

    fn next_set_up(&mut self) {
        match self.to_set_up.front().cloned() {
            Some((_, url)) => self.send(Method::Setup, url),
            None => {
                let method = match self.wanted {
                    Intent::Read => Method::Play,
                    Intent::Publish(_) => Method::Record,
                };
                let url =
                    if matches!(self.wanted, Intent::Read) { self.base.clone() } else { self.url.clone() };
                self.send(method, url);
            }
        }
    }

    fn one_set_up(&mut self, response: &Response) {
        let Some((track, _)) = self.to_set_up.pop_front() else { return };
        let offer = response.headers.get("transport").map(offers).unwrap_or_default().into_iter().next();
        // Without a word it is the way that was asked for.
        let (way, server) = match offer {
            Some(Offer { transport: Transport::Interleaved(None), .. }) | None => (self.wanted(track), None),
            Some(offer) => (offer.transport, offer.server),
        };
        if self.ways.set_up(track, [way], true) != Some(way) {
            return self.fail("the answer to SETUP has a transport that cannot be");
        }
        if let Some(ports) = server {
            self.out.push_back(Event::ServerPorts(track, ports));
        }
        self.next_set_up();
    }
}
