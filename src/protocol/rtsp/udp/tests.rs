//! The pair of sockets with real peers on this machine.

use super::*;
use crate::hub::PacketSpan;
use crate::hub::client::get;
use crate::media::rtp::rtcp;
use std::net::UdpSocket as StdSocket;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn peer() -> (StdSocket, SocketAddr) {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn pair(host: &str) -> Udp {
    let socket = || StdSocket::bind((host, 0)).unwrap();
    Udp::new(socket(), socket(), Registry::default()).unwrap()
}

/// Packets of these lengths on these channels; each is filled with its place.
fn packed(packets: &[(u8, usize)]) -> Packed {
    let (mut bytes, mut cuts) = (Vec::new(), Vec::new());
    for (place, (channel, length)) in packets.iter().enumerate() {
        bytes.extend([b'$', *channel, 0, 0]);
        cuts.push(PacketSpan {
            channel: *channel,
            control: channel % 2 == 1,
            start: bytes.len() as u32,
            len: *length as u32,
        });
        bytes.resize(bytes.len() + length, place as u8);
    }
    Packed { bytes: bytes.into(), cuts }
}

fn shape(packets: &[(u8, usize)]) -> Vec<(u8, usize, Option<u16>)> {
    runs(&[&packed(packets)], true).iter().map(|run| (run.channel, run.parts.len(), run.segment)).collect()
}

#[test]
fn equal_packets_go_as_one_message() {
    assert_eq!(shape(&[(0, 100), (0, 100), (0, 40), (0, 40)]), [(0, 3, Some(100)), (0, 1, None)]);
    assert_eq!(
        shape(&[(0, 40), (0, 100), (1, 100), (1, 100)]),
        [(0, 1, None), (0, 1, None), (1, 2, Some(100))]
    );
    assert_eq!(shape(&[(0, 1372); 100]), [(0, 47, Some(1372)), (0, 47, Some(1372)), (0, 6, Some(1372))]);
    assert_eq!(shape(&[(0, 100); 65]), [(0, 64, Some(100)), (0, 1, None)]);
    assert_eq!(runs(&[&packed(&[(0, 100); 3])], false).len(), 3);
    // What lies outside of the bytes is left out.
    let mut lying = packed(&[(0, 100)]);
    lying.cuts.push(PacketSpan { channel: 0, control: false, start: 50, len: u32::MAX });
    assert_eq!(runs(&[&lying], true).len(), 1);
}

#[test]
fn channels_are_counted_by_their_bits() {
    let used = [6, 0, 31, 6, 200].iter().fold(0, |used, channel| used | bit(*channel));
    assert_eq!(channels(used).collect::<Vec<_>>(), [0, 6, 31]);
    assert_eq!(channels(0).next(), None);
}

/// A peer's ports for the first track.
fn targets(rtp: SocketAddr, rtcp: Option<SocketAddr>) -> Targets {
    let mut targets = Targets::new(rtp.ip());
    targets.ports[0] = std::num::NonZeroU16::new(rtp.port());
    targets.ports[1] = rtcp.and_then(|rtcp| std::num::NonZeroU16::new(rtcp.port()));
    targets
}

/// Sends these packets to two peers, one of which listens; what it got.
async fn sent(udp: &Udp, packets: &[(u8, usize)]) -> Vec<Vec<u8>> {
    let ((rtp, rtp_at), (rtcp, rtcp_at), (_, nobody)) = (peer(), peer(), peer());
    let there = targets(rtp_at, Some(rtcp_at));
    let gone = targets(nobody, None);
    let (counters, lost) = (Counters::default(), Counters::default());
    let packed = packed(packets);
    udp.rtp.writable().await.unwrap();
    for _ in 0..3 {
        udp.send(&[&packed], &[(&gone, &lost), (&there, &counters)]);
    }
    let mut got = Vec::new();
    let mut buffer = [0; 2048];
    for (channel, _) in packets.iter().cycle().take(3 * packets.len()) {
        let n = match channel {
            0 => rtp.recv(&mut buffer).unwrap(),
            1 => rtcp.recv(&mut buffer).unwrap(),
            _ => continue,
        };
        got.push(buffer[..n].to_vec());
    }
    let of = |side: u8| packets.iter().filter(|(c, _)| *c == side).count() as u64 * 3;
    assert_eq!((get(&counters.packets_out), get(&counters.rtcp_out)), (of(0), of(1)));
    assert_eq!(get(&counters.packets_discarded), 0);
    got
}

#[tokio::test]
async fn the_kernel_cuts_or_does_not_and_nobody_sees_a_difference() {
    let packets = [(0, 1372), (0, 1372), (0, 1000), (1, 48), (0, 10), (2, 500)];
    for host in ["127.0.0.1", "::"] {
        let udp = pair(host);
        let by_kernel = sent(&udp, &packets).await;
        udp.segments.store(false, Ordering::Relaxed);
        assert_eq!(sent(&udp, &packets).await, by_kernel, "{host}");
        let lengths: Vec<_> = by_kernel.iter().map(Vec::len).take(5).collect();
        assert_eq!(lengths, [1372, 1372, 1000, 48, 10], "{host}");
    }
}

#[tokio::test]
async fn reports_and_closed_ports_find_their_reader() {
    let udp = Arc::new(pair("127.0.0.1"));
    let (down, downs) = watch::channel(false);
    let serving = tokio::spawn(udp.clone().serve(downs));
    let registry = Registry::default();
    let now = crate::base::clock::Now::read();
    let ((rtp, rtp_at), (rtcp, rtcp_at)) = (peer(), peer());
    let client = registry.enter(crate::protocol::RTSP_SESSION, rtp_at, now.mono, now.wall_ms);
    let link = ReaderLink::new(client.clone());
    let registration = udp.routes().reader(&link, &[(Side::Rtp, rtp_at), (Side::Rtcp, rtcp_at)]);
    let ports = udp.ports();
    let summary = crate::media::rtp::reception::Summary { lost: 7, ..Default::default() };
    let mut report = bytes::BytesMut::new();
    let block = rtcp::Block { ssrc: 1, summary, last_report: 0, delay: 0 };
    rtcp::write_receiver(5, &block, "n", &mut report);
    rtcp.send_to(&report, ("127.0.0.1", ports.1)).unwrap();
    rtp.send_to(b"open the way", ("127.0.0.1", ports.0)).unwrap();
    // From the wrong port, and to the wrong one.
    rtp.send_to(&report, ("127.0.0.1", ports.1)).unwrap();
    let wait = async {
        while link.signs() < 2 || udp.registry.broken_limits().get("rtp_unknown_source") != Some(&1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap();
    assert_eq!(get(&client.counters.packets_reported_lost), 7);
    // Its port for reports may be closed; its port for packets may not.
    drop(rtcp);
    let counters = Counters::default();
    let targets = targets(rtp_at, Some(rtcp_at));
    udp.send(&[&packed(&[(1, 48)])], &[(&targets, &counters)]);
    drop(rtp);
    udp.send(&[&packed(&[(0, 48)])], &[(&targets, &counters)]);
    tokio::time::timeout(SOON, link.gone()).await.unwrap();
    drop(registration);
    assert!(!udp.routes().deliver(Side::Rtcp, rtcp_at, &report), "nothing of it is left");
    down.send(true).unwrap();
    serving.await.unwrap();
}

#[test]
fn publishers_are_told_apart() {
    let routes = Routes::default();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    let at = |port| SocketAddr::new(ip, port);
    let tracks = [(0, 96, (5000, 5001)), (1, 97, (5002, 5003))];
    let registration = routes.publisher(ip, &tracks, &sender).unwrap();
    assert!(routes.publisher(ip, &tracks[..1], &sender).is_none(), "these ports are another's");
    let rtp = |payload_type: u8, ssrc: u8| [0x80, payload_type, 0, 0, 0, 0, 0, 0, 0, 0, 0, ssrc, 9];
    assert!(routes.deliver(Side::Rtp, at(5002), &rtp(97, 8)));
    assert_eq!(receiver.try_recv().unwrap().track, 1);
    // Behind a gateway: the track that has had no packets and takes this payload type.
    assert!(!routes.deliver(Side::Rtp, at(6000), &rtp(97, 8)), "that track has its source");
    assert!(!routes.deliver(Side::Rtp, SocketAddr::new("192.0.2.9".parse().unwrap(), 6000), &rtp(96, 7)));
    assert!(!routes.deliver(Side::Rtcp, at(6001), &[0x80, 200, 0, 0]), "no packet of it has come yet");
    assert!(routes.deliver(Side::Rtp, at(6000), &rtp(96, 7)));
    assert!(!routes.deliver(Side::Rtp, at(6002), &rtp(96, 7)), "only once");
    let mut report = bytes::BytesMut::new();
    let said = rtcp::SenderReport { ssrc: 7, ntp: 1, timestamp: 2, packets: 3, octets: 4 };
    rtcp::write_sender(&said, "n", &mut report);
    assert!(routes.deliver(Side::Rtcp, at(6001), &report));
    assert_eq!(receiver.try_recv().unwrap().side, Side::Rtp);
    assert_eq!(
        receiver.try_recv().unwrap(),
        Datagram { track: 0, side: Side::Rtcp, packet: report.freeze() }
    );
    // Two that could be meant are nobody.
    drop(registration);
    let (a, b) = (
        routes.publisher(ip, &[(0, 96, (5000, 5001))], &sender).unwrap(),
        routes.publisher(ip, &[(0, 96, (5002, 5003))], &sender).unwrap(),
    );
    assert!(!routes.deliver(Side::Rtp, at(6000), &rtp(96, 7)));
    drop((a, b));
    assert!(!routes.deliver(Side::Rtp, at(5000), &rtp(96, 7)));
}
