//! What runs WebRTC: on a thread of its own, so that encryption delays no other protocol, tasks read the socket, call
//! sessions when they want to be called, and bring the frames of ladders that are watched.

use super::converter::Converter;
use super::datagram::Outgoing;
use super::ending::Ending;
use super::foreign_audio::{self, Conversion, Listens};
use super::ladder::{Ladder, WARM};
use super::packing::Unit;
use super::peer::{Identity, Peer};
use super::sessions::{Names, Role, Sessions};
use super::socket::{AT_ONCE, Socket};
use super::totals::Totals;
use super::ways::Ways;
use crate::base::clock::Now;
use crate::hub::event::{Event, Heard};
use crate::hub::{self, FrameReader, Hub, Kind, OnAir, Policy};
use crate::model::{LadderName, StreamName};
use crate::telemetry::Log;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use str0m::net::Protocol;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Our own entries in the registry, which read for viewers.
const PACKER: Kind = Kind { name: "webrtc", connection: false };
/// How often everybody is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a ladder is kept without a publisher: who comes back within it goes on, on the same connections.
const KEPT: Duration = Duration::from_secs(60);
/// Sessions at once.
pub const MOST_SESSIONS: usize = 1000;
/// Sessions at once from one address.
pub const MOST_PER_ADDRESS: usize = 50;

/// After strangers' datagrams and no others the next ones are waited for so long, so that a flood of them is read in
/// batches: each wake-up costs far more than a datagram. Viewers' own are late by no more than this, and only then.
const REST: Duration = Duration::from_millis(3);

/// See the module.
pub struct Engine {
    hub: Hub,
    log: Log,
    socket: Socket,
    runtime: Handle,
    /// Who we are.
    pub identity: Identity,
    /// What makes Opus of audio that is not decoded here.
    converter: Converter,
    state: Mutex<Sessions>,
    ways: Ways,
    /// A session came that wants to be called.
    wake: Notify,
    /// Counts what became ready.
    ready: watch::Sender<u64>,
    shutdown: watch::Receiver<bool>,
}

impl Engine {
    /// One that serves this socket on `runtime`, until `shutdown` says so.
    pub fn new(
        hub: Hub,
        log: Log,
        socket: Socket,
        runtime: Handle,
        (identity, converter): (Identity, Converter),
        shutdown: watch::Receiver<bool>,
    ) -> Engine {
        Engine {
            hub,
            log,
            socket,
            runtime,
            identity,
            converter,
            state: Mutex::default(),
            ways: Ways::default(),
            wake: Notify::new(),
            ready: watch::Sender::new(0),
            shutdown,
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The ways to those who came over TCP.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// A datagram came over TCP. Whether it is one of a session.
    pub fn came_over_tcp(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        let known = self.change(|state, now| state.receive(Protocol::Tcp, from, Some(to), datagram, now));
        self.wake.notify_one();
        known
    }

    /// The streams.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Looks for the program that the audio of a ladder needs, so that a viewer can be told at once if there is none.
    pub async fn prepare_audio(&self, ladder: &LadderName) {
        if self.look(ladder, Ladder::needs_program) == Some(true)
            && let Err(why) = self.converter.found().await
        {
            self.change(|state, _| {
                if let Some(ladder) = state.ladders.get_mut(ladder) {
                    ladder.give_up_audio(&why);
                }
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, Sessions> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a ladder that is read.
    pub fn look<T>(&self, ladder: &LadderName, look: impl FnOnce(&Ladder) -> T) -> Option<T> {
        self.state().ladders.get(ladder).map(look)
    }

    /// Takes a session in.
    pub fn enter(&self, peer: Peer, role: Role, names: Names) {
        self.change(|state, now| state.enter(peer, role, names, now));
        self.wake.notify_one();
    }

    /// What all sessions have carried.
    pub fn totals(&self) -> Totals {
        self.state().totals()
    }

    /// The ICE name of the other end of the session with this key, if there is one.
    pub fn theirs(&self, key: &str) -> Option<String> {
        self.state().theirs(key).map(str::to_string)
    }

    /// Whether somebody publishes layers as renditions of this.
    pub fn has_layers_of(&self, ladder: &StreamName) -> bool {
        self.state().has_layers_of(ladder)
    }

    /// Ends the session with this key; `false` if there is none.
    pub fn end_by_key(&self, key: &str, why: Ending) -> bool {
        self.change(|state, now| match state.find(key) {
            Some(id) => {
                state.end(id, why, now);
                true
            }
            None => false,
        })
    }

    /// Changes something, and sends and says what comes of it.
    fn change<T>(&self, change: impl FnOnce(&mut Sessions, Instant) -> T) -> T {
        let (changed, outgoing, keyframes, ended) = {
            let mut state = self.state();
            let changed = change(&mut state, Instant::now());
            let outgoing: Vec<Outgoing> = std::mem::take(&mut state.outgoing);
            let keyframes = std::mem::take(&mut state.keyframes);
            (changed, outgoing, keyframes, std::mem::take(&mut state.ended))
        };
        let (over_tcp, over_udp): (Vec<_>, Vec<_>) =
            outgoing.into_iter().partition(|datagram| datagram.protocol == Protocol::Tcp);
        if !over_udp.is_empty() {
            self.socket.send(&over_udp);
        }
        for datagram in over_tcp {
            datagram.count(self.ways.send(datagram.to, &datagram.bytes));
        }
        for (client, why) in ended {
            let details = client.details();
            let what = if details.role == hub::Role::Publish { "ends" } else { "stops watching" };
            self.log.info(format_args!(
                "webrtc: {} {what} {}/{}: {}",
                client.remote,
                details.application,
                details.name,
                why.why()
            ));
        }
        for (ladder, label) in keyframes {
            let name =
                self.look(&ladder, |ladder| ladder.rendition(&label).map(|one| one.name.clone())).flatten();
            if let Some(name) = name {
                self.hub.request_keyframe(&name, Instant::now());
            }
        }
        changed
    }

    /// Reads the socket and calls sessions, until the server ends.
    pub async fn serve(self: Arc<Engine>) {
        let mut shutdown = self.shutdown.clone();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut buffer = vec![0; 2048];
        let mut rest: Option<Instant> = None;
        loop {
            let due = self.state().due();
            tokio::select! {
                readable = self.socket.readable(), if rest.is_none() => {
                    if readable.is_err() {
                        return;
                    }
                    if self.read(&mut buffer) {
                        rest = Instant::now().checked_add(REST);
                    }
                }
                () = until(rest), if rest.is_some() => rest = None,
                () = until(due) => self.change(Sessions::pass),
                _ = looks.tick() => self.change(Sessions::look),
                () = self.wake.notified() => {}
                _ = shutdown.wait_for(|down| *down) => break,
            }
            tokio::task::yield_now().await;
        }
        self.change(Sessions::end_all);
    }

    /// Whether nothing but strangers' datagrams came.
    fn read(&self, buffer: &mut [u8]) -> bool {
        let (strangers, known) = self.change(|state, now| {
            let (mut strangers, mut known) = (0_u32, false);
            for _ in 0..AT_ONCE {
                let Some((length, from)) = self.socket.read(buffer) else { break };
                let datagram = buffer.get(..length).unwrap_or(&[]);
                if state.receive(Protocol::Udp, from, None, datagram, now) {
                    known = true;
                } else {
                    strangers = strangers.saturating_add(1);
                }
            }
            (strangers, known)
        });
        for _ in 0..strangers {
            self.hub.registry().broke("webrtc_unknown_source");
        }
        strangers > 0 && !known
    }

    /// Reads a ladder from now on, if it is on the air, and waits until its renditions are known.
    pub async fn ready(self: &Arc<Engine>, name: &LadderName, patience: Duration) -> bool {
        if !self.follow(name) {
            return false;
        }
        let mut ready = self.ready.subscribe();
        let wait = async {
            loop {
                ready.borrow_and_update();
                match self.look(name, Ladder::is_ready) {
                    Some(true) => return true,
                    None => return false,
                    Some(false) => {}
                }
                if ready.changed().await.is_err() {
                    return false;
                }
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or(false)
    }

    fn follow(self: &Arc<Engine>, name: &LadderName) -> bool {
        let mut state = self.state();
        if let Some(ladder) = state.ladders.get_mut(name) {
            // Whoever asks is about to enter: it is not forgotten meanwhile.
            ladder.idle = ladder.idle.map(|_| Instant::now());
            return true;
        }
        if self.hub.on_air(name).is_empty() {
            return false;
        }
        state.ladders.insert(name.clone(), Ladder::unwatched(Instant::now()));
        let mut reading = Reading {
            engine: self.clone(),
            ladder: name.clone(),
            tasks: JoinSet::new(),
            names: BTreeMap::new(),
        };
        drop(state);
        self.runtime.spawn(async move { reading.run().await });
        true
    }
}

impl Listens for Engine {
    fn converter(&self) -> &Converter {
        &self.converter
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn hear(&self, ladder: &LadderName, units: &[Unit]) {
        self.change(|state, now| state.hear(ladder, units, now));
    }

    fn without_audio(&self, ladder: &LadderName, conversion: &Conversion, why: &str) {
        self.change(|state, _| {
            if let Some(ladder) = state.ladders.get_mut(ladder).filter(|_| conversion.is_wanted()) {
                ladder.give_up_audio(why);
            }
        });
    }
}

/// Waits until then; for ever, if that is never.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}

/// A ladder while it is read.
struct Reading {
    engine: Arc<Engine>,
    ladder: LadderName,
    tasks: JoinSet<StreamName>,
    /// Names that are read, and their labels.
    names: BTreeMap<StreamName, String>,
}

impl Reading {
    async fn run(&mut self) {
        let engine = self.engine.clone();
        let mut events = engine.hub.events().listen();
        let mut shutdown = engine.shutdown.clone();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut on_air = Instant::now();
        self.attach_all();
        loop {
            tokio::select! {
                heard = events.next() => match heard {
                    Heard::Event(event) => self.heard(&event),
                    Heard::Missed(_) => self.attach_all(),
                    Heard::Closed => return,
                },
                Some(ended) = self.tasks.join_next() => {
                    if let Ok(name) = ended {
                        self.names.remove(&name);
                        self.attach_all();
                    }
                }
                _ = looks.tick() => {
                    let now = Instant::now();
                    if !self.names.is_empty() {
                        on_air = now;
                    }
                    let cold = engine.look(&self.ladder, |ladder| {
                        ladder.idle.is_some_and(|since| now.saturating_duration_since(since) > WARM)
                    });
                    if cold != Some(false) || now.saturating_duration_since(on_air) > KEPT {
                        engine.change(|state, now| state.forget(&self.ladder, now));
                        return;
                    }
                }
                _ = shutdown.wait_for(|down| *down) => return,
            }
        }
    }

    fn heard(&mut self, event: &Event) {
        if let Event::Published { ladder, .. } | Event::Told { ladder } = event
            && *ladder == self.ladder
        {
            self.attach_all();
        }
    }

    /// Reads every rendition that is on the air and not read yet.
    fn attach_all(&mut self) {
        let hub = &self.engine.hub;
        for rendition in hub.on_air(&self.ladder) {
            if self.names.contains_key(&rendition.name) {
                self.engine.change(|state, _| {
                    if let Some(ladder) = state.ladders.get_mut(&self.ladder) {
                        ladder.keep_apart(&rendition.label, rendition.stranger);
                    }
                });
                continue;
            }
            let now = Now::read();
            let client = hub.registry().enter(PACKER, ([127, 0, 0, 1], 0).into(), now.mono, now.wall_ms);
            let Ok(reader) = hub.subscribe_frames(&rendition.name, &client, Policy::Live) else { continue };
            self.engine.change(|state, _| {
                if let Some(ladder) = state.ladders.get_mut(&self.ladder) {
                    ladder.expect(&rendition);
                }
            });
            self.names.insert(rendition.name.clone(), rendition.label.clone());
            let task = follow(self.engine.clone(), self.ladder.clone(), rendition, reader);
            self.tasks.spawn(task);
        }
    }
}

/// Brings the frames of one rendition, to the end of its stream.
async fn follow(
    engine: Arc<Engine>,
    ladder: LadderName,
    rendition: OnAir,
    mut reader: FrameReader,
) -> StreamName {
    let mut items = Vec::new();
    let mut known = false;
    while reader.next(&mut items).await.is_ok() {
        let begun = engine.change(|state, now| {
            state.media(&ladder, &rendition.label, &mut items, now);
            std::mem::take(&mut state.conversions)
        });
        for (ladder, conversion) in begun {
            engine.runtime.spawn(foreign_audio::convert(engine.clone(), ladder, conversion));
        }
        if !known {
            known = true;
            engine.ready.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
    engine.change(|state, _| {
        if let Some(ladder) = state.ladders.get_mut(&ladder) {
            ladder.leave(&rendition.label);
        }
    });
    engine.ready.send_modify(|count| *count = count.wrapping_add(1));
    rendition.name
}
