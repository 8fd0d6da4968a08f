//! One RTMP connection: its socket, its dialog, and its part in the hub.
//!
//! A publisher's task carries frames to the readers' sockets itself (see the hub); a reader's task only reads what its
//! peer says, and helps when the socket is full.

use super::Shared;
use crate::auth::{self, Action, Denied, Grant, Request, pause};
use crate::base::clock::Now;
use crate::hub::client::add;
use crate::hub::{self, Client, Headers, Outlet, Publisher, Reader, ReaderEnd, Role, Worker};
use crate::media::Tracks;
use crate::model::StreamName;
use crate::protocol::accepting;
use crate::protocol::admission::Permit;
use crate::protocol::connection_sink::ConnectionSink;
use crate::protocol::parting::{self, Parting};
use crate::protocol::rtmp::egress::{self, Egress};
use crate::protocol::rtmp::ingest::{Ingest, IngestStep};
use crate::protocol::rtmp::session::SessionError;
use crate::protocol::rtmp::session::name;
use crate::protocol::rtmp::session::server::{Event, Peer, ServerSession, StreamRequest};
use crate::protocol::rtmp::wire::message::Message;
use crate::protocol::workers::taken_over;
use crate::telemetry::Log;
use bytes::Bytes;
use std::future::{Future, pending, ready};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// What one read of a publisher's socket takes.
const PUBLISHER_READ: usize = 64 << 10;
/// What one read of any other takes: they say little.
const READ: usize = 4 << 10;
/// Answers that may wait for a peer that does not read.
const MOST_UNSENT: usize = 64 << 10;
/// For a reader to take what was sent before its stream ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a connection is for.
enum Part {
    /// Nothing yet.
    None,
    /// It waits to be allowed what it asked for, in this application. Until then nothing is read.
    Asks(Action, String, auth::Answer),
    /// It publishes.
    Publishes(Box<Publishing>),
    /// It waits for the tracks of what it wants to play.
    Waits(StreamRequest, Pin<Box<dyn Future<Output = Option<Headers>> + Send>>),
    /// It plays.
    Reads(Reader, StreamRequest),
}

struct Publishing {
    publisher: Publisher,
    ingest: Ingest,
    name: String,
    buffer: Vec<u8>,
    steps: Vec<IngestStep>,
}

impl Publishing {
    /// Nothing more comes, or a picture has waited long enough for the rest of it.
    fn finish(&mut self, log: &Log, remote: SocketAddr) {
        self.ingest.finish(&mut self.steps);
        self.hand_over(log, remote);
    }

    /// Gives the hub and the log what the messages made.
    fn hand_over(&mut self, log: &Log, remote: SocketAddr) {
        let now = Now::read();
        for step in self.steps.drain(..) {
            match step {
                IngestStep::Headers(tracks) => self.publisher.headers(tracks),
                IngestStep::Metadata(metadata) => self.publisher.metadata(metadata),
                IngestStep::Ready => self.publisher.ready(now),
                IngestStep::Frame(frame) => self.publisher.frame(frame, now),
                IngestStep::Note(note) if note.is_loss() => {
                    log.warn(format_args!("rtmp: {remote} publishes {}: {note}", self.name));
                }
                IngestStep::Note(note) => {
                    log.info(format_args!("rtmp: {remote} publishes {}: {note}", self.name))
                }
            }
        }
    }
}

/// Why a connection ends.
enum End {
    /// The peer has gone.
    Gone,
    /// The dialog cannot go on.
    Broken(SessionError),
    /// What is to be said has been put out; then it ends.
    Goodbye,
    /// As `Goodbye`, after a pause that makes guessing slow.
    Slowly,
    /// Somebody wants it to leave, or the server ends.
    Sent(&'static str),
    /// A reader's stream is over.
    Ended(ReaderEnd),
    /// It goes on with another worker.
    Elsewhere(Worker),
}

/// See the module.
pub struct Connection {
    shared: Arc<Shared>,
    socket: Arc<TcpStream>,
    parting: Parting,
    client: Arc<Client>,
    place: Permit,
    /// Where it runs.
    worker: Worker,
    session: ServerSession,
    began: Instant,
    out: Vec<u8>,
    part: Part,
    /// The hub found the socket full.
    blocked: bool,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(shared: Arc<Shared>, socket: TcpStream, client: Arc<Client>, place: Permit) -> Connection {
        let address = client.remote.ip();
        let peer = Peer {
            address,
            shut_out: shared.ledger().shut_out(address, shared.age()),
            ask: shared.asks(address),
            seed: shared.seed(),
            since_start: shared.age(),
        };
        let socket = Arc::new(socket);
        Connection {
            session: ServerSession::new(shared.rules.clone(), peer),
            shared,
            parting: Parting::new(socket.clone()),
            socket,
            client,
            place,
            worker: Worker::default(),
            began: Instant::now(),
            out: Vec::new(),
            part: Part::None,
            blocked: false,
        }
    }

    fn age(&self) -> Duration {
        self.began.elapsed()
    }

    async fn converse(&mut self, shutdown: &mut watch::Receiver<bool>) -> End {
        let mut timer = std::pin::pin!(sleep_until(self.began));
        loop {
            if let Err(end) = self.send() {
                return end;
            }
            self.wind(timer.as_mut());
            let armed = self.deadline().is_some();
            let reads = !matches!(self.part, Part::Asks(..));
            let full = self.blocked || !self.out.is_empty();
            let step = tokio::select! {
                ready = self.socket.readable(), if reads => match ready {
                    Ok(()) => self.read(),
                    Err(_) => Err(End::Gone),
                },
                ready = self.socket.writable(), if full => match ready {
                    Ok(()) => self.unblock(),
                    Err(_) => Err(End::Gone),
                },
                () = timer.as_mut(), if armed => self.tick(),
                event = news(&mut self.part) => self.hear(event),
                leaves = self.client.leaves() => Err(End::Sent(leaves.why())),
                _ = shutdown.wait_for(|down| *down) => Err(End::Sent("the server ends")),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// When something is due if nothing comes before.
    fn deadline(&self) -> Option<Duration> {
        let of_frames = match &self.part {
            Part::Publishes(publishing) => [publishing.ingest.due(), self.flush_due(publishing)],
            _ => [None, None],
        };
        of_frames.into_iter().flatten().chain(self.session.deadline()).min()
    }

    /// When audio has waited for video long enough.
    fn flush_due(&self, publishing: &Publishing) -> Option<Duration> {
        Some(publishing.publisher.due()?.saturating_duration_since(self.began.into_std()))
    }

    fn tick(&mut self) -> Result<(), End> {
        let age = self.age();
        if let Part::Publishes(publishing) = &mut self.part {
            if publishing.ingest.due().is_some_and(|due| age >= due) {
                publishing.finish(&self.shared.log, self.client.remote);
            }
            // Nothing happens if it is something else that is due.
            publishing.publisher.flush(Now::read());
        }
        self.session.tick(age).map_err(End::Broken)
    }

    /// Sets the timer. It is let run into the past and then set again: a publisher's deadline moves with every frame.
    fn wind(&self, timer: Pin<&mut Sleep>) {
        if let Some(deadline) = self.deadline() {
            let at = self.began.checked_add(deadline).unwrap_or(self.began);
            if timer.is_elapsed() || at < timer.deadline() {
                timer.reset(at);
            }
        }
    }

    /// Sends what is to be sent, as far as the socket takes it.
    fn send(&mut self) -> Result<(), End> {
        let words = self.session.output();
        if let Part::Reads(reader, _) = &self.part {
            if !words.is_empty() {
                reader.say(words.into(), Now::read());
            }
            return Ok(());
        }
        if !words.is_empty() {
            self.out.extend_from_slice(&words);
        }
        while !self.out.is_empty() {
            match self.socket.try_write(&self.out) {
                Ok(sent) => {
                    add(&self.client.counters.bytes_out, sent as u64);
                    self.out.drain(..sent);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Gone),
            }
        }
        if self.out.len() > MOST_UNSENT { Err(End::Broken(SessionError::Unread)) } else { Ok(()) }
    }

    fn unblock(&mut self) -> Result<(), End> {
        self.blocked = false;
        if let Part::Reads(reader, _) = &self.part {
            reader.flush(Now::read());
        }
        Ok(())
    }

    /// What the hub has to say.
    fn hear(&mut self, news: News) -> Result<(), End> {
        match news {
            News::Reader(hub::Wake::Ended(why)) => Err(End::Ended(why)),
            News::Reader(hub::Wake::Blocked | hub::Wake::Later) => {
                self.blocked = true;
                Ok(())
            }
            News::Headers(headers) => {
                if let Part::Waits(wanted, _) = std::mem::replace(&mut self.part, Part::None) {
                    self.play(wanted, headers);
                }
                Ok(())
            }
            News::Authorized(answer) => {
                let asked = std::mem::replace(&mut self.part, Part::None);
                if let (Part::Asks(action, application, _), Ok(grant)) = (asked, &answer)
                    && let Some(worker) = self.elsewhere(action, &application, grant)
                {
                    self.part = Part::Asks(action, application, Box::pin(ready(answer)));
                    return Err(End::Elsewhere(worker));
                }
                if let Ok(grant) = &answer {
                    self.client.leave_after(grant.limits.time);
                }
                let outcome = self.session.authorized(answer, self.age());
                self.events(outcome)?;
                if let Part::Publishes(publishing) = &self.part {
                    publishing.publisher.flush(Now::read());
                }
                Ok(())
            }
        }
    }

    /// The worker that carries what may be published or read, if it is another one.
    fn elsewhere(&self, action: Action, application: &str, grant: &Grant) -> Option<Worker> {
        name::check(&grant.name).ok()?;
        let name = StreamName::new(application, grant.name.clone());
        let hub = &self.shared.hub;
        let worker = match action {
            Action::Publish => hub.publishing_worker(&name, Now::read().mono),
            Action::Read | Action::Control => hub.reading_worker(&name)?,
        };
        (worker != self.worker).then_some(worker)
    }

    fn read(&mut self) -> Result<(), End> {
        match &mut self.part {
            Part::Publishes(publishing) => {
                let mut buffer = std::mem::take(&mut publishing.buffer);
                let taken = self.take_in(&mut buffer);
                if let Part::Publishes(publishing) = &mut self.part {
                    publishing.buffer = buffer;
                    publishing.publisher.flush(Now::read());
                }
                taken
            }
            _ => {
                let taken = self.take_in(&mut [0; READ]);
                if let Part::Publishes(publishing) = &self.part {
                    publishing.publisher.flush(Now::read());
                }
                taken
            }
        }
    }

    fn take_in(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        let input = match self.socket.try_read(buffer) {
            Ok(0) => return Err(End::Gone),
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(_) => return Err(End::Gone),
        };
        add(&self.client.counters.bytes_in, input.len() as u64);
        let outcome = self.session.receive(input, self.age());
        self.events(outcome)
    }

    /// Does what the session says, and ends if its outcome was an offence.
    fn events(&mut self, outcome: Result<(), SessionError>) -> Result<(), End> {
        // What came before the offence counts.
        while let Some(event) = self.session.event() {
            self.event(event)?;
        }
        outcome.map_err(End::Broken)
    }

    fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Media(message) => return self.media(message),
            Event::Connected { application, agent } => self.client.describe(|d| {
                d.application = application;
                d.agent = agent;
            }),
            Event::Authorize(request) => self.authorize(*request),
            Event::Publish(wanted) => self.publish(wanted),
            Event::Play(wanted) => {
                let (hub, name) = (self.shared.hub.clone(), wanted.stream_name());
                self.part = Part::Waits(wanted, Box::pin(async move { hub.headers(&name).await }));
            }
            Event::Unpublish => {
                if let Part::Publishes(publishing) = std::mem::replace(&mut self.part, Part::None) {
                    self.ended(publishing, "ends");
                }
            }
            Event::Stop => {
                let Part::Reads(reader, _) = std::mem::replace(&mut self.part, Part::None) else {
                    return Ok(());
                };
                reader.pause();
                // Behind a frame that is half sent nothing can be read.
                if !reader.drained() {
                    return Err(End::Gone);
                }
                self.describe_idle();
            }
            Event::Pause(pauses) => {
                // What is said about it stands before the next frame.
                self.send()?;
                if let Part::Reads(reader, _) = &self.part {
                    if pauses { reader.pause() } else { reader.play(Now::read()) }
                }
            }
            Event::Refused(denied) => return Err(self.refused(denied)),
            Event::Asked => {
                self.shared.has_asked(self.client.remote.ip());
                return Err(End::Goodbye);
            }
            Event::Close => return Err(End::Goodbye),
        }
        Ok(())
    }

    fn authorize(&mut self, mut request: Request) {
        request.caller.port = self.client.remote.port();
        let (authorizer, patience) = (self.shared.authorizer.clone(), self.shared.rules.authorization);
        let (action, application) = (request.action, request.application.clone());
        let answer = Box::pin(async move { auth::ask(&*authorizer, request, patience).await });
        self.part = Part::Asks(action, application, answer);
    }

    fn refused(&self, denied: Denied) -> End {
        let address = self.client.remote.ip();
        self.shared.log.warn(format_args!("rtmp: {} refused: {denied}", self.client.remote));
        match denied {
            Denied::Wrong | Denied::WrongKey | Denied::UnknownKey | Denied::Refused(_) => {
                if denied.counts(address) {
                    self.shared.ledger().failed(address, self.shared.age());
                }
                self.shared.hub.registry().broke("auth_failures");
                return End::Slowly;
            }
            Denied::NeedsCredentials(_) => self.shared.ask_next(address),
            Denied::ShutOut => self.shared.hub.registry().broke("auth_shut_out"),
            Denied::Late => self.shared.hub.registry().broke("auth_time"),
            Denied::Outside | Denied::NeedsKey | Denied::Because(_) => {}
        }
        End::Goodbye
    }

    fn publish(&mut self, wanted: StreamRequest) {
        let now = Now::read();
        let remote = self.client.remote;
        if let Err(refused) = self.place.settle(Role::Publish) {
            self.shared.hub.registry().broke(refused.limit());
            self.shared.log.warn(format_args!("rtmp: {remote} may not publish {}: {refused}", wanted.name));
            return self.session.refuse_publish(&wanted, &refused.to_string());
        }
        match self.shared.hub.publish(&wanted.stream_name(), &self.client, now) {
            Ok(publisher) => {
                self.shared.log.info(format_args!("rtmp: {remote} publishes {}", wanted.name));
                self.describe(Role::Publish, &wanted);
                self.session.published(&wanted, self.age());
                self.part = Part::Publishes(Box::new(Publishing {
                    publisher,
                    ingest: Ingest::default(),
                    name: wanted.name,
                    buffer: vec![0; PUBLISHER_READ],
                    steps: Vec::new(),
                }));
            }
            Err(refused) => {
                self.shared
                    .log
                    .warn(format_args!("rtmp: {remote} may not publish {}: {refused}", wanted.name));
                self.session.refuse_publish(&wanted, &refused.to_string());
            }
        }
    }

    fn play(&mut self, wanted: StreamRequest, headers: Option<Headers>) {
        let now = Now::read();
        if let Err(refused) = self.place.settle(Role::Read) {
            self.shared.hub.registry().broke(refused.limit());
            return self.session.not_found(&wanted, &refused.to_string(), self.age());
        }
        let subscribed = headers.and_then(|_| {
            let outlet = Outlet::Stream(Arc::new(ConnectionSink(self.socket.clone())));
            let make = |tracks: &Tracks| Box::new(Egress::new(wanted.stream, tracks)) as Box<dyn hub::Format>;
            let key = egress::key(wanted.stream);
            self.shared.hub.subscribe(&wanted.stream_name(), &self.client, key, make, outlet, now).ok()
        });
        let Some(reader) = subscribed else {
            return self.session.not_found(&wanted, "nobody publishes this name", self.age());
        };
        self.shared.log.info(format_args!("rtmp: {} reads {}", self.client.remote, wanted.name));
        self.describe(Role::Read, &wanted);
        self.session.playing(&wanted);
        // From here on everything goes through the hub, so that it stands between frames and not inside them.
        let mut words = std::mem::take(&mut self.out);
        words.extend_from_slice(&self.session.output());
        reader.say(Bytes::from(words), now);
        reader.play(now);
        self.part = Part::Reads(reader, wanted);
    }

    fn describe(&self, role: Role, wanted: &StreamRequest) {
        self.client.describe(|d| {
            d.role = role;
            d.name.clone_from(&wanted.name);
            d.query.clone_from(&wanted.query);
            d.user.clone_from(&wanted.user);
        });
    }

    fn describe_idle(&self) {
        self.client.describe(|d| {
            d.role = Role::Idle;
            d.name.clear();
        });
    }

    fn media(&mut self, message: Message) -> Result<(), End> {
        let age = self.age();
        let Part::Publishes(publishing) = &mut self.part else { return Ok(()) };
        self.client.counters.timestamp_ms.store(message.timestamp.into(), Ordering::Relaxed);
        let taken = publishing.ingest.take(message, age, &mut publishing.steps);
        let remote = self.client.remote;
        publishing.hand_over(&self.shared.log, remote);
        if let Err(error) = taken {
            self.shared.log.warn(format_args!("rtmp: {remote} may not publish {}: {error}", publishing.name));
            self.session.reject_stream(&error.to_string());
            return Err(End::Goodbye);
        }
        Ok(())
    }

    /// Frees the name and tells the readers.
    fn ended(&self, mut publishing: Box<Publishing>, how: &str) {
        publishing.finish(&self.shared.log, self.client.remote);
        let Publishing { publisher, name, .. } = *publishing;
        publisher.flush(Now::read());
        publisher.end();
        self.shared.log.info(format_args!("rtmp: {} {how} {name}", self.client.remote));
        self.describe_idle();
    }

    /// Ends the connection.
    async fn leave(mut self, end: End, shutdown: &mut watch::Receiver<bool>) {
        let remote = self.client.remote;
        let read = matches!(self.part, Part::Reads(..));
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Publishes(publishing) => match &end {
                // The stream itself was ended, by its publisher's doing or by order.
                End::Goodbye | End::Sent(_) => self.ended(publishing, "no longer publishes"),
                _ => {
                    let log = &self.shared.log;
                    log.warn(format_args!("rtmp: {remote} has gone and left {}", publishing.name));
                    // Its readers wait for it to come back.
                    drop(publishing);
                }
            },
            Part::Reads(reader, wanted) => {
                if let End::Ended(ReaderEnd::Unpublished | ReaderEnd::Lost | ReaderEnd::Reconfigured(_))
                | End::Sent(_)
                | End::Goodbye = &end
                {
                    if !matches!(end, End::Goodbye) {
                        self.session.unpublished(&wanted);
                    }
                    reader.pause();
                    reader.say(self.session.output().into(), Now::read());
                    let _ = timeout(FAREWELL, drained(&reader, &self.socket)).await;
                }
                self.shared.log.info(format_args!("rtmp: {remote} no longer reads {}", wanted.name));
            }
            Part::None | Part::Asks(..) | Part::Waits(..) => {}
        }
        let sent = matches!(end, End::Sent(_));
        match end {
            End::Gone => {
                if !read {
                    self.parting.be_patient();
                }
                return;
            }
            End::Broken(error) => {
                self.shared.log.warn(format_args!("rtmp: {remote} is closed: {error}"));
                if let Some(limit) = error.limit() {
                    self.shared.hub.registry().broke(limit);
                }
                if read || error == SessionError::Unread {
                    // It may stand in the middle of a frame, or takes nothing anyway.
                    return self.parting.reset();
                }
                self.session.close_because(&error);
            }
            End::Ended(ReaderEnd::TooSlow) => {
                self.shared.hub.registry().broke("reader_progress");
                self.shared.log.warn(format_args!("rtmp: {remote} is closed: it does not read"));
                return self.parting.reset();
            }
            End::Ended(ReaderEnd::Broken) => return self.parting.reset(),
            End::Sent(why) => self.shared.log.info(format_args!("rtmp: {remote} is closed: {why}")),
            End::Slowly => {
                let [a, b, c, d, ..] = self.shared.seed();
                let wait = pause(u32::from_be_bytes([a, b, c, d]));
                let _ = timeout(wait, shutdown.wait_for(|down| *down)).await;
            }
            End::Goodbye | End::Ended(_) | End::Elsewhere(_) => {}
        }
        let mut words = std::mem::take(&mut self.out);
        words.extend_from_slice(&self.session.output());
        // Whoever needs the place does not wait for it.
        tokio::select! {
            () = parting::say(&self.socket, &words) => {}
            _ = self.client.leaves(), if !sent => {}
        }
    }
}

impl accepting::Connection for Connection {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) -> Option<(Worker, Connection)> {
        match self.converse(&mut shutdown).await {
            End::Elsewhere(worker) => {
                self.worker = worker;
                return Some((worker, self));
            }
            end => self.leave(end, &mut shutdown).await,
        }
        None
    }

    async fn take_over(&mut self) -> io::Result<()> {
        self.socket = Arc::new(taken_over(&self.socket).await?);
        self.parting.follow(self.socket.clone());
        Ok(())
    }
}

/// What the hub, or who decides, tells a connection.
enum News {
    Reader(hub::Wake),
    Headers(Option<Headers>),
    Authorized(Result<Grant, Denied>),
}

async fn news(part: &mut Part) -> News {
    match part {
        Part::Reads(reader, _) => News::Reader(reader.event().await),
        Part::Waits(_, headers) => News::Headers(headers.await),
        Part::Asks(_, _, answer) => News::Authorized(answer.await),
        Part::None | Part::Publishes(_) => pending().await,
    }
}

/// Waits until a reader's socket has taken all that was in line for it.
async fn drained(reader: &Reader, socket: &TcpStream) {
    while !reader.drained() && socket.writable().await.is_ok() {
        reader.flush(Now::read());
    }
}
