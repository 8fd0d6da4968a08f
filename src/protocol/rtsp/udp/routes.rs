//! Whom a datagram belongs to, by the address that it came from: readers' reports, publishers' packets. What comes from
//! elsewhere belongs to nobody.

use crate::hub::Client;
use crate::hub::client::add;
use crate::media::rtp::Header;
use crate::media::rtp::rtcp::{self, Packet};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// A publisher's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its track.
    pub track: usize,
    /// RTP or RTCP.
    pub side: Side,
    /// The packet.
    pub packet: Bytes,
}

/// What the sockets tell a reader's task.
#[derive(Debug)]
pub struct ReaderLink {
    client: Arc<Client>,
    /// Reports that have come.
    signs: AtomicU64,
    gone: AtomicBool,
    wake: Notify,
}

impl ReaderLink {
    /// For a session that counts in `client`.
    pub fn new(client: Arc<Client>) -> Arc<ReaderLink> {
        let (signs, gone) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(ReaderLink { client, signs, gone, wake: Notify::new() })
    }

    /// How many signs of life have come.
    pub fn signs(&self) -> u64 {
        self.signs.load(Ordering::Relaxed)
    }

    /// Waits until its port is closed. One task may wait.
    pub async fn gone(&self) {
        while !self.gone.load(Ordering::Relaxed) {
            self.wake.notified().await;
        }
    }

    /// Takes a report of the reader.
    pub fn report(client: &Client, packet: &[u8]) -> bool {
        add(&client.counters.bytes_in, packet.len() as u64);
        let Some(all) = rtcp::read(packet) else {
            add(&client.counters.packets_in_error, 1);
            return false;
        };
        add(&client.counters.rtcp_in, 1);
        for one in all {
            if let Packet::Received(block) = one {
                let lost = u64::try_from(block.summary.lost).unwrap_or(0);
                // Counted since the beginning by the reader itself; the larger of its tracks is what is shown.
                client.counters.packets_reported_lost.fetch_max(lost, Ordering::Relaxed);
            }
        }
        true
    }
}

/// A track of a publisher that waits for packets.
#[derive(Debug)]
struct Expected {
    session: u64,
    track: usize,
    payload_type: u8,
    mailbox: mpsc::Sender<Datagram>,
    /// The source that its packets have, and where they come from.
    seen: Option<(u32, SocketAddr)>,
}

/// See the module.
#[derive(Debug)]
pub enum Route {
    /// A reader's reports.
    Reader(u64, Arc<ReaderLink>),
    /// A publisher's packets.
    Publisher(u64, usize, mpsc::Sender<Datagram>),
}

impl Route {
    fn session(&self) -> u64 {
        match self {
            Route::Reader(session, _) | Route::Publisher(session, ..) => *session,
        }
    }
}

#[derive(Debug, Default)]
struct Inside {
    next: u64,
    routes: HashMap<(Side, SocketAddr), Route>,
    /// Publishers' tracks by the address of their connection: behind a gateway their ports are others than they said.
    expected: HashMap<IpAddr, Vec<Expected>>,
}

/// All routes. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Routes(Arc<Mutex<Inside>>);

/// A session's routes; dropping it removes them.
#[derive(Debug)]
pub struct Registration {
    routes: Routes,
    session: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut inside = self.routes.inside();
        let session = self.session;
        inside.routes.retain(|_, route| route.session() != session);
        for expected in inside.expected.values_mut() {
            expected.retain(|e| e.session != session);
        }
        inside.expected.retain(|_, all| !all.is_empty());
    }
}

impl Routes {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, inside: &mut Inside) -> Registration {
        inside.next = inside.next.saturating_add(1);
        Registration { routes: self.clone(), session: inside.next }
    }

    /// What comes from these addresses is a reader's. Addresses that are another's stay so.
    pub fn reader(&self, link: &Arc<ReaderLink>, from: &[(Side, SocketAddr)]) -> Registration {
        let mut inside = self.inside();
        let registration = self.begin(&mut inside);
        for key in from {
            let route = || Route::Reader(registration.session, link.clone());
            inside.routes.entry(*key).or_insert_with(route);
        }
        registration
    }

    /// What comes from these ports of `ip` are the packets of a publisher's tracks: place, payload type, ports for RTP
    /// and RTCP. `None` if one of the addresses is another's.
    pub fn publisher(
        &self,
        ip: IpAddr,
        tracks: &[(usize, u8, (u16, u16))],
        mailbox: &mpsc::Sender<Datagram>,
    ) -> Option<Registration> {
        let mut inside = self.inside();
        let keys = |(_, _, (rtp, rtcp)): &(usize, u8, (u16, u16))| {
            [(Side::Rtp, SocketAddr::new(ip, *rtp)), (Side::Rtcp, SocketAddr::new(ip, *rtcp))]
        };
        if tracks.iter().flat_map(keys).any(|key| inside.routes.contains_key(&key)) {
            return None;
        }
        let registration = self.begin(&mut inside);
        for one in tracks {
            for key in keys(one) {
                let route = Route::Publisher(registration.session, one.0, mailbox.clone());
                inside.routes.insert(key, route);
            }
            inside.expected.entry(ip).or_default().push(Expected {
                session: registration.session,
                track: one.0,
                payload_type: one.1,
                mailbox: mailbox.clone(),
                seen: None,
            });
        }
        drop(inside);
        Some(registration)
    }

    /// Hands a datagram over. `false` if it is nobody's.
    pub fn deliver(&self, side: Side, from: SocketAddr, packet: &[u8]) -> bool {
        let mut inside = self.inside();
        let Inside { routes, expected, .. } = &mut *inside;
        let (session, track, mailbox) = match routes.get(&(side, from)) {
            Some(Route::Reader(_, link)) => {
                // What a reader sends to open its NAT gateway is no report, but a sign of life.
                if side == Side::Rtcp {
                    ReaderLink::report(&link.client, packet);
                }
                link.signs.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Some(Route::Publisher(session, track, mailbox)) => (*session, *track, mailbox.clone()),
            None => {
                let Some(found) = behind_a_gateway(expected, side, from, packet) else { return false };
                let (session, track, mailbox) = found;
                let route = Route::Publisher(session, track, mailbox.clone());
                routes.insert((side, from), route);
                (session, track, mailbox)
            }
        };
        if side == Side::Rtp
            && let Some((header, _)) = Header::read(packet)
        {
            let mut all = expected.get_mut(&from.ip()).into_iter().flatten();
            if let Some(one) = all.find(|e| e.session == session && e.track == track) {
                one.seen = Some((header.ssrc, from));
            }
        }
        drop(inside);
        // A publisher's task that does not keep up loses packets, as a full socket would.
        let _ = mailbox.try_send(Datagram { track, side, packet: super::owned(packet) });
        true
    }

    /// Nobody listens any more where packets of a reader go. Its port for reports may be closed all the time.
    pub fn unreachable(&self, side: Side, peer: SocketAddr) {
        if side == Side::Rtp
            && let Some(Route::Reader(_, link)) = self.inside().routes.get(&(side, peer))
        {
            link.gone.store(true, Ordering::Relaxed);
            link.wake.notify_one();
        }
    }
}

/// A track that expects packets from this address' machine, has had none, and is the only one that this can belong to.
fn behind_a_gateway(
    expected: &HashMap<IpAddr, Vec<Expected>>,
    side: Side,
    from: SocketAddr,
    packet: &[u8],
) -> Option<(u64, usize, mpsc::Sender<Datagram>)> {
    let all = expected.get(&from.ip())?;
    let mut fitting: Vec<&Expected> = match side {
        Side::Rtp => {
            let (header, _) = Header::read(packet)?;
            let fits = |e: &&Expected| e.payload_type == header.payload_type && e.seen.is_none();
            all.iter().filter(fits).collect()
        }
        Side::Rtcp => {
            let ssrc = rtcp::read(packet)?.into_iter().find_map(|p| match p {
                Packet::Sender(report) => Some(report.ssrc),
                _ => None,
            })?;
            all.iter().filter(|e| e.seen.is_some_and(|(seen, _)| seen == ssrc)).collect()
        }
    };
    let one = fitting.pop().filter(|_| fitting.is_empty())?;
    Some((one.session, one.track, one.mailbox.clone()))
}
