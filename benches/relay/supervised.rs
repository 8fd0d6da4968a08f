//! What it costs the server that supervisors ask it for their streams: all names of a thousand, four to a supervisor, each
//! asking every two seconds, for the whole status page and for its own names alone.

use super::rtmp_peer;
use super::servers::{Servers, cpu};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const NAMES: usize = 1000;
const SUPERVISORS: usize = NAMES / 4;
const EVERY: Duration = Duration::from_secs(2);

/// What a supervisor asks for.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    Nothing,
    Page,
    Own,
}

pub fn supervised(servers: &Servers, seconds: Duration) {
    let mut publishers: Vec<TcpStream> = (0..NAMES)
        .map(|n| rtmp_peer::open(servers.now.rtmp, "publish", &format!("cam{}_{}p", n / 4, n % 4)).unwrap())
        .collect();
    // AAC of two channels and 48 kHz: its configuration, then a frame of silence now and then.
    let header = rtmp_peer::message(5, 8, 1, 0, &[0xaf, 0, 0x11, 0x90], 128);
    publishers.iter_mut().for_each(|stream| stream.write_all(&header).unwrap());
    println!("\n{NAMES} supervised names: CPU of the server, share of a core");
    let mut alone = 0.0;
    for (asks, words) in
        [(Asks::Nothing, "nobody asks"), (Asks::Page, "for the page"), (Asks::Own, "for its own names")]
    {
        let share = share(servers, &mut publishers, asks, seconds);
        if asks == Asks::Nothing {
            alone = share;
        }
        println!("  {words:<20} {:5.1} %   more than alone {:5.1} %", share * 100.0, (share - alone) * 100.0);
    }
}

fn share(servers: &Servers, publishers: &mut [TcpStream], asks: Asks, seconds: Duration) -> f64 {
    let began = Instant::now();
    let before = cpu(servers.now.pid);
    let mut tick = 0_u32;
    while began.elapsed() < seconds {
        let frame =
            rtmp_peer::message(5, 8, 1, began.elapsed().as_millis() as u32, &[0xaf, 1, 0x21, 0x10], 128);
        // A share of everything in each step, so that nothing comes at once.
        let steps = 20;
        let step = (tick % steps) as usize;
        for stream in publishers.iter_mut().skip(step).step_by(steps as usize) {
            stream.write_all(&frame).unwrap();
        }
        for supervisor in (0..SUPERVISORS).skip(step).step_by(steps as usize) {
            let names: Vec<String> = (0..4).map(|n| format!("name=live/cam{supervisor}_{n}p")).collect();
            match asks {
                Asks::Nothing => {}
                Asks::Page => ask(servers.now.stat, "/stat"),
                Asks::Own => ask(servers.now.api, &format!("/msconv/v1/streams?{}", names.join("&"))),
            }
        }
        tick += 1;
        let next = EVERY.mul_f64(f64::from(tick) / f64::from(steps));
        std::thread::sleep(next.saturating_sub(began.elapsed()));
    }
    (cpu(servers.now.pid) - before).as_secs_f64() / began.elapsed().as_secs_f64()
}

fn ask(port: u16, target: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}
