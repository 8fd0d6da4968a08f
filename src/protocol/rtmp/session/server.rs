//! The server's side of the dialog, from the first byte to the goodbye. It leaves to its shell who may do what, and which
//! names there are.

mod authorization;
mod commands;

use super::command::{Command, Level, control, status};
use super::{Late, SessionError};
use crate::auth::{Action, Caller, Demand, Denied, PATIENCE, Request};
use crate::model::StreamName;
use crate::protocol::rtmp::wire::amf0::Value;
use crate::protocol::rtmp::wire::chunk_reader::ChunkReader;
use crate::protocol::rtmp::wire::chunk_writer::{self, CHUNK_SIZE};
use crate::protocol::rtmp::wire::handshake::{self, HandshakeError, PACKET, VERSION};
use crate::protocol::rtmp::wire::message::{Message, UserControl, aggregated, kind, number};
use authorization::{Asking, Proved};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The window that we offer and ask for, in bytes: what nginx-rtmp offers.
const WINDOW: u32 = 5_000_000;
/// Answers that may wait to be sent.
const MOST_UNREAD: usize = 64 << 10;
/// Bytes that may come while an answer to [`Event::Authorize`] is waited for. The shell stops reading then.
const MOST_HELD: usize = 256 << 10;
/// Message streams that one connection may make.
const MOST_STREAMS: u32 = 8;

/// What all sessions of a server have in common.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Applications that are served; all others are rejected.
    pub applications: Vec<String>,
    /// What has to be shown to publish and to read.
    pub demands: Demands,
    /// Asks every publisher without credentials for Adobe's authentication when it connects. Otherwise it is asked so at
    /// the attempt that follows one without credentials: a client shows the stream name, which may carry
    /// `?user=..&pass=..`, only after it has been let in, and Adobe's authentication exists only before that.
    pub adobe_at_connect: bool,
    /// Signs challenges; made anew when the server starts.
    pub secret: [u8; 32],
    /// From the first byte to the end of the handshake.
    pub handshake: Duration,
    /// From the first byte, or from the end of what it did last, to publish or play.
    pub purpose: Duration,
    /// The longest pause between two frames of a publisher.
    pub silence: Duration,
    /// The longest wait for an answer to [`Event::Authorize`]; the shell keeps to it.
    pub authorization: Duration,
}

/// What has to be shown. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// To publish.
    pub publish: Demand,
    /// To read.
    pub read: Demand,
}

impl Demands {
    fn of(self, action: Action) -> Demand {
        match action {
            Action::Publish => self.publish,
            Action::Read => self.read,
            Action::Control => Demand::Nothing,
        }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            applications: vec!["live".into()],
            demands: Demands::default(),
            adobe_at_connect: false,
            secret: [0; 32],
            handshake: Duration::from_secs(5),
            purpose: Duration::from_secs(10),
            silence: Duration::from_secs(10),
            authorization: PATIENCE,
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Too many wrong passwords came from there: none is looked at.
    pub shut_out: bool,
    /// Its last attempt to publish showed no credentials: it is asked for them before it is let in.
    pub ask: bool,
    /// Random bytes for the handshake.
    pub seed: [u8; 32],
    /// Time from the server's start to the beginning of this connection.
    pub since_start: Duration,
}

/// What a session tells its shell. `Authorize`, `Publish` and `Play` want an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It has been let in.
    Connected {
        /// The application.
        application: String,
        /// What it says that it is.
        agent: String,
    },
    /// May it? Nothing more that comes is looked at before [`ServerSession::authorized`].
    Authorize(Box<Request>),
    /// It wants to publish, and may: [`ServerSession::published`] or [`ServerSession::refuse_publish`].
    Publish(StreamRequest),
    /// It wants to play, and may: [`ServerSession::playing`] or [`ServerSession::not_found`].
    Play(StreamRequest),
    /// Audio, video or data of its stream.
    Media(Message),
    /// It has ended its stream.
    Unpublish,
    /// It has stopped playing.
    Stop,
    /// It pauses (true), or goes on.
    Pause(bool),
    /// It was refused, the output says why: close when that is sent. A wrong password is written down, and its answer
    /// held back for a while.
    Refused(Denied),
    /// It was asked for Adobe's authentication ([`Peer::ask`]): close when the output is sent; it will come again.
    Asked,
    /// The conversation is over for another reason: close when the output is sent.
    Close,
}

/// What somebody wants to publish or play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// The application, one of the server's.
    pub application: String,
    /// The stream's public name, which may differ from the one that was shown; follows the rule.
    pub name: String,
    /// What stood behind the name's `?`. It may hold a password.
    pub query: String,
    /// The user, if somebody had to say who it is.
    pub user: String,
    /// The message stream that it is about.
    pub stream: u32,
}

impl StreamRequest {
    /// Which stream it is about.
    pub fn stream_name(&self) -> StreamName {
        StreamName::new(self.application.clone(), self.name.clone())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for C0 and C1.
    Hello,
    /// Waits for C2.
    Echo,
    /// Messages.
    Open,
    /// Nothing more is read.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// None since then.
    None(Duration),
    /// Asked to publish, and waits for the shell's word. What it sends before it has heard it counts.
    AskedToPublish,
    /// Asked to play.
    AskedToPlay,
    /// Publishes; the last frame came then.
    Publishes(Duration),
    /// Plays.
    Plays,
}

/// One connection.
#[derive(Debug)]
pub struct ServerSession {
    rules: Arc<Rules>,
    peer: Peer,
    phase: Phase,
    handshake: Vec<u8>,
    chunks: ChunkReader,
    out: Vec<u8>,
    events: VecDeque<Event>,
    /// The application and its arguments, once connected.
    connected: bool,
    application: String,
    arguments: String,
    /// What it says of itself.
    caller: Caller,
    /// Proved by Adobe's authentication.
    proved: Option<Proved>,
    /// What is waited for, if it was asked whether this may be done.
    asking: Option<Asking>,
    /// What came meanwhile.
    held: Vec<u8>,
    streams: u32,
    /// The stream that it publishes or plays.
    active: u32,
    purpose: Purpose,
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl ServerSession {
    /// A connection that has just been made.
    pub fn new(rules: Arc<Rules>, peer: Peer) -> ServerSession {
        ServerSession {
            rules,
            peer,
            phase: Phase::Hello,
            handshake: Vec::new(),
            chunks: ChunkReader::default(),
            out: Vec::new(),
            events: VecDeque::new(),
            connected: false,
            application: String::new(),
            arguments: String::new(),
            caller: Caller::default(),
            proved: None,
            asking: None,
            held: Vec::new(),
            streams: 0,
            active: 0,
            purpose: Purpose::None(Duration::ZERO),
            received: 0,
            acknowledged: 0,
            window: WINDOW,
        }
    }

    /// Takes bytes that came in.
    ///
    /// # Errors
    /// The connection has to be closed at once.
    pub fn receive(&mut self, input: &[u8], now: Duration) -> Result<(), SessionError> {
        self.received = self.received.wrapping_add(u32::try_from(input.len()).unwrap_or(u32::MAX));
        self.take(input, now)
    }

    fn take(&mut self, mut input: &[u8], now: Duration) -> Result<(), SessionError> {
        while !input.is_empty() {
            if self.asking.is_some() {
                self.held.extend_from_slice(input);
                if self.held.len() > MOST_HELD {
                    return Err(SessionError::Order("too much came before the answer to publish or play"));
                }
                break;
            }
            match self.phase {
                Phase::Hello | Phase::Echo => self.shake(&mut input)?,
                Phase::Open => match self.chunks.read(&mut input)? {
                    Some(message) => self.message(message, now)?,
                    None => break,
                },
                Phase::Closing => return Ok(()),
            }
        }
        if self.received.wrapping_sub(self.acknowledged) >= self.window / 2 && self.phase == Phase::Open {
            self.acknowledged = self.received;
            chunk_writer::write_number(&mut self.out, kind::ACKNOWLEDGEMENT, self.received);
        }
        if self.out.len() > MOST_UNREAD { Err(SessionError::Unread) } else { Ok(()) }
    }

    /// What is to be sent; empties it.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`ServerSession::tick`] has something to say if nothing comes before.
    pub fn deadline(&self) -> Option<Duration> {
        if self.asking.is_some() {
            return None;
        }
        match (self.phase, self.purpose) {
            (Phase::Hello | Phase::Echo, _) => Some(self.rules.handshake),
            (Phase::Closing, _)
            | (Phase::Open, Purpose::AskedToPublish | Purpose::AskedToPlay | Purpose::Plays) => None,
            (Phase::Open, Purpose::None(since)) => Some(since.saturating_add(self.rules.purpose)),
            (Phase::Open, Purpose::Publishes(last)) => Some(last.saturating_add(self.rules.silence)),
        }
    }

    /// Whether something took too long.
    ///
    /// # Errors
    /// It did: the connection has to be closed.
    pub fn tick(&mut self, now: Duration) -> Result<(), SessionError> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        Err(SessionError::Late(match (self.phase, self.purpose) {
            (Phase::Hello | Phase::Echo, _) => Late::Handshake,
            (_, Purpose::Publishes(_)) => Late::Frame,
            _ => Late::Purpose,
        }))
    }

    /// The name is theirs now.
    pub fn published(&mut self, wanted: &StreamRequest, now: Duration) {
        // It may have ended it in the same breath.
        if self.purpose == Purpose::AskedToPublish {
            self.purpose = Purpose::Publishes(now);
        }
        let text = format!("{} is now published.", wanted.name);
        status(&mut self.out, wanted.stream, Level::Status, "NetStream.Publish.Start", &text);
    }

    /// They may not have the name.
    pub fn refuse_publish(&mut self, wanted: &StreamRequest, reason: &str) {
        self.bad_name(wanted.stream, reason);
    }

    /// What they send cannot be carried, or may no longer be: they are told and sent away.
    pub fn reject_stream(&mut self, reason: &str) {
        status(&mut self.out, self.active, Level::Error, "NetStream.Publish.Rejected", reason);
        self.close();
    }

    /// Their stream begins.
    pub fn playing(&mut self, wanted: &StreamRequest) {
        if self.purpose == Purpose::AskedToPlay {
            self.purpose = Purpose::Plays;
        }
        let out = &mut self.out;
        control(out, UserControl::StreamBegin(wanted.stream));
        let text = format!("{} is now playing.", wanted.name);
        status(out, wanted.stream, Level::Status, "NetStream.Play.Start", &text);
        let mut body = Vec::new();
        for value in [Value::text("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)] {
            crate::protocol::rtmp::wire::amf0::write(&mut body, &value);
        }
        chunk_writer::write(out, CHUNK_SIZE, kind::DATA, wanted.stream, 0, &[], &body);
    }

    /// Nobody publishes what they want to play.
    pub fn not_found(&mut self, wanted: &StreamRequest, reason: &str, now: Duration) {
        self.purpose = Purpose::None(now);
        status(&mut self.out, wanted.stream, Level::Error, "NetStream.Play.StreamNotFound", reason);
    }

    /// What they play has ended.
    pub fn unpublished(&mut self, wanted: &StreamRequest) {
        let out = &mut self.out;
        control(out, UserControl::StreamEof(wanted.stream));
        let text = format!("{} is no longer published.", wanted.name);
        status(out, wanted.stream, Level::Status, "NetStream.Play.UnpublishNotify", &text);
        status(out, wanted.stream, Level::Status, "NetStream.Play.Stop", &text);
        self.close();
    }

    /// The connection is closed because of what they did: they are told why, if the dialog has come that far.
    pub fn close_because(&mut self, error: &SessionError) {
        self.out.clear();
        if self.connected && self.phase == Phase::Open {
            let code = "NetConnection.Connect.Closed";
            status(&mut self.out, self.active, Level::Error, code, &error.to_string());
        }
        self.phase = Phase::Closing;
    }

    fn close(&mut self) {
        self.phase = Phase::Closing;
        self.events.push_back(Event::Close);
    }

    fn shake(&mut self, input: &mut &[u8]) -> Result<(), SessionError> {
        // C0 and C1 come together; a wrong first byte is not waited upon.
        let (begin, wanted) = match self.phase {
            Phase::Hello => (1_usize, PACKET.saturating_add(1)),
            _ => (0, PACKET),
        };
        let missing = wanted.saturating_sub(self.handshake.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        self.handshake.extend_from_slice(taken);
        *input = rest;
        if begin == 1
            && let Some(version) = self.handshake.first().copied().filter(|v| *v != VERSION)
        {
            return Err(HandshakeError::Version(version).into());
        }
        if self.handshake.len() < wanted {
            return Ok(());
        }
        if let Some(c1) = self.handshake.get(begin..).and_then(|c1| c1.first_chunk::<PACKET>())
            && self.phase == Phase::Hello
        {
            let answer = handshake::answer(c1, self.peer.seed);
            self.out.extend_from_slice(&answer);
            self.phase = Phase::Echo;
            self.handshake.clear();
        } else {
            // What C2 holds is not looked at: some programs fill it with anything.
            self.phase = Phase::Open;
            self.handshake = Vec::new();
        }
        Ok(())
    }

    fn message(&mut self, message: Message, now: Duration) -> Result<(), SessionError> {
        match message.kind {
            kind::AUDIO | kind::VIDEO => self.media(message, now),
            kind::AGGREGATE => aggregated(&message).into_iter().for_each(|part| self.media(part, now)),
            kind::DATA => self.media(message, now),
            kind::DATA_AMF3 => {
                // A zero in front says that AMF0 follows; some leave it out.
                let head = usize::from(message.payload.first() == Some(&0));
                let payload = message.payload.slice(head..);
                self.media(Message { kind: kind::DATA, payload, ..message }, now);
            }
            kind::COMMAND | kind::COMMAND_AMF3 => match Command::read(&message) {
                Ok(command) => self.command(command, now)?,
                // What would be answered with "there is no such method", or not at all, may be unreadable; the bounds
                // hold for it too.
                Err(SessionError::Amf(error))
                    if error.limit().is_none() && self.connected && !commands::is_needed(&message) => {}
                Err(error) => return Err(error),
            },
            kind::WINDOW_SIZE => {
                // A window of 0 would be one acknowledgement for each byte.
                self.window = number(&message.payload).unwrap_or(WINDOW).clamp(4096, WINDOW);
            }
            kind::USER_CONTROL => {
                if let Some(UserControl::PingRequest(stamp)) = UserControl::read(&message.payload) {
                    control(&mut self.out, UserControl::PingResponse(stamp));
                }
            }
            // Chunk size and abort are the reader's; acknowledgements say nothing that the socket does not; shared
            // objects and whatever comes later are none of ours.
            _ => {}
        }
        Ok(())
    }

    fn media(&mut self, message: Message, now: Duration) {
        match &mut self.purpose {
            Purpose::Publishes(last) if message.kind != kind::DATA && !message.payload.is_empty() => {
                *last = now
            }
            // Some programs send without waiting for the answer: the codec headers must not be lost to them.
            Purpose::Publishes(_) | Purpose::AskedToPublish => {}
            Purpose::None(_) | Purpose::AskedToPlay | Purpose::Plays => return,
        }
        self.events.push_back(Event::Media(message));
    }
}
