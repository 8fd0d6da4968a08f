//! A bare RTMP peer for measurements: it shares no code with the server, so that it cannot share its mistakes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(2);
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, value: f64) {
    out.push(0);
    out.extend(value.to_be_bytes());
}

fn property(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend((key.len() as u16).to_be_bytes());
    out.extend(key.as_bytes());
    string(out, value);
}

/// One message in chunks of 128 bytes on chunk stream `csid` (2 to 63).
pub fn message(csid: u8, kind: u8, stream: u32, time: u32, body: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = vec![csid];
    out.extend(&time.to_be_bytes()[1..]);
    out.extend(&(body.len() as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend(stream.to_le_bytes());
    for (i, part) in body.chunks(chunk).enumerate() {
        if i > 0 {
            out.push(0xc0 | csid);
        }
        out.extend(part);
    }
    out
}

/// Connects to `127.0.0.1:port`, application `live`, and asks to `play` or `publish` the name on stream 1.
pub fn open(port: u16, verb: &str, name: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut hello = vec![3_u8];
    hello.extend([0; 1536]);
    stream.write_all(&hello)?;
    let mut answer = vec![0; 1 + 1536 + 1536];
    stream.read_exact(&mut answer)?;
    stream.write_all(&answer[1..1537])?;
    let mut connect = Vec::new();
    string(&mut connect, "connect");
    number(&mut connect, 1.0);
    connect.push(3);
    property(&mut connect, "app", "live");
    property(&mut connect, "flashVer", "bench");
    property(&mut connect, "tcUrl", &format!("rtmp://127.0.0.1:{port}/live"));
    connect.extend([0, 0, 9]);
    stream.write_all(&message(3, 20, 0, 0, &connect, 128))?;
    // A large window, so that nobody waits for acknowledgements of ours.
    let mut create = Vec::new();
    string(&mut create, "createStream");
    number(&mut create, 2.0);
    create.push(5);
    stream.write_all(&message(3, 20, 0, 0, &create, 128))?;
    let mut ask = Vec::new();
    string(&mut ask, verb);
    number(&mut ask, 3.0);
    ask.push(5);
    string(&mut ask, name);
    if verb == "publish" {
        string(&mut ask, "live");
    }
    stream.write_all(&message(4, 20, 1, 0, &ask, 128))?;
    Ok(stream)
}

/// Publishes frames in H.264 from here on, in chunks of 64 KiB.
pub fn publish_video(port: u16, name: &str) -> io::Result<TcpStream> {
    let mut publisher = open(port, "publish", name)?;
    publisher.write_all(&message(2, 1, 0, 0, &65536_u32.to_be_bytes(), 128))?;
    let sps: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
    ];
    let mut config = vec![0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, sps.len() as u8];
    config.extend(sps);
    config.extend([1, 0, 6, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]);
    publisher.write_all(&message(6, 9, 1, 0, &config, 65536))?;
    Ok(publisher)
}

/// The body of a picture of so many bytes. A mark and its number stand at its end.
pub fn video(number: u32, keyframe: bool, length: usize) -> Vec<u8> {
    let mut body = vec![if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    body.extend((length as u32).to_be_bytes());
    body.push(if keyframe { 0x65 } else { 0x41 });
    body.extend(vec![0x55; length - 1 - 12]);
    body.extend(b"MARKMARK");
    body.extend((number | 0x8080_8080).to_be_bytes());
    body
}
