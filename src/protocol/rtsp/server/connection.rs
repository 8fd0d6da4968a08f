//! One RTSP connection: its socket, its dialog, and its part in the hub.
//!
//! A publisher's task carries frames to the readers' sockets itself (see the hub); a reader's task only reads what its
//! peer says, and helps when the socket is full.

mod asking;
mod leaving;
mod timing;
mod tunnel;

use super::Shared;
use super::publishing::{Publishes, datagram};
use super::reading::Reads;
use super::tunnels::Lower;
use crate::auth::{Action, Demand, Denied, Grant};
use crate::base::clock::Now;
use crate::hub::client::add;
use crate::hub::{self, Client, Leaves, ReaderEnd, Worker};
use crate::protocol::accepting;
use crate::protocol::admission::Permit;
use crate::protocol::parting::Parting;
use crate::protocol::rtp::sdp_read::Described;
use crate::protocol::rtsp::session::server::{Answer, Dialog, Step, Surroundings};
use crate::protocol::rtsp::udp::{Datagram, ReaderLink, Side};
use crate::protocol::rtsp::wire::StreamPath;
use crate::protocol::workers::taken_over;
use bytes::{Bytes, BytesMut};
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep_until;
use uuid::Uuid;

/// What one read of a publisher's socket takes.
const PUBLISHER_READ: usize = 64 << 10;
/// What one read of any other takes: they say little.
const READ: usize = 4 << 10;
/// Answers that may wait for a peer that does not read.
const MOST_UNSENT: usize = 256 << 10;
/// Between two datagram bursts of a reader that catches up.
const BURST_PAUSE: Duration = Duration::from_millis(4);

/// What the session of this connection does.
enum Part {
    /// Nothing, or nothing yet.
    None,
    /// It reads.
    Reads(Box<Reads>),
    /// It publishes.
    Publishes(Box<Publishes>),
}

/// Why a connection ends.
enum End {
    /// The peer has gone.
    Gone,
    /// The peer asks and does not read the answers.
    Unread,
    /// What is to be said has been put out; then it ends.
    Goodbye,
    /// Somebody wants it to leave, or the server ends.
    Sent(&'static str),
    /// A reader's stream is over.
    Ended(ReaderEnd),
    /// A publisher said nothing for too long.
    Silent,
    /// Nobody said anything for too long.
    Idle,
    /// It carries what another connection's client says, by this cookie.
    Up(String),
    /// It goes on with another worker.
    Elsewhere(Worker),
}

type Pending = Pin<Box<dyn Future<Output = Settled> + Send>>;

/// What was waited for.
enum Settled {
    /// The answer to the dialog.
    Answer(Answer),
    /// Whether this may be read.
    Read(StreamPath, Result<Grant, Denied>),
    /// Whether this may be published.
    Publish(StreamPath, Vec<Described>, Result<Grant, Denied>),
}

/// See the module.
pub struct Connection {
    shared: Arc<Shared>,
    socket: Arc<TcpStream>,
    parting: Parting,
    client: Arc<Client>,
    session: Option<Arc<Client>>,
    seat: Permit,
    /// Where it runs.
    worker: Worker,
    dialog: Dialog,
    /// What the client says comes through a tunnel, not by this socket.
    lower: Option<Lower>,
    nonce: String,
    /// The user that was allowed to read, empty where nobody was asked.
    user: String,
    /// Whether it is a program of this server's own.
    own: bool,
    /// The name that was shown last and granted, and the public one.
    granted: Option<(String, String)>,
    part: Part,
    /// What the answer to the dialog's question needs, where it takes a while.
    pending: Option<Pending>,
    out: BytesMut,
    /// PLAY has been granted; frames begin behind the answer.
    begin_playing: bool,
    /// TEARDOWN of a reader: it stays until its last packet has left whole.
    leaving: bool,
    /// The hub found the socket full.
    blocked: bool,
    /// Since when nobody listens where a reader's packets went.
    vanished: Option<Instant>,
    /// When datagrams go on for a reader that catches up.
    later: Option<Instant>,
    closing: bool,
    /// Since when the begin of a message waits for its end.
    partial: Option<Instant>,
    /// The last sign of life, and what a reader had reported (by datagram) or taken (through the connection) then.
    alive: Instant,
    signs: u64,
    reported: Instant,
    /// Bytes that the session's packets added to the connection.
    carried: (u64, u64),
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(
        shared: Arc<Shared>,
        socket: TcpStream,
        client: Arc<Client>,
        seat: Permit,
    ) -> io::Result<Self> {
        let nonce = Uuid::new_v4().simple().to_string();
        let around = Surroundings {
            local: socket.local_addr()?.ip(),
            ports: shared.udp.as_ref().map(|udp| udp.ports()),
            nonce: nonce.clone(),
            basic_only: [Action::Publish, Action::Read]
                .into_iter()
                .any(|action| shared.authorizer.demand(action) == Demand::Key),
            session: Uuid::new_v4().simple().to_string(),
            applications: shared.applications.clone(),
        };
        let now = Instant::now();
        let socket = Arc::new(socket);
        Ok(Connection {
            shared,
            parting: Parting::new(socket.clone()),
            socket,
            client,
            session: None,
            seat,
            worker: Worker::default(),
            dialog: Dialog::new(around),
            lower: None,
            nonce,
            user: String::new(),
            own: false,
            granted: None,
            part: Part::None,
            pending: None,
            out: BytesMut::new(),
            begin_playing: false,
            leaving: false,
            blocked: false,
            vanished: None,
            later: None,
            closing: false,
            partial: Some(now),
            alive: now,
            signs: 0,
            reported: now,
            carried: (0, 0),
        })
    }

    async fn converse(&mut self, shutdown: &mut watch::Receiver<bool>) -> End {
        let mut timer = std::pin::pin!(sleep_until(tokio::time::Instant::now()));
        loop {
            if let Err(end) = self.step() {
                return end;
            }
            self.wind(timer.as_mut());
            let full = self.blocked || !self.out.is_empty();
            let (reads, publishes) = match &mut self.part {
                Part::Reads(reads) => (Some(&**reads), None),
                Part::Publishes(publishes) => (None, Some(&mut **publishes)),
                Part::None => (None, None),
            };
            let link = reads.and_then(|r| r.link().cloned());
            let answers = self.pending.is_none();
            let keyframe = publishes.as_ref().map(|p| p.publisher.keyframe_wanted());
            let step = tokio::select! {
                ready = self.socket.readable(), if answers => match ready {
                    Ok(()) => self.read(),
                    Err(_) => Err(End::Gone),
                },
                piece = tunnel::heard(self.lower.as_mut()), if answers => self.heard(&piece),
                ready = self.socket.writable(), if full => match ready {
                    Ok(()) => self.unblock(),
                    Err(_) => Err(End::Gone),
                },
                event = news(reads) => self.hear(event),
                first = datagram(publishes) => self.datagrams(first),
                () = wanted(keyframe) => self.request_keyframe(),
                settled = settled(&mut self.pending) => self.settled(settled),
                () = gone(link) => self.vanished(),
                () = timer.as_mut() => self.tick(),
                leaves = leaves(&self.client, self.session.as_ref()) => Err(End::Sent(leaves.why())),
                _ = shutdown.wait_for(|down| *down) => Err(End::Sent("the server ends")),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Takes the steps of the dialog as far as they go, and sends what they say.
    fn step(&mut self) -> Result<(), End> {
        let mut packets = false;
        let now = Now::read();
        while let Some(step) = self.dialog.step() {
            self.partial = None;
            match step {
                Step::Say(bytes) => {
                    self.alive = now.mono;
                    self.say(bytes, now);
                }
                Step::Ask(ask) => {
                    self.alive = now.mono;
                    self.ask(*ask, now);
                }
                Step::Packet(channel, packet) => {
                    packets = true;
                    self.packet(channel.track, channel.rtcp, &packet, now);
                }
                Step::Stray => add(&self.client.counters.packets_in_error, 1),
                Step::Tunnel(tunnel) => self.tunnel(tunnel)?,
                Step::Refused { method, name, status, reason } => {
                    let (remote, name) = (self.client.remote, self.for_the_log(method, &name));
                    self.shared
                        .log
                        .info(format_args!("rtsp: {remote} was refused {method} {name}: {status}: {reason}"));
                }
                Step::Close(limit) => {
                    self.closing = true;
                    if let Some(limit) = limit {
                        self.shared.hub.registry().broke(limit);
                        let remote = self.client.remote;
                        self.shared.log.info(format_args!("rtsp: {remote} broke the limit {limit}"));
                    }
                }
            }
        }
        if self.dialog.is_partial() {
            self.partial.get_or_insert(now.mono);
        }
        if packets && let Part::Publishes(publishes) = &mut self.part {
            publishes.hand_over(now);
        }
        self.begin_playing(now);
        self.send()?;
        if self.leaving && matches!(&self.part, Part::Reads(reads) if reads.reader.drained()) {
            self.end_session();
        }
        if self.closing { Err(End::Goodbye) } else { Ok(()) }
    }

    fn begin_playing(&mut self, now: Now) {
        if std::mem::take(&mut self.begin_playing)
            && let Part::Reads(reads) = &self.part
        {
            reads.reader.play(now);
        }
    }

    /// Sends bytes of the dialog: between packets where there are packets.
    fn say(&mut self, bytes: Bytes, now: Now) {
        match &self.part {
            Part::Reads(reads) if reads.interleaved() => {
                if !self.out.is_empty() {
                    reads.reader.say(self.out.split().freeze(), now);
                }
                reads.reader.say(bytes, now);
            }
            _ => self.out.extend_from_slice(&bytes),
        }
    }

    /// Sends what the hub does not send, as far as the socket takes it.
    fn send(&mut self) -> Result<(), End> {
        while !self.out.is_empty() {
            match self.socket.try_write(&self.out) {
                Ok(sent) => {
                    add(&self.client.counters.bytes_out, sent as u64);
                    bytes::Buf::advance(&mut self.out, sent);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Gone),
            }
        }
        if self.out.len() > MOST_UNSENT {
            self.shared.hub.registry().broke("rtsp_unread_answers");
            return Err(End::Unread);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), End> {
        let room = if matches!(self.part, Part::Publishes(_)) { PUBLISHER_READ } else { READ };
        // The client of a tunnel says nothing here but that it goes.
        let mut nothing = BytesMut::new();
        let buffer = if self.lower.is_some() { &mut nothing } else { self.dialog.buffer() };
        buffer.reserve(room);
        match self.socket.try_read_buf(buffer) {
            Ok(0) => Err(End::Gone),
            Ok(read) => {
                self.took(read);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(_) => Err(End::Gone),
        }
    }

    /// A reader needs a keyframe.
    fn request_keyframe(&mut self) -> Result<(), End> {
        if let (Part::Publishes(publishes), Some(session)) = (&self.part, &self.session) {
            let bytes = publishes.request_keyframe(&self.shared, session);
            self.out.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn unblock(&mut self) -> Result<(), End> {
        self.blocked = false;
        if let Part::Reads(reads) = &self.part {
            reads.reader.flush(Now::read());
        }
        Ok(())
    }

    /// Nobody listens any more where the packets of this reader go. It gets none from now on; programs that close their
    /// ports before they take their leave still get the answer to that.
    fn vanished(&mut self) -> Result<(), End> {
        self.part = Part::None;
        self.later = None;
        self.vanished = Some(Instant::now());
        Ok(())
    }

    fn hear(&mut self, event: hub::Wake) -> Result<(), End> {
        match event {
            hub::Wake::Ended(why) => return Err(End::Ended(why)),
            hub::Wake::Blocked => self.blocked = true,
            hub::Wake::Later => self.later = Instant::now().checked_add(BURST_PAUSE),
        }
        Ok(())
    }

    /// A packet that came through the connection.
    fn packet(&mut self, track: usize, rtcp: bool, packet: &Bytes, now: Now) {
        let Some(session) = &self.session else { return };
        match &mut self.part {
            Part::Publishes(publishes) => {
                let side = if rtcp { Side::Rtcp } else { Side::Rtp };
                publishes.take(track, side, packet, session, now);
                self.alive = now.mono;
            }
            Part::Reads(_) if rtcp && ReaderLink::report(session, packet) => self.alive = now.mono,
            _ => {}
        }
    }

    /// Datagrams of a publisher: this one and all that wait.
    fn datagrams(&mut self, first: Datagram) -> Result<(), End> {
        let (Part::Publishes(publishes), Some(session)) = (&mut self.part, &self.session) else {
            return Ok(());
        };
        let now = Now::read();
        let mut next = Some(first);
        while let Some(Datagram { track, side, packet }) = next {
            add(&session.counters.bytes_in, packet.len() as u64);
            publishes.take(track, side, &packet, session, now);
            next = publishes.mailbox.as_mut().and_then(|mailbox| mailbox.try_recv().ok());
        }
        self.alive = now.mono;
        publishes.hand_over(now);
        Ok(())
    }
}

impl accepting::Connection for Connection {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) -> Option<(Worker, Connection)> {
        match self.converse(&mut shutdown).await {
            End::Elsewhere(worker) => {
                self.worker = worker;
                return Some((worker, self));
            }
            End::Up(cookie) => self.carry(cookie, shutdown).await,
            end => self.leave(end).await,
        }
        None
    }

    async fn take_over(&mut self) -> io::Result<()> {
        self.socket = Arc::new(taken_over(&self.socket).await?);
        self.parting.follow(self.socket.clone());
        Ok(())
    }
}

/// What the hub has to say to a reader.
async fn news(reads: Option<&Reads>) -> hub::Wake {
    match reads {
        Some(reads) => reads.reader.event().await,
        None => pending().await,
    }
}

/// Waits until somebody wants a keyframe of what is published here.
async fn wanted(keyframe: Option<impl Future<Output = ()>>) {
    match keyframe {
        Some(keyframe) => keyframe.await,
        None => pending().await,
    }
}

async fn settled(pending: &mut Option<Pending>) -> Settled {
    match pending {
        Some(settled) => settled.await,
        None => std::future::pending().await,
    }
}

async fn gone(link: Option<Arc<ReaderLink>>) {
    match link {
        Some(link) => link.gone().await,
        None => pending().await,
    }
}

/// Connection or session have to leave.
async fn leaves(client: &Client, session: Option<&Arc<Client>>) -> Leaves {
    match session {
        Some(session) => {
            tokio::select! {
                leaves = client.leaves() => leaves,
                leaves = session.leaves() => leaves,
            }
        }
        None => client.leaves().await,
    }
}
