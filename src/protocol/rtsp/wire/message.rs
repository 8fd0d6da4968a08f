//! Messages out of a stream of bytes, and into one. The limits stand before the parser: what reaches it is a whole
//! head of bounded size.

use super::broken::Broken;
use super::head::{First, Head, Headers};
use super::limits;
use super::method::Method;
use super::status::Status;
use bytes::{Buf, Bytes, BytesMut};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its URL as it came.
    pub uri: String,
    /// Its number.
    pub cseq: u32,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// A response, as our client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: Status,
    /// The words beside it.
    pub phrase: String,
    /// The request that it answers, if it says so.
    pub cseq: Option<u32>,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// The head of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Its method as it came.
    pub method: String,
    /// Its headers.
    pub headers: Headers,
}

/// One thing out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
    /// The head of an HTTP request, which may begin a tunnel. What follows is its body.
    Http(Http),
    /// A packet between the messages (RFC 2326, 10.12).
    Packet {
        /// Its channel.
        channel: u8,
        /// What it carries.
        payload: Bytes,
    },
}

/// Bytes that have come and are not yet read.
#[derive(Debug, Default)]
pub struct Input {
    /// New bytes are appended here.
    pub buffer: BytesMut,
    /// How far the head of the message in front has been looked through: begin of the line that is not complete,
    /// bytes looked at, lines before it.
    line: usize,
    seen: usize,
    lines: usize,
    /// Bytes without meaning since the last message or packet.
    blanks: usize,
    /// Length of the head, once it is there, and what it says.
    head: Option<(usize, Head)>,
}

impl Input {
    /// Whether the begin of something has come whose end has not.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next message or packet, if it is there as a whole.
    ///
    /// # Errors
    /// What is no RTSP, or over a limit. There is nothing to read behind that.
    pub fn take(&mut self) -> Result<Option<Incoming>, Broken> {
        self.skip_blanks()?;
        match self.buffer.first() {
            None => return Ok(None),
            Some(b'$') => return Ok(self.packet()),
            Some(first) if first.is_ascii_uppercase() => {}
            Some(_) => return Err(Broken::bad("neither a message nor a packet begins here")),
        }
        if self.head.is_none() {
            let Some(length) = self.find_head()? else { return Ok(None) };
            self.head = Some((length, Head::read(self.buffer.get(..length).unwrap_or(&[]))?));
        }
        let there = self.buffer.len();
        let whole = |(length, head): &mut (usize, Head)| length.saturating_add(head.body) <= there;
        let Some((length, head)) = self.head.take_if(whole) else { return Ok(None) };
        self.buffer.advance(length);
        let body = self.buffer.split_to(head.body).freeze();
        (self.line, self.seen, self.lines, self.blanks) = (0, 0, 0, 0);
        let Head { first, headers, cseq, .. } = head;
        Ok(Some(match first {
            First::Request { method, uri } => {
                Incoming::Request(Request { method, uri, cseq: cseq.unwrap_or(0), headers, body })
            }
            First::Response { status, phrase } => {
                Incoming::Response(Response { status, phrase, cseq, headers, body })
            }
            First::Http { method } => Incoming::Http(Http { method, headers }),
        }))
    }

    /// Passes over blank lines between messages, and zeros, which some devices send behind theirs.
    fn skip_blanks(&mut self) -> Result<(), Broken> {
        if self.seen > 0 {
            return Ok(());
        }
        let count = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n' | 0)).count();
        self.buffer.advance(count);
        self.blanks = self.blanks.saturating_add(count);
        if self.blanks > limits::BLANKS {
            return Err(Broken::bad("nothing but blank lines"));
        }
        Ok(())
    }

    fn packet(&mut self) -> Option<Incoming> {
        let [_, channel, high, low] = *self.buffer.first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if self.buffer.len() < length.saturating_add(4) {
            return None;
        }
        self.buffer.advance(4);
        self.blanks = 0;
        Some(Incoming::Packet { channel, payload: self.buffer.split_to(length).freeze() })
    }

    /// Looks for the end of the head, each byte once.
    fn find_head(&mut self) -> Result<Option<usize>, Broken> {
        loop {
            let fresh = self.buffer.get(self.seen..).unwrap_or(&[]);
            let found = fresh.iter().position(|b| *b == b'\n');
            let end = self.seen.saturating_add(found.unwrap_or(fresh.len()));
            let line = self.buffer.get(self.line..end).unwrap_or(&[]);
            self.check_line(line)?;
            if found.is_none() {
                self.seen = end;
                return Ok(None);
            }
            let blank = line.iter().all(|b| *b == b'\r');
            self.seen = end.saturating_add(1);
            self.line = self.seen;
            self.lines = self.lines.saturating_add(1);
            if blank {
                return Ok(Some(self.seen));
            }
        }
    }

    fn check_line(&self, line: &[u8]) -> Result<(), Broken> {
        if self.lines == 0 {
            let over = Broken::over(Status::URI_TOO_LARGE, "rtsp_line", "the first line is too long");
            return if line.len() > limits::LINE { Err(over) } else { Ok(()) };
        }
        if line.len() > limits::HEADER {
            return Err(Broken::over(Status::BAD_REQUEST, "rtsp_header", "a header is too long"));
        }
        // The first line and the blank one at the end are no headers.
        if self.lines > limits::HEADERS.saturating_add(1) || (self.lines > limits::HEADERS && line.len() > 1)
        {
            return Err(Broken::over(Status::BAD_REQUEST, "rtsp_headers", "there are too many headers"));
        }
        Ok(())
    }
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Draft {
    first: String,
    cseq: u32,
    headers: Vec<(&'static str, String)>,
    body: Option<(&'static str, Bytes)>,
}

impl Draft {
    /// A response.
    pub fn response(status: Status, cseq: u32) -> Draft {
        Draft { first: format!("RTSP/1.0 {status}"), cseq, headers: Vec::new(), body: None }
    }

    /// A request.
    pub fn request(method: &Method, uri: &str, cseq: u32) -> Draft {
        let first = format!("{} {uri} RTSP/1.0", method.name());
        Draft { first, cseq, headers: Vec::new(), body: None }
    }

    /// Adds a header. Control characters of its value become blanks.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Draft {
        let mut value = value.into();
        if value.chars().any(char::is_control) {
            value = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        }
        self.headers.push((name, value));
        self
    }

    /// Adds a body.
    pub fn body(mut self, kind: &'static str, body: Bytes) -> Draft {
        self.body = Some((kind, body));
        self
    }

    /// The bytes.
    pub fn bytes(self) -> Bytes {
        let mut text = format!("{}\r\nCSeq: {}\r\n", self.first, self.cseq);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        let mut out = match &self.body {
            Some((kind, body)) => {
                text.extend([&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())[..]]);
                BytesMut::from(text.as_bytes())
            }
            None => {
                text.push_str("\r\n");
                BytesMut::from(text.as_bytes())
            }
        };
        if let Some((_, body)) = self.body {
            out.extend_from_slice(&body);
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests;
