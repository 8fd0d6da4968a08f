//! A reader that was thrown out because it took nothing left half a megabyte in the kernel, which went on offering it for
//! minutes.

use crate::serving_rtmp::house::Peer as RtmpPeer;
use crate::serving_rtsp::house::{House, Peer, Plan, SOON, frames, picture};
use crate::stage::stream;
use crate::stage::wait_for;
use msconv::base::clock::Now;
use msconv::hub::{self, Publisher};
use msconv::protocol::rtmp::session::client::Aim;
use msconv::protocol::{RTMP, RTSP_SESSION};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn publisher(house: &House) -> Publisher {
    let now = Now::read();
    let here = "127.0.0.1:9".parse().unwrap();
    let client = house.hub.registry().enter(RTMP, here, now.mono, now.wall_ms);
    let publisher = house.hub.publish(&stream("heavy"), &client, now).unwrap();
    publisher.headers(frames());
    publisher.ready(now);
    publisher
}

fn send(publisher: &Publisher, number: u32) {
    let now = Now::read();
    publisher.frame(picture(i64::from(number) * 40, number, number.is_multiple_of(25), 40_000), now);
    publisher.flush(now);
}

/// Bytes that the kernel holds for the peer at `remote`, and the state of that connection, while it has one.
fn held(local: SocketAddr, remote: SocketAddr) -> Option<(u64, String)> {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let of = |address: SocketAddr| format!(":{:04X}", address.port());
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (ours, theirs, state) = (fields.next()?, fields.next()?, fields.next()?);
        let queued = u64::from_str_radix(fields.next()?.split(':').next()?, 16).ok()?;
        (ours.ends_with(&of(local)) && theirs.ends_with(&of(remote))).then(|| (queued, state.to_string()))
    })
}

/// Reads to the end: how it ended.
fn end(mut socket: &TcpStream) -> Option<ErrorKind> {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(error.kind()),
        }
    }
}

/// Readers over both protocols that take nothing: the server's end of each, and the socket.
fn stopped(house: &House) -> Vec<(SocketAddr, TcpStream)> {
    let rtmp = RtmpPeer::at(house.rtmp, Aim::Play, "heavy").socket;
    let rtsp = Peer::reader(house, "heavy", false).socket;
    vec![(house.rtmp, rtmp), (house.rtsp, rtsp)]
}

#[track_caller]
fn nothing_is_kept(readers: &[(SocketAddr, TcpStream)]) {
    for (server, socket) in readers {
        let own = socket.local_addr().unwrap();
        wait_for("the kernel to keep nothing", SOON, || match held(*server, own) {
            Some((queued, state)) if queued > 0 => Err(format!("{queued} bytes in state {state}")),
            _ => Ok(()),
        });
        assert_eq!(end(socket), Some(ErrorKind::ConnectionReset), "it is told so");
    }
}

#[test]
fn who_takes_nothing_is_reset() {
    let limits = hub::Limits { no_progress: Duration::from_secs(2), ..hub::Limits::default() };
    let house = House::with(Plan { hub: limits, ..Plan::default() });
    let publisher = publisher(&house);
    send(&publisher, 0);
    let readers = stopped(&house);
    let mut number = 0;
    wait_for("both to be thrown out", SOON, || {
        number += 1;
        send(&publisher, number);
        let left = house.hub.registry().list(RTSP_SESSION).len() + house.hub.registry().list(RTMP).len();
        // The publisher's own entry stays.
        if left == 1 { Ok(()) } else { Err(left.to_string()) }
    });
    nothing_is_kept(&readers);
    assert_eq!(house.broken("reader_progress"), 2);
    publisher.end();
}

#[test]
fn who_is_asked_to_leave_gets_an_end_if_it_reads_and_a_reset_if_not() {
    let house = House::new();
    let publisher = publisher(&house);
    send(&publisher, 0);
    let readers = stopped(&house);
    let mut reads = RtmpPeer::at(house.rtmp, Aim::Play, "heavy");
    let reading = std::thread::spawn(move || reads.until_the_end());
    for number in 1..100 {
        send(&publisher, number);
    }
    // Full, but not yet for long enough.
    let held: Vec<_> = readers.iter().map(|(s, socket)| held(*s, socket.local_addr().unwrap())).collect();
    assert!(held.iter().all(|held| held.as_ref().is_some_and(|(queued, _)| *queued > 100_000)), "{held:?}");
    let addresses: Vec<_> = readers.iter().map(|(_, socket)| socket.local_addr().unwrap()).collect();
    for client in house.hub.registry().list(RTMP).iter().chain(&house.hub.registry().list(RTSP_SESSION)) {
        if client.remote.port() != 9 {
            client.kick();
        }
    }
    assert_eq!(reading.join().unwrap().as_deref(), Some("NetStream.Play.UnpublishNotify"));
    wait_for("all to be gone", SOON, || {
        let left = house.hub.registry().list(RTMP).iter().filter(|c| addresses.contains(&c.remote)).count();
        left == 0 && house.hub.registry().list(RTSP_SESSION).is_empty()
    });
    nothing_is_kept(&readers);
    publisher.end();
}

#[test]
fn the_end_of_the_server_leaves_nothing_behind() {
    let mut house = House::new();
    let publisher = publisher(&house);
    send(&publisher, 0);
    let readers = stopped(&house);
    for number in 1..100 {
        send(&publisher, number);
    }
    drop(publisher);
    house.end();
    nothing_is_kept(&readers);
}
