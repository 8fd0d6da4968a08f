//! One RTSP connection: its socket, its dialog, and its part in the hub.
//!
//! A publisher's task carries frames to the readers' sockets itself (see the hub); a reader's task only reads what its
//! peer says, and helps when the socket is full.

use super::Shared;
use super::publishing::{Publishes, datagram};
use super::reading::Reads;
use crate::base::clock::Now;
use crate::hub::registry::{add, get};
use crate::hub::{self, Client, Over, Role};
use crate::protocol::RTSP_SESSION;
use crate::protocol::access::{Action, Denied, pause};
use crate::protocol::admission::Place as Seat;
use crate::protocol::rtsp::session::server::{Answer, Ask, Dialog, Login, Step, Surroundings};
use crate::protocol::rtsp::udp::{Datagram, ReaderLink, Side};
use crate::protocol::rtsp::wire::{Place, Status};
use bytes::{Bytes, BytesMut};
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until, timeout};
use uuid::Uuid;

/// What one read of a publisher's socket takes.
const PUBLISHER_READ: usize = 64 << 10;
/// What one read of any other takes: they say little.
const READ: usize = 4 << 10;
/// Answers that may wait for a peer that does not read.
const MOST_UNSENT: usize = 256 << 10;
/// What is taken of a peer that goes on talking after its last answer.
const MOST_LEFT_OVER: usize = 1 << 20;
/// For a peer to take the last answer and close.
const LINGER: Duration = Duration::from_secs(1);
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
    /// What is to be said has been put out; then it ends.
    Goodbye,
    /// Somebody wants it to leave, or the server ends.
    Sent(&'static str),
    /// A reader's stream is over.
    Over(Over),
    /// A publisher said nothing for too long.
    Silent,
    /// Nobody said anything for too long.
    Idle,
}

type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// See the module.
pub struct Connection {
    shared: Arc<Shared>,
    socket: Arc<TcpStream>,
    client: Arc<Client>,
    session: Option<Arc<Client>>,
    seat: Seat,
    dialog: Dialog,
    nonce: String,
    /// The user that was allowed to read, empty where nobody was asked.
    user: String,
    part: Part,
    /// The answer to the dialog's question, where it takes a while.
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
    /// The last sign of life, and how many reports had come by datagram then.
    alive: Instant,
    signs: u64,
    reported: Instant,
    /// Bytes that the session's packets added to the connection.
    carried: (u64, u64),
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(shared: Arc<Shared>, socket: TcpStream, client: Arc<Client>, seat: Seat) -> io::Result<Self> {
        let nonce = Uuid::new_v4().simple().to_string();
        let around = Surroundings {
            local: socket.local_addr()?.ip(),
            ports: shared.udp.as_ref().map(|udp| udp.ports()),
            nonce: nonce.clone(),
            session: Uuid::new_v4().simple().to_string(),
        };
        let now = Instant::now();
        Ok(Connection {
            shared,
            socket: Arc::new(socket),
            client,
            session: None,
            seat,
            dialog: Dialog::new(around),
            nonce,
            user: String::new(),
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

    /// Serves it to its end.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let end = self.converse(&mut shutdown).await;
        self.leave(end).await;
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
            let step = tokio::select! {
                ready = self.socket.readable(), if self.pending.is_none() => match ready {
                    Ok(()) => self.read(),
                    Err(_) => Err(End::Gone),
                },
                ready = self.socket.writable(), if full => match ready {
                    Ok(()) => self.unblock(),
                    Err(_) => Err(End::Gone),
                },
                event = news(reads) => self.hear(event),
                first = datagram(publishes) => self.datagrams(first),
                answer = answered(&mut self.pending) => self.answered(answer),
                () = gone(link) => self.vanished(),
                () = timer.as_mut() => self.tick(),
                () = kicked(&self.client, self.session.as_ref()) => Err(End::Sent("it was asked to leave")),
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
            return Err(End::Gone);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), End> {
        let room = if matches!(self.part, Part::Publishes(_)) { PUBLISHER_READ } else { READ };
        let buffer = self.dialog.buffer();
        buffer.reserve(room);
        match self.socket.try_read_buf(buffer) {
            Ok(0) => Err(End::Gone),
            Ok(read) => {
                add(&self.client.counters.bytes_in, read as u64);
                if let (Some(session), Part::Publishes(_)) = (&self.session, &self.part) {
                    add(&session.counters.bytes_in, read as u64);
                }
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(_) => Err(End::Gone),
        }
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

    fn hear(&mut self, event: hub::Event) -> Result<(), End> {
        match event {
            hub::Event::Over(why) => return Err(End::Over(why)),
            hub::Event::Blocked => self.blocked = true,
            hub::Event::Later => self.later = Instant::now().checked_add(BURST_PAUSE),
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

    // ---- questions of the dialog

    fn ask(&mut self, ask: Ask, now: Now) {
        let answer = match ask {
            Ask::Read(place, login) => return self.ask_to_read(place, &login),
            Ask::Publish(place, login, described) => match self.login(Action::Publish, &login) {
                Ok(()) => self.publish(&place, described, &login, now),
                Err(denied) => return self.deny(denied),
            },
            Ask::Open(place) => {
                let user = self.user.clone();
                self.open(&place, Role::Idle, &user, now)
            }
            Ask::Play(place, reading) => self.play(&place, &reading, now),
            Ask::Pause => {
                if let Part::Reads(reads) = &self.part {
                    reads.reader.pause();
                }
                Answer::Done
            }
            Ask::Record(ways) => self.record(ways, now),
            Ask::Leave => self.teardown(),
        };
        self.dialog.answer(answer);
        // A session says how it is carried as soon as its first track is set up, as MediaMTX's does.
        if let (Some(session), Some(interleaved)) = (&self.session, self.dialog.interleaved()) {
            session.describe(|d| d.transport = Some(if interleaved { "TCP" } else { "UDP" }));
        }
    }

    fn login(&self, action: Action, login: &Login) -> Result<(), Denied> {
        let shared = &self.shared;
        let remote = self.client.remote.ip();
        if shared.access.credentials(action).is_some() && shared.ledger().shut_out(remote, shared.age()) {
            return Err(Denied::ShutOut);
        }
        let Some(shown) = &login.shown else { return shared.access.check(action, remote, None) };
        match shared.access.credentials(action) {
            None => shared.access.check(action, remote, None),
            Some(wanted) if shown.fits(wanted, &login.method, &self.nonce) => Ok(()),
            Some(_) => Err(Denied::Wrong),
        }
    }

    fn deny(&mut self, denied: Denied) {
        let remote = self.client.remote;
        let reason = denied.to_string();
        match denied {
            Denied::NeedsCredentials(_) => self.dialog.answer(Answer::Refused(Status::UNAUTHORIZED, reason)),
            Denied::Wrong => {
                self.shared.ledger().failed(remote.ip(), self.shared.age());
                self.shared.hub.registry().broke("rtsp_authentication");
                self.shared.log.warn(format_args!("rtsp: {remote} showed a wrong user or password"));
                let wait = pause(Uuid::new_v4().as_fields().0);
                self.pending = Some(Box::pin(async move {
                    tokio::time::sleep(wait).await;
                    Answer::Refused(Status::UNAUTHORIZED, reason)
                }));
            }
            Denied::ShutOut | Denied::Outside => {
                if denied == Denied::ShutOut {
                    self.shared.hub.registry().broke("rtsp_authentication_attempts");
                }
                self.dialog.answer(Answer::Dismissed(Status::FORBIDDEN, reason));
            }
        }
    }

    fn ask_to_read(&mut self, place: Place, login: &Login) {
        if let Err(denied) = self.login(Action::Read, login) {
            return self.deny(denied);
        }
        self.user = login.shown.as_ref().map_or_else(String::new, |s| s.user().to_string());
        let hub = self.shared.hub.clone();
        self.pending = Some(Box::pin(async move {
            match hub.headers(&place.name).await {
                Some(headers) => Answer::Tracks(headers.tracks),
                None => Answer::Refused(Status::NOT_FOUND, "nobody publishes this stream".into()),
            }
        }));
    }

    fn answered(&mut self, answer: Answer) -> Result<(), End> {
        self.pending = None;
        self.dialog.answer(answer);
        Ok(())
    }

    /// Begins a session of this connection.
    fn open(&mut self, place: &Place, role: Role, user: &str, now: Now) -> Answer {
        let registry = self.shared.hub.registry();
        if !self.shared.has_room(self.client.remote.ip()) {
            registry.broke("rtsp_sessions_per_address");
            let reason = "there are too many sessions from this address";
            return Answer::Refused(Status::NOT_ENOUGH_BANDWIDTH, reason.into());
        }
        let session = registry.enter(RTSP_SESSION, self.client.remote, now.mono, now.wall_ms);
        self.client.describe(|d| {
            d.linked = vec![session.id];
            d.agent = self.dialog.agent().to_string();
        });
        session.describe(|d| {
            d.role = role;
            d.name.clone_from(&place.name);
            d.application.clone_from(&place.application);
            d.query.clone_from(&place.query);
            d.user = user.to_string();
            d.agent = self.dialog.agent().to_string();
            d.linked = vec![self.client.id];
        });
        self.session = Some(session);
        Answer::Done
    }

    fn publish(
        &mut self,
        place: &Place,
        described: Vec<crate::protocol::rtsp::wire::sdp_read::Described>,
        login: &Login,
        now: Now,
    ) -> Answer {
        let user = login.shown.as_ref().map_or("", |s| s.user()).to_string();
        match self.open(place, Role::Publish, &user, now) {
            Answer::Done => {}
            refused => return refused,
        }
        let Some(session) = self.session.clone() else { return Answer::Done };
        match self.shared.hub.publish(&place.name, &session, now) {
            Ok(publisher) => {
                self.part = Part::Publishes(Box::new(Publishes::new(publisher, described, now)));
                self.seat.settle();
                let (remote, name) = (self.client.remote, &place.name);
                self.shared.log.info(format_args!("rtsp: {remote} publishes {name}"));
                Answer::Done
            }
            Err(refused) => {
                self.end_session();
                let status = match refused {
                    hub::Refused::Taken => Status::FORBIDDEN,
                    hub::Refused::Full => Status::UNAVAILABLE,
                };
                Answer::Refused(status, refused.to_string())
            }
        }
    }

    fn record(&mut self, ways: crate::protocol::rtsp::session::Tracked, now: Now) -> Answer {
        let (Part::Publishes(publishes), Some(session)) = (&mut self.part, &self.session) else {
            return Answer::Refused(Status::NOT_VALID_IN_THIS_STATE, "nothing was announced".into());
        };
        if publishes.record(&self.shared, session, ways, now) {
            Answer::Done
        } else {
            let reason = "these ports belong to another publisher";
            Answer::Refused(Status::UNSUPPORTED_TRANSPORT, reason.into())
        }
    }

    fn play(
        &mut self,
        place: &Place,
        reading: &crate::protocol::rtsp::session::server::Reading,
        now: Now,
    ) -> Answer {
        let Some(session) = self.session.clone() else {
            return Answer::Refused(Status::SESSION_NOT_FOUND, "there is no session".into());
        };
        if !matches!(self.part, Part::Reads(_)) {
            // Tracks that were described long ago may be others by now.
            if now_tracks(&self.shared.hub, &place.name).is_some_and(|tracks| tracks != reading.tracks) {
                self.end_session();
                let reason = "the stream has changed since it was described";
                return Answer::Refused(Status::NOT_VALID_IN_THIS_STATE, reason.into());
            }
            match Reads::begin(&self.shared, &session, &self.socket, place, reading, now) {
                Ok(reads) => {
                    let transport = if reads.interleaved() { "TCP" } else { "UDP" };
                    session.describe(|d| d.role = Role::Read);
                    self.part = Part::Reads(Box::new(reads));
                    self.seat.settle();
                    let (remote, name) = (self.client.remote, &place.name);
                    self.shared.log.info(format_args!("rtsp: {remote} reads {name} over {transport}"));
                }
                Err(refused) => {
                    self.end_session();
                    return refused;
                }
            }
        }
        self.begin_playing = true;
        self.vanished = None;
        match &self.part {
            Part::Reads(reads) => Answer::Playing(reads.starts(now)),
            _ => Answer::Playing(Vec::new()),
        }
    }

    fn teardown(&mut self) -> Answer {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Publishes(publishes) => {
                publishes.publisher.end();
                self.end_session();
            }
            Part::Reads(reads) if reads.interleaved() => {
                // Its last packet may have left by half: the answer comes behind it.
                reads.reader.pause();
                self.part = Part::Reads(reads);
                self.leaving = true;
            }
            Part::Reads(_) | Part::None => self.end_session(),
        }
        Answer::Done
    }

    fn end_session(&mut self) {
        self.count_carried();
        self.part = Part::None;
        self.session = None;
        self.leaving = false;
        self.blocked = false;
        self.later = None;
        self.vanished = None;
        self.carried = (0, 0);
        self.client.describe(|d| d.linked.clear());
    }

    // ---- time

    /// The earliest moment at which something is due.
    fn due(&self) -> Instant {
        let limits = &self.shared.limits;
        let after = |at: Instant, wait: Duration| at.checked_add(wait).unwrap_or(at);
        let mut due = after(self.alive, limits.idle);
        if let Some(since) = self.partial {
            due = due.min(after(since, limits.message));
        }
        if let Part::Publishes(publishes) = &self.part {
            due = due.min(after(publishes.heard, limits.silence)).min(after(self.reported, limits.reports));
        }
        if let Some(later) = self.later {
            due = due.min(later);
        }
        if let Some(since) = self.vanished {
            due = due.min(after(since, limits.vanished));
        }
        due
    }

    /// Sets the timer. It is let run into the past and then set again: a publisher's deadline moves with every packet.
    fn wind(&self, timer: Pin<&mut Sleep>) {
        let due = tokio::time::Instant::from_std(self.due());
        if timer.is_elapsed() || due < timer.deadline() {
            timer.reset(due);
        }
    }

    fn tick(&mut self) -> Result<(), End> {
        let now = Now::read();
        let limits = self.shared.limits;
        let passed = |since: Instant, wait: Duration| now.mono.saturating_duration_since(since) >= wait;
        if self.later.is_some_and(|later| now.mono >= later) {
            self.later = None;
            if let Part::Reads(reads) = &self.part {
                reads.reader.flush(now);
            }
        }
        if let Part::Reads(reads) = &self.part
            && let Some(signs) = reads.link().map(|link| link.signs())
            && signs != self.signs
        {
            // Reports by datagram: the latest of them came since the last look, which is near enough.
            (self.signs, self.alive) = (signs, now.mono);
        }
        self.count_carried();
        if let Part::Publishes(publishes) = &mut self.part {
            if passed(publishes.heard, limits.silence) {
                self.shared.hub.registry().broke("publish_silence");
                return Err(End::Silent);
            }
            if passed(self.reported, limits.reports) {
                self.reported = now.mono;
                if let Some(session) = &self.session {
                    let bytes = publishes.report(&self.shared, session, now);
                    self.out.extend_from_slice(&bytes);
                }
            }
        }
        if self.partial.is_some_and(|since| passed(since, limits.message)) && !self.closing {
            let reason = "the request did not come in time";
            self.dialog.dismiss(Status::REQUEST_TIMEOUT, reason, Some("rtsp_message_time"));
            return Ok(());
        }
        if self.vanished.is_some_and(|since| passed(since, limits.vanished)) {
            return Err(End::Gone);
        }
        if passed(self.alive, limits.idle) {
            self.shared.hub.registry().broke("rtsp_idle");
            return Err(End::Idle);
        }
        Ok(())
    }

    /// Adds to the connection what its session's packets added to it.
    fn count_carried(&mut self) {
        let Some(session) = &self.session else { return };
        if let Part::Reads(reads) = &self.part
            && reads.interleaved()
        {
            let sent = get(&session.counters.bytes_out);
            add(&self.client.counters.bytes_out, sent.saturating_sub(self.carried.1));
            self.carried.1 = sent;
        }
    }

    // ---- the end

    async fn leave(mut self, end: End) {
        let now = Now::read();
        let remote = self.client.remote;
        let log = self.shared.log.clone();
        match &end {
            End::Gone | End::Goodbye => log.debug(format_args!("rtsp: {remote} has gone")),
            End::Sent(why) => log.info(format_args!("rtsp: {remote} leaves: {why}")),
            End::Over(why) => log.info(format_args!("rtsp: {remote} is ended: {why:?}")),
            End::Silent => log.warn(format_args!("rtsp: {remote} publishes nothing any more")),
            End::Idle => log.info(format_args!("rtsp: {remote} gave no sign of life")),
        }
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Reads(reads) => {
                let tells = matches!(
                    end,
                    End::Sent(_) | End::Over(Over::Unpublished | Over::Reconfigured | Over::Lost)
                );
                if tells {
                    reads.reader.pause();
                    if let Some(session) = &self.session {
                        reads.say_goodbye(&self.shared, session, now);
                    }
                }
                if tells || matches!(end, End::Goodbye) {
                    let farewell = drain(&reads, &self.socket);
                    let _ = timeout(self.shared.limits.farewell, farewell).await;
                }
                self.part = Part::Reads(reads);
                self.count_carried();
            }
            // Its connection broke, it fell silent, or it was sent away: readers wait for its return.
            Part::Publishes(publishes) => drop(publishes),
            Part::None => {}
        }
        if !matches!(end, End::Gone) {
            let _ = timeout(LINGER, self.send_rest()).await;
        }
    }

    /// Sends what waits, tells the peer that there is no more, and lets it take it: a socket closed over bytes that it
    /// has not read would take back what was sent.
    async fn send_rest(&mut self) {
        while !self.out.is_empty() {
            if self.socket.writable().await.is_err() || self.send().is_err() {
                return;
            }
        }
        if nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&*self.socket),
            nix::sys::socket::Shutdown::Write,
        )
        .is_err()
        {
            return;
        }
        let (mut rest, mut taken) = ([0; 4096], 0);
        while taken < MOST_LEFT_OVER && self.socket.readable().await.is_ok() {
            match self.socket.try_read(&mut rest) {
                Ok(0) => return,
                Ok(n) => taken = taken.saturating_add(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Lets a reader take what stands in line for it.
async fn drain(reads: &Reads, socket: &TcpStream) {
    while !reads.reader.drained() {
        if socket.writable().await.is_err() {
            return;
        }
        reads.reader.flush(Now::read());
        tokio::task::yield_now().await;
    }
}

/// The tracks of a stream, if they are there now.
fn now_tracks(hub: &hub::Hub, name: &str) -> Option<crate::media::Tracks> {
    let headers = std::pin::pin!(hub.headers(name));
    match headers.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(headers) => headers.map(|h| h.tracks),
        Poll::Pending => None,
    }
}

/// What the hub has to say to a reader.
async fn news(reads: Option<&Reads>) -> hub::Event {
    match reads {
        Some(reads) => reads.reader.event().await,
        None => pending().await,
    }
}

async fn answered(pending: &mut Option<Pending>) -> Answer {
    match pending {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}

async fn gone(link: Option<Arc<ReaderLink>>) {
    match link {
        Some(link) => link.gone().await,
        None => pending().await,
    }
}

/// Connection or session were asked to leave.
async fn kicked(client: &Client, session: Option<&Arc<Client>>) {
    match session {
        Some(session) => {
            tokio::select! {
                () = client.kicked() => {}
                () = session.kicked() => {}
            }
        }
        None => client.kicked().await,
    }
}
