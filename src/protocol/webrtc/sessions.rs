//! All sessions behind one lock: by which address, name or key each is found, when each wants to be called, and what each
//! does with what happens. Each input is followed by a whole drain.

use super::datagram::{Carries, Outgoing, transport};
use super::ending::Ending;
use super::foreign_audio::Conversion;
use super::ladder::{Ladder, Made};
use super::packing::Unit;
use super::peer::{Happened, Peer};
use super::publishing::Publishes;
use super::totals::Totals;
use super::viewer::Viewer;
use crate::base::clock::Now;
use crate::hub::Client;
use crate::hub::client::{Ends, add};
use crate::hub::tap::Item;
use crate::model::{LadderName, StreamName};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::net::{DatagramSend, Protocol};

/// Sessions that never connect end after this.
pub const TO_CONNECT: Duration = Duration::from_secs(15);
/// A session whose other end says nothing for so long is over. Browsers check the connection every five seconds at most
/// (RFC 7675, 5.1).
pub const SILENT: Duration = Duration::from_secs(20);
/// Most addresses of one session; it may move from one network to another.
const MOST_ADDRESSES: usize = 16;

/// What a session is known by.
pub struct Names {
    /// Our ICE name, in the first datagram.
    pub ufrag: String,
    /// The other end's.
    pub theirs: String,
    /// What ends it over HTTP.
    pub key: String,
}

/// What a session is for.
pub enum Role {
    /// It gets media.
    Viewer(Box<Viewer>),
    /// It sends some.
    Publisher(Box<Publishes>),
}

impl Role {
    /// Its entry in the registry.
    pub fn client(&self) -> &Arc<Client> {
        match self {
            Role::Viewer(viewer) => &viewer.client,
            Role::Publisher(publishes) => &publishes.client,
        }
    }
}

/// One session.
pub struct Session {
    /// Its connection.
    pub peer: Peer,
    /// Who it is.
    pub role: Role,
    /// What ends it over HTTP.
    pub key: String,
    ufrag: String,
    theirs: String,
    /// Whether over TCP, and from where.
    addresses: Vec<(bool, SocketAddr)>,
    heard: Instant,
    due: Option<Instant>,
    /// Between which its media goes.
    ends: Option<Ends>,
}

impl Session {
    /// Notes in the registry between which addresses its media goes.
    fn tell_ends(&self) {
        if self.peer.connected && self.ends.is_some() {
            self.role.client().describe(|details| details.ends = self.ends);
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Sessions {
    next: u64,
    sessions: BTreeMap<u64, Session>,
    by_address: HashMap<(bool, SocketAddr), u64>,
    by_ufrag: HashMap<String, u64>,
    by_key: HashMap<String, u64>,
    due: BTreeSet<(Instant, u64)>,
    /// The ladders that are read.
    pub ladders: BTreeMap<LadderName, Ladder>,
    /// What is to be sent.
    pub outgoing: Vec<Outgoing>,
    /// Ladders and labels whose publishers are to be asked for a keyframe.
    pub keyframes: BTreeSet<(LadderName, String)>,
    /// Audio that programs shall convert.
    pub conversions: Vec<(LadderName, Conversion)>,
    /// Why a session ended, for the log.
    pub ended: Vec<(Arc<Client>, Ending)>,
    /// Of sessions that are over.
    over: Totals,
}

impl Sessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Takes a new one in.
    pub fn enter(
        &mut self,
        peer: Peer,
        role: Role,
        Names { ufrag, theirs, key }: Names,
        now: Instant,
    ) -> u64 {
        self.next = self.next.saturating_add(1);
        let id = self.next;
        if let Role::Viewer(viewer) = &role
            && let Some(ladder) = self.ladders.get_mut(&viewer.ladder)
        {
            ladder.come(id, viewer.hears());
        }
        self.by_ufrag.insert(ufrag.clone(), id);
        self.by_key.insert(key.clone(), id);
        let session = Session {
            peer,
            role,
            key,
            ufrag,
            theirs,
            addresses: Vec::new(),
            heard: now,
            due: None,
            ends: None,
        };
        self.sessions.insert(id, session);
        self.turn(id, now);
        id
    }

    /// The name that the other end of the session with this key gave itself.
    pub fn theirs(&self, key: &str) -> Option<&str> {
        self.sessions.get(&self.find(key)?).map(|session| session.theirs.as_str())
    }

    /// Whether somebody publishes layers as renditions of this.
    pub fn has_layers_of(&self, ladder: &StreamName) -> bool {
        let is_it = |session: &Session| matches!(&session.role, Role::Publisher(publishes) if publishes.ladder() == Some(ladder));
        self.sessions.values().any(is_it)
    }

    /// What all have carried.
    pub fn totals(&self) -> Totals {
        let mut totals = self.over.clone();
        for session in self.sessions.values() {
            totals.present(&session.role.client().counters, matches!(session.role, Role::Viewer(_)));
        }
        totals
    }

    /// The session with this key.
    pub fn find(&self, key: &str) -> Option<u64> {
        self.by_key.get(key).copied()
    }

    /// A datagram came. Whose it is, is known by where it comes from or, of a first one, by the name in it.
    pub fn receive(
        &mut self,
        protocol: Protocol,
        from: SocketAddr,
        to: Option<SocketAddr>,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let source = (protocol == Protocol::Tcp, from);
        let known = self.by_address.get(&source).copied();
        // A name goes before an address: a browser may open its next session from the same port.
        let named = super::ufrag::ours(datagram).map(|ufrag| self.by_ufrag.get(ufrag).copied());
        let Some(id) = named.unwrap_or(known) else { return false };
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        // Behind a NAT it came to an address that was not offered.
        let offered = &session.peer.offered;
        let to = to.filter(|to| offered.contains(to)).or_else(|| super::addresses::arrived_at(offered, from));
        let Some(to) = to else { return false };
        let counters = &session.role.client().counters;
        add(&counters.bytes_in, datagram.len() as u64);
        if Carries::of(datagram) == Carries::Rtcp {
            add(&counters.rtcp_in, 1);
        }
        if !session.peer.receive(protocol, from, to, datagram, now) {
            add(&session.role.client().counters.packets_in_error, 1);
            self.turn(id, now);
            return false;
        }
        session.heard = now;
        if known != Some(id) && session.addresses.len() < MOST_ADDRESSES {
            session.addresses.push(source);
            self.by_address.insert(source, id);
        }
        self.turn(id, now);
        true
    }

    /// When somebody wants to be called next.
    pub fn due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Calls those whose time has come.
    pub fn pass(&mut self, now: Instant) {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            if let Some(session) = self.sessions.get_mut(&id) {
                session.due = None;
                session.peer.pass(now);
            }
            self.turn(id, now);
        }
    }

    /// Looks at everybody: who never connected or is gone, and whether others than their renditions are better now.
    pub fn look(&mut self, now: Instant) {
        let passed = |at: Instant| now.saturating_duration_since(at);
        let mut over = Vec::new();
        let Sessions { sessions, ladders, .. } = self;
        for (id, session) in sessions.iter_mut() {
            if !session.peer.connected && passed(session.peer.created) > TO_CONNECT {
                over.push((*id, Ending::NeverConnected));
            } else if passed(session.heard) > SILENT {
                over.push((*id, Ending::Silent));
            } else if let Some(leaves) = session.role.client().leaves_by(now) {
                over.push((*id, Ending::Sent(leaves)));
            } else {
                session.tell_ends();
                let Session { peer, role, .. } = session;
                match role {
                    Role::Viewer(viewer) => {
                        if let Some(ladder) = ladders.get(&viewer.ladder) {
                            viewer.look(ladder, peer, now);
                        }
                    }
                    Role::Publisher(publishes) => publishes.hand_over(peer, Now::read()),
                }
            }
        }
        for (id, why) in over {
            self.end(id, why, now);
        }
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        for id in all {
            self.pass_one(id, now);
        }
    }

    fn pass_one(&mut self, id: u64, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.peer.pass(now);
        }
        self.turn(id, now);
    }

    /// Items of one rendition of a ladder.
    pub fn media(&mut self, name: &LadderName, label: &str, items: &mut Vec<Item>, now: Instant) {
        let mut written = BTreeSet::new();
        for item in items.drain(..) {
            let Sessions { sessions, ladders, .. } = self;
            let Some(ladder) = ladders.get_mut(name) else { return };
            let made = ladder.take(label, item);
            self.conversions.extend(ladder.begun.take().map(|begun| (name.clone(), begun)));
            let Some(made) = made else { continue };
            let mut changed = Vec::new();
            for id in &ladder.viewers {
                let Some(Session { peer, role: Role::Viewer(viewer), .. }) = sessions.get_mut(id) else {
                    continue;
                };
                let wrote = match &made {
                    Made::Video(unit) => viewer.video(label, unit, ladder, peer, now),
                    Made::Audio(units) => viewer.audio(units, ladder, peer, now),
                    Made::Broken => {
                        viewer.broken(label);
                        false
                    }
                    Made::Changed => {
                        let goes_on = ladder.rendition(label).is_some_and(|one| one.still_is(viewer.codec));
                        if viewer.current() == Some(label) && !goes_on {
                            changed.push(*id);
                        }
                        false
                    }
                };
                if wrote {
                    written.insert(*id);
                }
            }
            for id in changed {
                self.end(id, Ending::OtherCodecs, now);
            }
        }
        for id in written {
            self.pass_one(id, now);
        }
    }

    /// Audio of a ladder that was made elsewhere.
    pub fn hear(&mut self, name: &LadderName, units: &[Unit], now: Instant) {
        let Sessions { sessions, ladders, .. } = self;
        let Some(ladder) = ladders.get(name) else { return };
        let mut written = Vec::new();
        for id in &ladder.viewers {
            if let Some(Session { peer, role: Role::Viewer(viewer), .. }) = sessions.get_mut(id)
                && viewer.audio(units, ladder, peer, now)
            {
                written.push(*id);
            }
        }
        for id in written {
            self.pass_one(id, now);
        }
    }

    /// Ends a session.
    pub fn end(&mut self, id: u64, why: Ending, now: Instant) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        // It is told, so that a page knows at once. What it answers is for nobody any more.
        let _ = session.peer.rtc().close();
        session.peer.pass(now);
        let Sessions { outgoing, .. } = self;
        let client = session.role.client().clone();
        let send = |protocol, (_, to), bytes| {
            outgoing.push(Outgoing { to, protocol, bytes, client: client.clone() });
        };
        session.peer.drain(now, send, &mut Vec::new());
        for address in &session.addresses {
            if self.by_address.get(address) == Some(&id) {
                self.by_address.remove(address);
            }
        }
        self.by_ufrag.remove(&session.ufrag);
        self.by_key.remove(&session.key);
        if let Some(due) = session.due {
            self.due.remove(&(due, id));
        }
        match session.role {
            Role::Viewer(viewer) => {
                if let Some(ladder) = self.ladders.get_mut(&viewer.ladder) {
                    ladder.go(id, now);
                }
            }
            Role::Publisher(publishes) => publishes.end(why == Ending::Said),
        }
        self.over.add(&client.counters);
        self.ended.push((client, why));
    }

    /// Ends everybody: the server does.
    pub fn end_all(&mut self, now: Instant) {
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        for id in all {
            self.end(id, Ending::ServerEnds, now);
        }
    }

    /// Ends everybody who watches a ladder, which is over.
    pub fn forget(&mut self, ladder: &LadderName, now: Instant) {
        let Some(gone) = self.ladders.remove(ladder) else { return };
        for id in gone.viewers {
            self.end(id, Ending::StreamOver, now);
        }
    }

    /// Takes everything out of a session, and acts upon it until nothing more comes of it.
    fn turn(&mut self, id: u64, now: Instant) {
        // Each round does what the one before asked for: connected, so media; media, so datagrams.
        for _ in 0..4 {
            let Some(session) = self.sessions.get_mut(&id) else { return };
            let Session { peer, role, ends, .. } = session;
            let outgoing = &mut self.outgoing;
            let client = role.client();
            let mut happened = Vec::new();
            let send = |protocol, (local, remote): (SocketAddr, SocketAddr), bytes: DatagramSend| {
                // Checks go to every address of the other end, media to one.
                if Carries::of(&bytes) != Carries::Control {
                    *ends = Some(Ends { transport: transport(protocol), local, remote });
                }
                outgoing.push(Outgoing { to: remote, protocol, bytes, client: client.clone() });
            };
            let due = peer.drain(now, send, &mut happened);
            if let Some(before) = std::mem::replace(&mut session.due, due) {
                self.due.remove(&(before, id));
            }
            if let Some(due) = due {
                self.due.insert((due, id));
            }
            if happened.is_empty() {
                return;
            }
            for happened in happened {
                self.act(id, happened, now);
            }
            if let Some(session) = self.sessions.get_mut(&id) {
                session.peer.pass(now);
            }
        }
    }

    fn act(&mut self, id: u64, happened: Happened, now: Instant) {
        let Sessions { sessions, ladders, keyframes, .. } = self;
        let Some(Session { peer, role, .. }) = sessions.get_mut(&id) else { return };
        if let Happened::Closed = happened {
            return self.end(id, Ending::Left, now);
        }
        match role {
            Role::Viewer(viewer) => {
                let Some(ladder) = ladders.get(&viewer.ladder) else { return };
                match happened {
                    Happened::Connected => viewer.begin(ladder, peer, now),
                    Happened::KeyframeWanted => {
                        if let Some(label) = viewer.current() {
                            keyframes.insert((viewer.ladder.clone(), label.to_string()));
                        }
                        viewer.make_up(ladder, peer, now);
                    }
                    Happened::Estimate(bps) => viewer.estimated(bps),
                    Happened::Sent(report) => viewer.reported(&report),
                    _ => {}
                }
            }
            Role::Publisher(publishes) => match happened {
                Happened::Packet(of, packet) => {
                    publishes.packet(of, *packet, now);
                    publishes.hand_over(peer, Now::read());
                }
                Happened::Times(feedback) => publishes.reported(&feedback),
                Happened::Connected => publishes.hand_over(peer, Now::read()),
                _ => {}
            },
        }
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
