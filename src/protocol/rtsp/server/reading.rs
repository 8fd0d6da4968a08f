//! A session that reads: its place in the hub, the way its packets go, and its goodbye.

use super::Shared;
use crate::base::clock::Now;
use crate::hub::{Client, Datagrams, Outlet, Packed, Reader, Targets};
use crate::media::{TrackKind, Tracks};
use crate::protocol::connection_sink::ConnectionSink;
use crate::protocol::rtsp::egress::{self, Channels, Codings, Numbers, Progress, RtpFormat};
use crate::protocol::rtsp::session::server::{Answer, Reading};
use crate::protocol::rtsp::udp::{ReaderLink, Registration, Side};
use crate::protocol::rtsp::wire::{Place, Status, Transport};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use uuid::Uuid;

/// A reader that has been set up and plays or pauses.
pub struct Reads {
    /// Its place in the stream.
    pub reader: Reader,
    /// What it plays.
    channels: Channels,
    ssrc: [u32; 2],
    progress: Progress,
    /// Where its datagrams go, and what the sockets know of it; none if its packets go through the connection.
    datagrams: Option<(Targets, Arc<ReaderLink>, Registration)>,
}

impl Reads {
    /// Takes a place in the stream.
    pub fn begin(
        shared: &Shared,
        client: &Arc<Client>,
        socket: &Arc<TcpStream>,
        place: &Place,
        reading: &Reading,
        now: Now,
    ) -> Result<Reads, Answer> {
        let gone = || Answer::Refused(Status::NOT_FOUND, "nobody publishes this stream".into());
        let channels = Channels::of(&reading.ways);
        let codings = Codings::of(&reading.tracks, &channels);
        let key = channels.key(&codings);
        let ssrc = shared.ssrc(&place.stream, &key.0);
        let (outlet, datagrams) = match reading.ways.interleaved() {
            Some(true) => (Outlet::Stream(Arc::new(ConnectionSink(socket.clone()))), None),
            Some(false) => {
                let Some(udp) = &shared.udp else { return Err(gone()) };
                let targets = targets(client.remote.ip(), reading);
                let link = ReaderLink::new(client.clone());
                let side = |channel: usize| if channel.is_multiple_of(2) { Side::Rtp } else { Side::Rtcp };
                let from: Vec<_> = targets
                    .channels
                    .iter()
                    .enumerate()
                    .filter_map(|(c, to)| Some((side(c), (*to)?)))
                    .collect();
                let registration = udp.routes().reader(&link, &from);
                (Outlet::Datagrams(udp.clone(), targets), Some((targets, link, registration)))
            }
            None => return Err(gone()),
        };
        let numbers = Numbers { ssrc, random: Uuid::new_v4().as_u128() };
        let mut made = None;
        let make = |tracks: &Tracks| {
            let format = RtpFormat::new(channels, codings, tracks, numbers);
            made = Some(format.progress());
            Box::new(format) as Box<_>
        };
        let packing = (place.stream.clone(), key.0.clone());
        let reader =
            shared.hub.subscribe(&place.stream, client, key, make, outlet, now).map_err(|_| gone())?;
        let progress = shared.progress(packing, made);
        Ok(Reads { reader, channels, ssrc, progress, datagrams })
    }

    /// Where its tracks will begin if it plays now, as far as that is known.
    pub fn starts(&self, now: Now) -> Vec<(TrackKind, u16, u32)> {
        let starts = self.progress.starts(&self.reader.upcoming(now));
        let named = [TrackKind::Video, TrackKind::Audio].into_iter().zip(starts);
        named
            .filter_map(|(kind, start)| start.map(|(sequence, timestamp)| (kind, sequence, timestamp)))
            .collect()
    }

    /// Whether its packets go through the connection.
    pub fn interleaved(&self) -> bool {
        self.datagrams.is_none()
    }

    /// What the sockets know of it.
    pub fn link(&self) -> Option<&Arc<ReaderLink>> {
        self.datagrams.as_ref().map(|(_, link, _)| link)
    }

    /// Tells it that the stream is over.
    pub fn say_goodbye(&self, shared: &Shared, client: &Client, now: Now) {
        let goodbye: Packed = egress::goodbye(self.channels, self.ssrc);
        match (&self.datagrams, &shared.udp) {
            (Some((targets, ..)), Some(udp)) => udp.send(&[&goodbye], &[(targets, &client.counters)]),
            _ => self.reader.say(goodbye.bytes, now),
        }
    }
}

/// The ports that the client named, at the address that it has.
fn targets(ip: IpAddr, reading: &Reading) -> Targets {
    let mut targets = Targets::default();
    let ip = ip.to_canonical();
    let ports = |track| match reading.ways.way(track) {
        Some(Transport::Datagrams { rtp, rtcp }) => [Some(rtp), Some(rtcp)],
        _ => [None, None],
    };
    let all = [ports(0), ports(1)];
    for (target, port) in targets.channels.iter_mut().zip(all.iter().flatten()) {
        *target = port.map(|port| SocketAddr::new(ip, port));
    }
    targets
}
