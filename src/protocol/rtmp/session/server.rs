//! The server's side of the dialog, from the first byte to the goodbye. It decides who may do what ([`Access`]), and
//! leaves to its shell which names there are.

use super::adobe::{Guard, NEED_AUTH, Step};
use super::command::{self, Command, Level, control, information, status};
use super::{Late, SessionError, name};
use crate::media::flv::four_cc;
use crate::protocol::access::{Access, Action, Denied};
use crate::protocol::rtmp::wire::amf0::Value;
use crate::protocol::rtmp::wire::chunk_reader::ChunkReader;
use crate::protocol::rtmp::wire::chunk_writer::{self, CHUNK_SIZE};
use crate::protocol::rtmp::wire::handshake::{self, HandshakeError, PACKET, VERSION};
use crate::protocol::rtmp::wire::message::{Message, UserControl, aggregated, kind, number};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The window that we offer and ask for, in bytes: what nginx-rtmp offers.
const WINDOW: u32 = 5_000_000;
/// Answers that may wait to be sent.
const MOST_UNREAD: usize = 64 << 10;
/// Message streams that one connection may make.
const MOST_STREAMS: u32 = 8;
/// Characters of texts that a client says about itself.
const LONGEST_TEXT: usize = 256;

/// What all sessions of a server have in common.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Applications that are served; all others are rejected.
    pub applications: Vec<String>,
    /// Who may publish and read.
    pub access: Access,
    /// Signs challenges; made anew when the server starts.
    pub secret: [u8; 32],
    /// From the first byte to the end of the handshake.
    pub handshake: Duration,
    /// From the first byte, or from the end of what it did last, to publish or play.
    pub purpose: Duration,
    /// The longest pause between two frames of a publisher.
    pub silence: Duration,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            applications: vec!["live".into()],
            access: Access::default(),
            secret: [0; 32],
            handshake: Duration::from_secs(5),
            purpose: Duration::from_secs(10),
            silence: Duration::from_secs(10),
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

/// What a session tells its shell. `Publish` and `Play` want an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It has been let in.
    Connected {
        /// The application.
        application: String,
        /// What it says that it is.
        agent: String,
    },
    /// It wants to publish: [`ServerSession::published`] or [`ServerSession::refuse_publish`].
    Publish(Wish),
    /// It wants to play: [`ServerSession::playing`] or [`ServerSession::not_found`].
    Play(Wish),
    /// Sound, pictures or data of its stream.
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
pub struct Wish {
    /// The stream's name; follows the rule.
    pub name: String,
    /// What stood behind the name's `?`. It may hold a password.
    pub query: String,
    /// The user, if credentials were shown.
    pub user: String,
    /// The message stream that it is about.
    pub stream: u32,
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
    arguments: String,
    /// Proved by Adobe's authentication: who, to publish, to read.
    proved: (String, bool, bool),
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
            arguments: String::new(),
            proved: (String::new(), false, false),
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
    pub fn receive(&mut self, mut input: &[u8], now: Duration) -> Result<(), SessionError> {
        self.received = self.received.wrapping_add(u32::try_from(input.len()).unwrap_or(u32::MAX));
        while !input.is_empty() {
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
    pub fn published(&mut self, wish: &Wish, now: Duration) {
        // It may have ended it in the same breath.
        if self.purpose == Purpose::AskedToPublish {
            self.purpose = Purpose::Publishes(now);
        }
        let text = format!("{} is now published.", wish.name);
        status(&mut self.out, wish.stream, Level::Status, "NetStream.Publish.Start", &text);
    }

    /// They may not have the name.
    pub fn refuse_publish(&mut self, wish: &Wish, reason: &str) {
        self.bad_name(wish.stream, reason);
    }

    /// What they send cannot be carried, or may no longer be: they are told and sent away.
    pub fn reject_stream(&mut self, reason: &str) {
        status(&mut self.out, self.active, Level::Error, "NetStream.Publish.Rejected", reason);
        self.close();
    }

    /// Their stream begins.
    pub fn playing(&mut self, wish: &Wish) {
        if self.purpose == Purpose::AskedToPlay {
            self.purpose = Purpose::Plays;
        }
        let out = &mut self.out;
        control(out, UserControl::StreamBegin(wish.stream));
        let text = format!("{} is now playing.", wish.name);
        status(out, wish.stream, Level::Status, "NetStream.Play.Start", &text);
        let mut body = Vec::new();
        for value in [Value::text("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)] {
            crate::protocol::rtmp::wire::amf0::write(&mut body, &value);
        }
        chunk_writer::write(out, CHUNK_SIZE, kind::DATA, wish.stream, 0, &[], &body);
    }

    /// Nobody publishes what they want to play.
    pub fn not_found(&mut self, wish: &Wish, reason: &str, now: Duration) {
        self.purpose = Purpose::None(now);
        status(&mut self.out, wish.stream, Level::Error, "NetStream.Play.StreamNotFound", reason);
    }

    /// What they play has ended.
    pub fn unpublished(&mut self, wish: &Wish) {
        let out = &mut self.out;
        control(out, UserControl::StreamEof(wish.stream));
        let text = format!("{} is no longer published.", wish.name);
        status(out, wish.stream, Level::Status, "NetStream.Play.UnpublishNotify", &text);
        status(out, wish.stream, Level::Status, "NetStream.Play.Stop", &text);
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
                // One byte says that AMF0 follows.
                let payload = message.payload.slice(message.payload.len().min(1)..);
                self.media(Message { kind: kind::DATA, payload, ..message }, now);
            }
            kind::COMMAND | kind::COMMAND_AMF3 => self.command(&Command::read(&message)?, now)?,
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

    fn command(&mut self, command: &Command, now: Duration) -> Result<(), SessionError> {
        if !self.connected && command.name != "connect" {
            return Err(SessionError::Order("a command came before connect"));
        }
        let answer = |out: &mut Vec<u8>, values: &[Value]| {
            if command.transaction != 0.0 {
                command::write(out, 0, "_result", command.transaction, values);
            }
        };
        match command.name.as_str() {
            "connect" => self.connect(command),
            "createStream" => {
                if self.streams >= MOST_STREAMS {
                    return Err(SessionError::Order("too many message streams"));
                }
                self.streams = self.streams.saturating_add(1);
                answer(&mut self.out, &[Value::Null, Value::Number(self.streams.into())]);
            }
            "publish" => self.publish(command),
            "play" | "play2" => self.play(command, now),
            "deleteStream" => {
                let which = command.argument(0).and_then(Value::as_number);
                if which.is_none_or(|which| which == f64::from(self.active)) {
                    self.stop(now);
                }
            }
            "closeStream" | "FCUnpublish" => {
                self.stop(now);
                if command.name == "FCUnpublish" {
                    let stopped = information(Level::Status, "NetStream.Unpublish.Success", "");
                    command::write(&mut self.out, 0, "onFCUnpublish", 0.0, &[Value::Null, stopped]);
                }
            }
            "FCPublish" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
                let name = name::cut(command.text(0).unwrap_or_default()).0;
                let started = information(Level::Status, "NetStream.Publish.Start", &short(name));
                command::write(&mut self.out, 0, "onFCPublish", 0.0, &[Value::Null, started]);
            }
            "FCSubscribe" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
                let started = information(Level::Status, "NetStream.Play.Start", "");
                command::write(&mut self.out, 0, "onFCSubscribe", 0.0, &[Value::Null, started]);
            }
            "releaseStream" | "_checkbw" | "checkBandwidth" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
            }
            // Live streams have no length.
            "getStreamLength" | "getMovLen" => answer(&mut self.out, &[Value::Null, Value::Number(0.0)]),
            "pause" | "pauseRaw" => self.pause(command),
            // Sound or pictures alone, and another position, are not to be had from a live stream here.
            "receiveAudio" | "receiveVideo" | "seek" | "_result" | "_error" | "onStatus" => {}
            _ => {
                if command.transaction != 0.0 {
                    let text = format!("there is no method '{}'", short(&command.name));
                    let failed = information(Level::Error, "NetConnection.Call.Failed", &text);
                    let values = [Value::Null, failed];
                    command::write(&mut self.out, 0, "_error", command.transaction, &values);
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) {
        if self.connected {
            return self.reject(command, "this connection is connected already");
        }
        // Whatever is answered may be longer than a chunk of the first size.
        chunk_writer::set_chunk_size(&mut self.out);
        let text = |key: &str| command.object().get(key).and_then(Value::as_str).unwrap_or_default();
        let (application, mut arguments) = name::cut(text("app"));
        let application = application.trim_matches('/');
        if arguments.is_empty() {
            arguments = name::cut(text("tcUrl")).1;
        }
        if !self.rules.applications.iter().any(|known| known == application) {
            let text = format!(
                "there is no application '{}'; stream URLs are rtmp://host/{}/name",
                short(application),
                self.rules.applications.first().map_or("", String::as_str)
            );
            return self.reject(command, &text);
        }
        let publishes = text("type") == "nonprivate" || text("flashVer").starts_with("FMLE/");
        if let Err((denied, description)) = self.authenticate(arguments, publishes) {
            let info = information(Level::Error, "NetConnection.Connect.Rejected", &description);
            command::write(&mut self.out, 0, "_error", command.transaction, &[Value::Null, info]);
            self.phase = Phase::Closing;
            self.events.push_back(denied);
            return;
        }
        self.connected = true;
        self.arguments = arguments.to_string();
        self.events.push_back(Event::Connected {
            application: application.to_string(),
            agent: short(text("flashVer")),
        });
        self.welcome(command);
    }

    /// Adobe's authentication, where it is asked for. The error is what to tell the shell and the client.
    fn authenticate(&mut self, arguments: &str, publishes: bool) -> Result<(), (Event, String)> {
        let access = &self.rules.access;
        let guard = Guard {
            access,
            secret: &self.rules.secret,
            address: self.peer.address,
            now: self.peer.since_start,
        };
        let wanted = access.publish.is_some() || access.read.is_some();
        match guard.step(arguments).filter(|_| wanted) {
            Some(_) if self.peer.shut_out => {
                Err((Event::Refused(Denied::ShutOut), Denied::ShutOut.to_string()))
            }
            Some(Step::Challenge(description)) => Err((Event::Close, description)),
            Some(Step::Failed(description)) => Err((Event::Refused(Denied::Wrong), description.to_string())),
            Some(Step::Proved { user, publish, read }) => {
                self.proved = (user, publish, read);
                Ok(())
            }
            None => {
                let action = if publishes { Action::Publish } else { Action::Read };
                let shown = name::credentials(arguments).is_some();
                let asks = self.peer.ask || (publishes && access.adobe_at_connect);
                if access.credentials(action).is_some() && asks && !shown {
                    return Err((Event::Asked, NEED_AUTH.to_string()));
                }
                Ok(())
            }
        }
    }

    /// Lets somebody in.
    fn welcome(&mut self, command: &Command) {
        let out = &mut self.out;
        chunk_writer::write_number(out, kind::WINDOW_SIZE, WINDOW);
        let mut bandwidth = WINDOW.to_be_bytes().to_vec();
        // "Dynamic": as the last one, or not at all.
        bandwidth.push(2);
        chunk_writer::write(out, CHUNK_SIZE, kind::PEER_BANDWIDTH, 0, 0, &[], &bandwidth);
        let mut server = vec![
            ("fmsVer".to_string(), Value::text("FMS/3,0,1,123")),
            ("capabilities".to_string(), Value::Number(31.0)),
        ];
        let mut info = vec![
            ("level".to_string(), Value::text("status")),
            ("code".to_string(), Value::text("NetConnection.Connect.Success")),
            ("description".to_string(), Value::text("Connection succeeded.")),
        ];
        if let Some(encoding) = command.object().get("objectEncoding").and_then(Value::as_number) {
            info.push(("objectEncoding".to_string(), Value::Number(encoding)));
        }
        // Enhanced RTMP: who asks which codecs by FourCC we carry is told.
        let asks = |key| command.object().get(key).is_some();
        if asks("fourCcList") || asks("videoFourCcInfoMap") || asks("audioFourCcInfoMap") {
            let codecs = four_cc::ALL.map(|code| Value::text(String::from_utf8_lossy(&code)));
            server.push(("fourCcList".to_string(), Value::Array(codecs.to_vec())));
        }
        let values = [Value::Object(server), Value::Object(info)];
        command::write(out, 0, "_result", command.transaction, &values);
    }

    fn reject(&mut self, command: &Command, description: &str) {
        let info = information(Level::Error, "NetConnection.Connect.Rejected", description);
        command::write(&mut self.out, 0, "_error", command.transaction, &[Value::Null, info]);
        self.close();
    }

    fn bad_name(&mut self, stream: u32, reason: &str) {
        status(&mut self.out, stream, Level::Error, "NetStream.Publish.BadName", reason);
        self.close();
    }

    /// Reads a wish and checks whether it may be.
    fn wish(&mut self, command: &Command, action: Action) -> Result<Wish, Denied> {
        let (name, query) = name::cut(command.text(0).unwrap_or_default());
        let shown = name::credentials(query).or_else(|| name::credentials(&self.arguments));
        let proved = match action {
            Action::Publish => self.proved.1,
            Action::Read => self.proved.2,
        };
        let access = &self.rules.access;
        let wanted = access.credentials(action).is_some();
        if wanted && shown.is_some() && self.peer.shut_out && !proved {
            return Err(Denied::ShutOut);
        }
        let pair = shown.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        if !(wanted && proved) {
            access.check(action, self.peer.address, pair)?;
        }
        let user =
            if proved { self.proved.0.clone() } else { shown.map(|(user, _)| user).unwrap_or_default() };
        Ok(Wish {
            name: name.to_string(),
            query: query.to_string(),
            user: if wanted { short(&user) } else { String::new() },
            stream: command.stream,
        })
    }

    fn publish(&mut self, command: &Command) {
        if !matches!(self.purpose, Purpose::None(_)) {
            return self.bad_name(command.stream, "this connection publishes or plays already");
        }
        match self.wish(command, Action::Publish) {
            Err(denied) => {
                status(
                    &mut self.out,
                    command.stream,
                    Level::Error,
                    "NetStream.Publish.BadName",
                    &told(denied),
                );
                self.phase = Phase::Closing;
                self.events.push_back(Event::Refused(denied));
            }
            Ok(wish) => match name::check(&wish.name) {
                Err(bad) => self.bad_name(command.stream, &bad.to_string()),
                Ok(()) => {
                    self.active = wish.stream;
                    self.purpose = Purpose::AskedToPublish;
                    self.events.push_back(Event::Publish(wish));
                }
            },
        }
    }

    fn play(&mut self, command: &Command, now: Duration) {
        if !matches!(self.purpose, Purpose::None(_)) {
            let text = "this connection publishes or plays already";
            status(&mut self.out, command.stream, Level::Error, "NetStream.Play.Failed", text);
            return self.close();
        }
        match self.wish(command, Action::Read) {
            Err(denied) => {
                status(&mut self.out, command.stream, Level::Error, "NetStream.Play.Failed", &told(denied));
                self.phase = Phase::Closing;
                self.events.push_back(Event::Refused(denied));
            }
            Ok(wish) => match name::check(&wish.name) {
                Err(bad) => self.not_found(&wish, &bad.to_string(), now),
                Ok(()) => {
                    self.active = wish.stream;
                    self.purpose = Purpose::AskedToPlay;
                    self.events.push_back(Event::Play(wish));
                }
            },
        }
    }

    /// Ends what it does.
    fn stop(&mut self, now: Duration) {
        match self.purpose {
            Purpose::None(_) => return,
            Purpose::Publishes(_) | Purpose::AskedToPublish => {
                let code = "NetStream.Unpublish.Success";
                status(&mut self.out, self.active, Level::Status, code, "no longer published");
                self.events.push_back(Event::Unpublish);
            }
            Purpose::Plays | Purpose::AskedToPlay => self.events.push_back(Event::Stop),
        }
        self.purpose = Purpose::None(now);
    }

    fn pause(&mut self, command: &Command) {
        if self.purpose != Purpose::Plays {
            return;
        }
        let pauses = command.argument(0).and_then(Value::as_bool).unwrap_or(true);
        let code = if pauses { "NetStream.Pause.Notify" } else { "NetStream.Unpause.Notify" };
        status(&mut self.out, command.stream, Level::Status, code, "");
        self.events.push_back(Event::Pause(pauses));
    }
}

/// What a client is told about a refusal.
fn told(denied: Denied) -> String {
    let how = match denied {
        // Whoever comes again is asked before the stream's name is known (see `Access::adobe_at_connect`).
        Denied::NeedsCredentials(_) => {
            ": put ?user=..&pass=.. behind the stream name, or set them in the program and connect once more"
        }
        _ => "",
    };
    format!("{denied}{how}")
}

/// Text from outside, cut to a length that can be shown and kept.
fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// The body of a data message that carries metadata, from `onMetaData` on, if it is one.
pub fn metadata(body: &Bytes) -> Option<Bytes> {
    // "@setDataFrame" tells the server to keep what follows; players get it without.
    const SET: &[u8] = b"\x02\x00\x0d@setDataFrame";
    const META: &[u8] = b"\x02\x00\x0aonMetaData";
    let body = if body.starts_with(SET) { body.slice(SET.len()..) } else { body.clone() };
    body.starts_with(META).then_some(body)
}
