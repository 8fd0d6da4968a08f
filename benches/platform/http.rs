//! A bare HTTP client that keeps its connection, for measurements.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
pub struct Http {
    reader: BufReader<TcpStream>,
    port: u16,
}

impl Http {
    /// To the web port.
    pub fn open(port: u16) -> Http {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Http { reader: BufReader::with_capacity(64 << 10, stream), port }
    }

    /// One request, and its answer: the status and the body.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, Vec<u8>)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n{kind}Content-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        self.reader.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        let (mut status, mut length) = (0, 0);
        for number in 0.. {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if number == 0 {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, body))
    }

    /// The same, for an answer in JSON that is no refusal.
    pub fn json(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, body) = self.ask(method, path, body).unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Registers a stream; its id and its key.
    pub fn register(&mut self, slug: &str) -> (String, String) {
        let body = serde_json::json!({ "name": slug, "slug": slug });
        let made = self.json("POST", "/api/v1/streams", Some(&body));
        let word = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{name} in {made}")).to_string();
        (word("public_id"), word("stream_key"))
    }
}
