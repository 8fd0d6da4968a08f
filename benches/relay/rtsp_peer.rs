//! A bare RTSP reader for measurements: it shares no code with the server, so that it cannot share its mistakes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A reader that has sent PLAY.
pub struct Playing {
    /// The connection.
    pub stream: TcpStream,
    /// What was read of it already.
    pub rest: Vec<u8>,
    /// The RTP and RTCP sockets of each track, where UDP was asked for.
    pub sockets: Vec<UdpSocket>,
    /// When PLAY was sent.
    pub asked: Instant,
}

fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let length = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !head.starts_with("RTSP/1.0 200") {
        return Err(io::Error::other(head));
    }
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
    })
}

fn pair() -> io::Result<[UdpSocket; 2]> {
    for _ in 0..100 {
        let even = UdpSocket::bind("127.0.0.1:0")?;
        let port = even.local_addr()?.port();
        if port % 2 == 0
            && let Ok(odd) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            return Ok([even, odd]);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// DESCRIBE, SETUP of every track, PLAY; returns when PLAY has been sent (its answer is still to be read).
pub fn play(port: u16, name: &str, udp: bool) -> io::Result<Playing> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let url = format!("rtsp://127.0.0.1:{port}/{name}");
    write!(out, "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n")?;
    let (_, sdp) = answer(&mut reader)?;
    let media = sdp.split("m=").skip(1);
    let controls: Vec<String> = media
        .filter_map(|m| m.lines().find_map(|l| l.strip_prefix("a=control:")).map(str::to_string))
        .collect();
    let (mut session, mut sockets) = (String::new(), Vec::new());
    for (i, control) in controls.iter().enumerate() {
        let track = if control.starts_with("rtsp://") { control.clone() } else { format!("{url}/{control}") };
        let transport = if udp {
            let [rtp, rtcp] = pair()?;
            let p = rtp.local_addr()?.port();
            sockets.extend([rtp, rtcp]);
            format!("RTP/AVP;unicast;client_port={p}-{}", p + 1)
        } else {
            format!("RTP/AVP/TCP;unicast;interleaved={}-{}", i * 2, i * 2 + 1)
        };
        let with = if session.is_empty() { String::new() } else { format!("Session: {session}\r\n") };
        write!(out, "SETUP {track} RTSP/1.0\r\nCSeq: {}\r\nTransport: {transport}\r\n{with}\r\n", i + 2)?;
        let (head, _) = answer(&mut reader)?;
        let given = header(&head, "session").unwrap_or_default();
        session = given.split(';').next().unwrap_or("").to_string();
    }
    let asked = Instant::now();
    write!(out, "PLAY {url} RTSP/1.0\r\nCSeq: 9\r\nSession: {session}\r\nRange: npt=0-\r\n\r\n")?;
    let rest = reader.buffer().to_vec();
    Ok(Playing { stream, rest, sockets, asked })
}

/// Counts what an interleaved reader receives: packets, and gaps in the numbers of each channel.
#[derive(Default)]
pub struct Interleaved {
    waiting: Vec<u8>,
    answered: bool,
    next: std::collections::BTreeMap<u8, u16>,
    /// RTP packets.
    pub packets: u64,
    /// Packets missing by their numbers.
    pub lost: u64,
    /// When the last packet of the first whole IDR picture came.
    pub keyframe: Option<Instant>,
    in_keyframe: bool,
}

impl Interleaved {
    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
        let mut at = 0;
        loop {
            let rest = &self.waiting[at..];
            if !self.answered {
                let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") else { break };
                self.answered = true;
                at += end + 4;
                continue;
            }
            let [b'$', channel, high, low, ..] = *rest else { break };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if rest.len() < 4 + length {
                break;
            }
            let packet = rest[4..4 + length].to_vec();
            at += 4 + length;
            if channel % 2 == 0 {
                self.rtp(channel, &packet);
            }
        }
        self.waiting.drain(..at);
    }

    fn rtp(&mut self, channel: u8, packet: &[u8]) {
        let [_, marker, s1, s2, ..] = *packet else { return };
        let number = u16::from_be_bytes([s1, s2]);
        if let Some(expected) = self.next.insert(channel, number.wrapping_add(1)) {
            self.lost += u64::from(number.wrapping_sub(expected));
        }
        self.packets += 1;
        if channel == 0 && self.keyframe.is_none() {
            let kind = packet.get(12).map_or(0, |b| b & 0x1f);
            let begins = kind == 5 || (kind == 28 && packet.get(13).is_some_and(|b| b & 0x9f == 0x85));
            self.in_keyframe |= begins;
            if self.in_keyframe && marker & 0x80 != 0 {
                self.keyframe = Some(Instant::now());
            }
        }
    }
}
