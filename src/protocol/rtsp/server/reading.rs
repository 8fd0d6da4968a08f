//! A session that reads: its place in the hub, the way its packets go, and its goodbye.

use super::Shared;
use crate::base::clock::Now;
use crate::hub::{Client, Datagrams, Outlet, Packed, Reader, Targets};
use crate::media::{TrackId, Tracks};
use crate::protocol::connection_sink::ConnectionSink;
use crate::protocol::rtsp::egress::{self, Channels, Codings, Numbers, Progress, RtpFormat};
use crate::protocol::rtsp::session::server::{Answer, Reading};
use crate::protocol::rtsp::udp::{ReaderLink, Registration, Side};
use crate::protocol::rtsp::wire::{Status, StreamPath, Transport};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use tokio::net::TcpStream;

/// A reader that has been set up and plays or pauses.
pub struct Reads {
    /// Its place in the stream.
    pub reader: Reader,
    /// What it plays.
    channels: Channels,
    numbers: Numbers,
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
        place: &StreamPath,
        reading: &Reading,
        now: Now,
    ) -> Result<Reads, Answer> {
        let gone = || Answer::Refused(Status::NOT_FOUND, "nobody publishes this stream".into());
        let channels = Channels::of(&reading.ways);
        let codings = Codings::of(&reading.tracks, &channels);
        let key = channels.key(&codings);
        let numbers = shared.numbers(&place.stream, &key.0);
        let (outlet, datagrams) = match reading.ways.interleaved() {
            Some(true) => (Outlet::Stream(Arc::new(ConnectionSink(socket.clone()))), None),
            Some(false) => {
                let Some(udp) = &shared.udp else { return Err(gone()) };
                let targets = targets(client.remote.ip(), reading);
                let link = ReaderLink::new(client.clone());
                let side = |channel: u8| if channel.is_multiple_of(2) { Side::Rtp } else { Side::Rtcp };
                let all = 0..u8::try_from(targets.ports.len()).unwrap_or(u8::MAX);
                let from: Vec<_> = all.filter_map(|c| Some((side(c), targets.to(c)?))).collect();
                let registration = udp.routes().reader(&link, &from);
                (Outlet::Datagrams(udp.clone(), targets), Some((targets, link, registration)))
            }
            None => return Err(gone()),
        };
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
        Ok(Reads { reader, channels, numbers, progress, datagrams })
    }

    /// Where its tracks will begin if it plays now, as far as that is known.
    pub fn starts(&self, now: Now) -> Vec<(TrackId, u16, u32)> {
        self.progress.starts(&self.reader.upcoming(now))
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
        let goodbye: Packed = egress::goodbye(self.channels, &self.numbers);
        match (&self.datagrams, &shared.udp) {
            (Some((targets, ..)), Some(udp)) => udp.send(&[&goodbye], &[(targets, &client.counters)]),
            _ => self.reader.say(goodbye.bytes, now),
        }
    }
}

/// The ports that the client named, at the address that it has.
fn targets(ip: IpAddr, reading: &Reading) -> Targets {
    let mut targets = Targets::new(ip.to_canonical());
    for (track, pair) in targets.ports.chunks_mut(2).enumerate() {
        if let (Some(Transport::Datagrams { rtp, rtcp }), [to_rtp, to_rtcp]) = (reading.ways.way(track), pair)
        {
            (*to_rtp, *to_rtcp) = (NonZeroU16::new(rtp), NonZeroU16::new(rtcp));
        }
    }
    targets
}
