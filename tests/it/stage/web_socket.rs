//! The smallest client of a WebSocket (RFC 6455): texts of one frame out, whole texts in. For a program of a test.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The most bytes of a text.
const MOST: usize = 16 << 20;

/// Any mask does for a peer of our own, but Firefox takes zeros for none.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// A connection. Only who is asked speaks.
pub struct WebSocket(BufReader<TcpStream>);

impl WebSocket {
    /// Opens `path` at `address`.
    pub fn open(address: &str, path: &str) -> WebSocket {
        let mut peer = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            peer,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .unwrap();
        let mut peer = BufReader::new(peer);
        let mut line = String::new();
        peer.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 101 "), "{line}");
        while line != "\r\n" {
            line.clear();
            assert_ne!(peer.read_line(&mut line).unwrap(), 0, "no end of the head");
        }
        WebSocket(peer)
    }

    /// Sends a text.
    pub fn send(&mut self, text: &str) {
        self.frame(1, text.as_bytes());
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) {
        let mut bytes = vec![0x80 | kind];
        match u16::try_from(payload.len()) {
            Ok(length) if length < 126 => bytes.push(0x80 | length as u8),
            Ok(length) => {
                bytes.push(0x80 | 126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.get_mut().write_all(&bytes).unwrap();
    }

    /// The next text; none when the other side has closed.
    pub fn next(&mut self) -> Option<String> {
        let mut text = Vec::new();
        loop {
            let [first, second] = self.bytes()?;
            let length = match second & 0x7f {
                126 => u16::from_be_bytes(self.bytes()?).into(),
                127 => usize::try_from(u64::from_be_bytes(self.bytes()?)).unwrap(),
                length => length.into(),
            };
            assert!(text.len() + length <= MOST, "a text of {length} bytes");
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).ok()?;
            match first & 0x0f {
                0 | 1 => text.extend(payload),
                8 => return None,
                9 => self.frame(10, &payload),
                _ => {}
            }
            if first & 0x80 != 0 && first & 0x0f <= 1 {
                return Some(String::from_utf8(text).unwrap());
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).ok().map(|()| bytes)
    }
}
