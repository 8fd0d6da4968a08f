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
