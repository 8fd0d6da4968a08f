//! The client's side of the dialog: publishes or plays one stream on one connection.

use super::SessionError;
use super::adobe::answer;
use super::command::{self, Command, control};
use super::name::raw_argument;
use crate::auth::Credentials;
use crate::protocol::rtmp::wire::amf0::Value;
use crate::protocol::rtmp::wire::chunk_reader::ChunkReader;
use crate::protocol::rtmp::wire::chunk_writer::{self, CHUNK_SIZE};
use crate::protocol::rtmp::wire::handshake::{self, HandshakeError, PACKET, Packet, Scheme, VERSION};
use crate::protocol::rtmp::wire::message::{Message, UserControl, aggregated, kind, number};
use std::collections::VecDeque;

/// What the client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Sends a stream.
    Publish,
    /// Takes one.
    Play,
}

/// Where to.
#[derive(Clone, Debug)]
pub struct Target {
    /// `rtmp://host:port/application`, as the server wants to hear it.
    pub url: String,
    /// The application.
    pub application: String,
    /// The stream's name, with `?arguments` if there are any.
    pub name: String,
    /// For Adobe's authentication, if the server asks for it.
    pub credentials: Option<Credentials>,
    /// What to put behind the application: the arguments of [`Event::Again`].
    pub arguments: String,
    /// The handshake: simple, or with a digest.
    pub scheme: Option<Scheme>,
}

/// What the session tells its shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server takes frames, or sends them from now on.
    Ready,
    /// Audio, video or data.
    Media(Message),
    /// Connect once more, with these arguments in [`Target::arguments`].
    Again(String),
    /// The server says no: its code and its words.
    Refused(String, String),
    /// The stream has ended, says the server: its code.
    Ended(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for S0, S1 and S2.
    Hello,
    /// Waits for the answer to `connect`.
    Connecting,
    /// Waits for the answer to `createStream`.
    Creating,
    /// Waits for the stream to begin.
    Starting,
    /// Frames flow.
    Flowing,
    /// Nothing more is read.
    Closed,
}

/// Transactions that we ask with.
mod ask {
    pub const CONNECT: f64 = 1.0;
    pub const RELEASE: f64 = 2.0;
    pub const FC_PUBLISH: f64 = 3.0;
    pub const CREATE: f64 = 4.0;
    pub const FC_UNPUBLISH: f64 = 6.0;
    pub const DELETE: f64 = 7.0;
}

/// One connection.
#[derive(Debug)]
pub struct ClientSession {
    target: Target,
    aim: Aim,
    phase: Phase,
    c1: Box<Packet>,
    seed: [u8; 32],
    handshake: Vec<u8>,
    chunks: ChunkReader,
    out: Vec<u8>,
    events: VecDeque<Event>,
    stream: u32,
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl ClientSession {
    /// A connection that has just been made; its first output is the handshake. `seed`: random bytes.
    pub fn new(target: Target, aim: Aim, seed: [u8; 32]) -> ClientSession {
        let c1 = handshake::hello(target.scheme, seed);
        let mut out = vec![VERSION];
        out.extend_from_slice(&c1);
        ClientSession {
            target,
            aim,
            phase: Phase::Hello,
            c1: Box::new(c1),
            seed,
            handshake: Vec::new(),
            chunks: ChunkReader::default(),
            out,
            events: VecDeque::new(),
            stream: 0,
            received: 0,
            acknowledged: 0,
            window: 2_500_000,
        }
    }

    /// What is to be sent; empties it.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes bytes that came in.
    ///
    /// # Errors
    /// The server does not speak RTMP, or breaks a limit: the connection is of no more use.
    pub fn receive(&mut self, mut input: &[u8]) -> Result<(), SessionError> {
        self.received = self.received.wrapping_add(u32::try_from(input.len()).unwrap_or(u32::MAX));
        while !input.is_empty() {
            match self.phase {
                Phase::Hello => self.shake(&mut input)?,
                Phase::Closed => return Ok(()),
                _ => match self.chunks.read(&mut input)? {
                    Some(message) => self.message(message)?,
                    None => break,
                },
            }
        }
        if self.received.wrapping_sub(self.acknowledged) >= self.window / 2 && self.phase != Phase::Hello {
            self.acknowledged = self.received;
            chunk_writer::write_number(&mut self.out, kind::ACKNOWLEDGEMENT, self.received);
        }
        Ok(())
    }

    /// Puts audio, video or data in line, once [`Event::Ready`] came. The body is `head` and `body`, one behind the
    /// other; `timestamp` is in milliseconds.
    pub fn send(&mut self, kind: u8, timestamp: u32, head: &[u8], body: &[u8]) {
        chunk_writer::write(&mut self.out, CHUNK_SIZE, kind, self.stream, timestamp, head, body);
    }

    /// Says goodbye.
    pub fn finish(&mut self) {
        if matches!(self.phase, Phase::Starting | Phase::Flowing) {
            let name = Value::text(self.target.name.clone());
            if self.aim == Aim::Publish {
                self.command(0, "FCUnpublish", ask::FC_UNPUBLISH, &[Value::Null, name]);
            }
            let stream = Value::Number(self.stream.into());
            self.command(0, "deleteStream", ask::DELETE, &[Value::Null, stream]);
        }
        self.phase = Phase::Closed;
    }

    fn command(&mut self, stream: u32, name: &str, transaction: f64, arguments: &[Value]) {
        command::write(&mut self.out, stream, name, transaction, arguments);
    }

    fn shake(&mut self, input: &mut &[u8]) -> Result<(), SessionError> {
        let wanted = PACKET.saturating_mul(2).saturating_add(1);
        let missing = wanted.saturating_sub(self.handshake.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        self.handshake.extend_from_slice(taken);
        *input = rest;
        if let Some(version) = self.handshake.first().copied().filter(|v| *v != VERSION) {
            return Err(HandshakeError::Version(version).into());
        }
        let s1 = self.handshake.get(1..).and_then(|b| b.first_chunk::<PACKET>());
        let s2 = self.handshake.get(PACKET.saturating_add(1)..).and_then(|b| b.first_chunk::<PACKET>());
        let (Some(s1), Some(s2)) = (s1, s2) else { return Ok(()) };
        let c2 = handshake::reply(&self.c1, s1, s2, self.seed)?;
        self.out.extend_from_slice(&c2);
        self.handshake = Vec::new();
        self.connect();
        Ok(())
    }

    fn connect(&mut self) {
        self.phase = Phase::Connecting;
        chunk_writer::set_chunk_size(&mut self.out);
        let with_arguments = |text: &str| Value::text(format!("{text}{}", self.target.arguments));
        let mut object = vec![("app".to_string(), with_arguments(&self.target.application))];
        match self.aim {
            Aim::Publish => {
                object.push(("type".to_string(), Value::text("nonprivate")));
                object.push(("flashVer".to_string(), Value::text("FMLE/3.0 (compatible; msconv)")));
            }
            Aim::Play => {
                object.push(("flashVer".to_string(), Value::text("LNX 9,0,124,2")));
                object.push(("fpad".to_string(), Value::Boolean(false)));
            }
        }
        object.push(("tcUrl".to_string(), with_arguments(&self.target.url)));
        let codecs = crate::media::flv::four_cc::ALL.map(|code| Value::text(String::from_utf8_lossy(&code)));
        object.push(("fourCcList".to_string(), Value::Array(codecs.to_vec())));
        self.command(0, "connect", ask::CONNECT, &[Value::Object(object)]);
    }

    fn message(&mut self, message: Message) -> Result<(), SessionError> {
        match message.kind {
            kind::AUDIO | kind::VIDEO | kind::DATA => self.events.push_back(Event::Media(message)),
            kind::AGGREGATE => self.events.extend(aggregated(&message).into_iter().map(Event::Media)),
            kind::COMMAND | kind::COMMAND_AMF3 => match Command::read(&message) {
                Ok(command) => self.answer(&command),
                // What is no answer to us may be unreadable; the bounds hold for it too.
                Err(SessionError::Amf(error))
                    if error.limit().is_none()
                        && !matches!(
                            command::name(&message).as_deref(),
                            Some("_result" | "_error" | "onStatus" | "close")
                        ) => {}
                Err(error) => return Err(error),
            },
            kind::WINDOW_SIZE => {
                self.window = number(&message.payload).unwrap_or(u32::MAX).clamp(4096, 2_500_000);
            }
            kind::PEER_BANDWIDTH => {
                if let Some(window) = number(&message.payload) {
                    chunk_writer::write_number(&mut self.out, kind::WINDOW_SIZE, window);
                }
            }
            kind::USER_CONTROL => {
                if let Some(UserControl::PingRequest(stamp)) = UserControl::read(&message.payload) {
                    control(&mut self.out, UserControl::PingResponse(stamp));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, command: &Command) {
        let name = command.name.as_str();
        match (name, self.phase) {
            ("_result", Phase::Connecting) if command.transaction == ask::CONNECT => self.create(),
            ("_result", Phase::Creating) if command.transaction == ask::CREATE => {
                let id = command.argument(0).and_then(Value::as_number).unwrap_or(1.0);
                // The number of a stream is small and whole; anything else becomes the first.
                self.stream = if (1.0..65_536.0).contains(&id) { id as u32 } else { 1 };
                self.start();
            }
            ("_error", Phase::Connecting) if command.transaction == ask::CONNECT => {
                let info = command.argument(0);
                let of = |key| info.and_then(|i| i.get(key)).and_then(Value::as_str).unwrap_or_default();
                let (code, description) = (of("code").to_string(), of("description").to_string());
                self.rejected(code, description);
            }
            ("_error", Phase::Creating) if command.transaction == ask::CREATE => {
                self.refused("NetConnection.Call.Failed".into(), "no message stream".into());
            }
            ("onStatus", Phase::Starting | Phase::Flowing | Phase::Creating) => self.status(command),
            ("close", _) => self.ended("close".into()),
            _ => {}
        }
    }

    fn create(&mut self) {
        self.phase = Phase::Creating;
        if self.aim == Aim::Publish {
            let name = Value::text(self.target.name.clone());
            self.command(0, "releaseStream", ask::RELEASE, &[Value::Null, name.clone()]);
            self.command(0, "FCPublish", ask::FC_PUBLISH, &[Value::Null, name]);
        }
        self.command(0, "createStream", ask::CREATE, &[Value::Null]);
    }

    fn start(&mut self) {
        self.phase = Phase::Starting;
        let name = Value::text(self.target.name.clone());
        match self.aim {
            Aim::Publish => {
                self.command(self.stream, "publish", 0.0, &[Value::Null, name, Value::text("live")]);
            }
            Aim::Play => {
                // -2000: live, or else whatever there is.
                self.command(self.stream, "play", 0.0, &[Value::Null, name, Value::Number(-2000.0)]);
                control(&mut self.out, UserControl::BufferLength(self.stream, 3000));
            }
        }
    }

    /// A rejected `connect`: a step of Adobe's authentication, or the end.
    fn rejected(&mut self, code: String, description: String) {
        let Some(credentials) = &self.target.credentials else { return self.refused(code, description) };
        let user = credentials.user();
        let tried = self.target.arguments.contains("response=");
        let again = if tried || !description.contains("authmod=adobe") {
            None
        } else if description.contains("code=403 need auth") {
            Some(format!("?authmod=adobe&user={user}"))
        } else {
            description.split_once("?reason=needauth").map(|(_, given)| {
                let of = |key| raw_argument(given, key).unwrap_or_default();
                let (salt, opaque, challenge) = (of("salt"), of("opaque"), "6d736376");
                let basis = if opaque.is_empty() { of("challenge") } else { opaque };
                let response = answer(user, credentials.password(), salt, basis, challenge);
                format!(
                    "?authmod=adobe&user={user}&challenge={challenge}&response={response}&opaque={opaque}"
                )
            })
        };
        match again {
            Some(arguments) => {
                self.phase = Phase::Closed;
                self.events.push_back(Event::Again(arguments));
            }
            None => self.refused(code, description),
        }
    }

    fn status(&mut self, command: &Command) {
        let info = command.argument(0);
        let of = |key| info.and_then(|i| i.get(key)).and_then(Value::as_str).unwrap_or_default();
        let (code, level) = (of("code").to_string(), of("level"));
        if level == "error" {
            let description = of("description").to_string();
            return self.refused(code, description);
        }
        match code.as_str() {
            "NetStream.Publish.Start" | "NetStream.Play.Start" if self.phase == Phase::Starting => {
                self.phase = Phase::Flowing;
                self.events.push_back(Event::Ready);
            }
            "NetStream.Play.UnpublishNotify" | "NetStream.Play.Stop" | "NetStream.Unpublish.Success" => {
                self.ended(code);
            }
            _ => {}
        }
    }

    fn refused(&mut self, code: String, description: String) {
        self.phase = Phase::Closed;
        self.events.push_back(Event::Refused(code, description));
    }

    fn ended(&mut self, code: String) {
        self.phase = Phase::Closed;
        self.events.push_back(Event::Ended(code));
    }
}
