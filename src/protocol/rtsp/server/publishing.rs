//! A session that publishes: its packets become frames for the hub.

use super::Shared;
use crate::base::clock::Now;
use crate::hub::{Client, Publisher};
use crate::protocol::rtp::ingest::{Ingest, IngestStep, Way};
use crate::protocol::rtp::sdp_read::Described;
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::udp::{Datagram, Registration, Side};
use crate::protocol::rtsp::wire::Transport;
use crate::telemetry::Log;
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Datagrams that may wait for the publisher's task.
const MAILBOX: usize = 1024;

/// A publisher.
pub struct Publishes {
    /// Its stream.
    pub publisher: Publisher,
    described: Vec<Described>,
    ways: Tracked,
    ingest: Option<Ingest>,
    began: Instant,
    /// When the last packet came, or RECORD did.
    pub heard: Instant,
    steps: Vec<IngestStep>,
    /// Datagrams for it.
    pub mailbox: Option<mpsc::Receiver<Datagram>>,
    registration: Option<Registration>,
    log: Log,
    /// Who publishes what, for the log.
    who: String,
}

impl Publishes {
    /// Has announced its tracks.
    pub fn new(
        publisher: Publisher,
        described: Vec<Described>,
        log: Log,
        who: String,
        now: Now,
    ) -> Publishes {
        Publishes {
            log,
            who,
            publisher,
            described,
            ways: Tracked::default(),
            ingest: None,
            began: now.mono,
            heard: now.mono,
            steps: Vec::new(),
            mailbox: None,
            registration: None,
        }
    }

    /// Begins to take packets. `false` if its ports are another's.
    pub fn record(&mut self, shared: &Shared, client: &Client, ways: Tracked, now: Now) -> bool {
        let datagrams = ways.interleaved() == Some(false);
        let way = if datagrams { Way::Datagrams } else { Way::Stream };
        let mut ingest = Ingest::new(&self.described, |track| ways.way(track).is_some(), way);
        if let (true, Some(udp)) = (datagrams, &shared.udp) {
            let (sender, receiver) = mpsc::channel(MAILBOX);
            let track = |track: usize| match ways.way(track)? {
                Transport::Datagrams { rtp, rtcp } => {
                    let payload_type = self.described.get(track)?.payload_type;
                    Some((track, payload_type, (rtp, rtcp)))
                }
                Transport::Interleaved(_) => None,
            };
            let tracks: Vec<_> = ways.places().filter_map(track).collect();
            let ip = client.remote.ip().to_canonical();
            match udp.routes().publisher(ip, &tracks, &sender) {
                Some(registration) => self.registration = Some(registration),
                None => return false,
            }
            self.mailbox = Some(receiver);
        }
        ingest.begin(&mut self.steps);
        (self.began, self.heard) = (now.mono, now.mono);
        self.ways = ways;
        self.ingest = Some(ingest);
        self.hand_over(now);
        true
    }

    /// Takes a packet. [`Publishes::hand_over`] follows when all that came together has been taken.
    pub fn take(&mut self, track: usize, side: Side, packet: &Bytes, client: &Client, now: Now) {
        let arrival = now.mono.saturating_duration_since(self.began);
        let Some(ingest) = &mut self.ingest else { return };
        match side {
            Side::Rtp => {
                self.heard = now.mono;
                ingest.rtp(track, packet, arrival, &client.counters, &mut self.steps);
            }
            Side::Rtcp => ingest.rtcp(track, packet, arrival, &client.counters),
        }
    }

    /// When a picture has waited long enough for the rest of it.
    pub fn due(&self) -> Option<Instant> {
        self.began.checked_add(self.ingest.as_ref()?.due()?)
    }

    /// What waits goes out: it has waited long enough, or nothing more comes.
    pub fn finish(&mut self, now: Now) {
        if let Some(ingest) = &mut self.ingest {
            ingest.finish(&mut self.steps);
            self.hand_over(now);
        }
    }

    /// Gives the hub what the packets made.
    pub fn hand_over(&mut self, now: Now) {
        if self.steps.is_empty() {
            return;
        }
        for step in self.steps.drain(..) {
            match step {
                IngestStep::Headers(tracks) => self.publisher.headers(tracks),
                IngestStep::Ready => self.publisher.ready(now),
                IngestStep::Frame(frame) => self.publisher.frame(frame, now),
                IngestStep::Unannounced { track, payload_type, announced } => self.log.warn(format_args!(
                    "rtsp: {}: packets of payload type {payload_type} are dropped; track {} announced {announced}",
                    self.who,
                    track.saturating_add(1)
                )),
            }
        }
        self.publisher.flush(now);
    }

    /// Tells the publisher how its packets come: bytes for the connection; datagrams leave by themselves.
    pub fn report(&mut self, shared: &Shared, client: &Client, now: Now) -> Bytes {
        let passed: Duration = now.mono.saturating_duration_since(self.began);
        let reports = self.ingest.as_mut().map(|ingest| ingest.reports(passed)).unwrap_or_default();
        self.control(&reports, shared, client)
    }

    /// Asks the publisher for a keyframe, as [`Publishes::report`].
    pub fn request_keyframe(&self, shared: &Shared, client: &Client) -> Bytes {
        let requests = self.ingest.as_ref().map(Ingest::keyframe_requests).unwrap_or_default();
        self.control(&requests, shared, client)
    }

    /// Sends RTCP of our own, by track: bytes for the connection; datagrams leave by themselves.
    fn control(&self, packets: &[(usize, Bytes)], shared: &Shared, client: &Client) -> Bytes {
        let mut out = BytesMut::new();
        for (track, packet) in packets {
            match (self.ways.way(*track), &shared.udp) {
                (Some(Transport::Interleaved(Some((_, channel)))), _) => {
                    out.put_slice(&[b'$', channel]);
                    out.put_u16(u16::try_from(packet.len()).unwrap_or(0));
                    out.put_slice(packet);
                }
                (Some(Transport::Datagrams { rtcp, .. }), Some(udp)) => {
                    let to = SocketAddr::new(client.remote.ip().to_canonical(), rtcp);
                    udp.send_one(Side::Rtcp, packet, to);
                }
                _ => {}
            }
        }
        out.freeze()
    }
}

/// A datagram for whoever publishes; waits for ever if nobody does.
pub async fn datagram(publishes: Option<&mut Publishes>) -> Datagram {
    let mailbox = publishes.and_then(|p| p.mailbox.as_mut());
    match mailbox {
        Some(mailbox) => match mailbox.recv().await {
            Some(datagram) => datagram,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
