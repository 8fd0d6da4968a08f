//! Messages out of a stream of bytes, and into one. The limits stand before the parser: what reaches it is a whole
//! message of bounded size whose lengths have been checked.

use super::limits;
use super::status::Status;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// What can be asked; also a sign of life.
    Options,
    /// A description to read by.
    Describe,
    /// A description to publish by.
    Announce,
    /// A transport for one track.
    Setup,
    /// Begin to read.
    Play,
    /// Stop for a while.
    Pause,
    /// Begin to publish.
    Record,
    /// End.
    Teardown,
    /// A sign of life.
    GetParameter,
    /// Sets nothing here.
    SetParameter,
    /// Whatever else.
    Other(String),
}

impl Method {
    /// Those that msconv answers, as the `Public` header lists them.
    pub const PUBLIC: &'static str =
        "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

    fn of(name: &str) -> Method {
        match name {
            "OPTIONS" => Method::Options,
            "DESCRIBE" => Method::Describe,
            "ANNOUNCE" => Method::Announce,
            "SETUP" => Method::Setup,
            "PLAY" => Method::Play,
            "PAUSE" => Method::Pause,
            "RECORD" => Method::Record,
            "TEARDOWN" => Method::Teardown,
            "GET_PARAMETER" => Method::GetParameter,
            "SET_PARAMETER" => Method::SetParameter,
            other => Method::Other(other.to_string()),
        }
    }

    /// As it stands on the wire.
    pub fn name(&self) -> &str {
        match self {
            Method::Options => "OPTIONS",
            Method::Describe => "DESCRIBE",
            Method::Announce => "ANNOUNCE",
            Method::Setup => "SETUP",
            Method::Play => "PLAY",
            Method::Pause => "PAUSE",
            Method::Record => "RECORD",
            Method::Teardown => "TEARDOWN",
            Method::GetParameter => "GET_PARAMETER",
            Method::SetParameter => "SET_PARAMETER",
            Method::Other(name) => name,
        }
    }
}

/// Headers by their names in small letters; several of one name are joined by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header, named in small letters.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

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
    /// The request that it answers.
    pub cseq: u32,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// One thing out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
    /// A packet between the messages (RFC 2326, 10.12).
    Packet {
        /// Its channel.
        channel: u8,
        /// What it carries.
        payload: Bytes,
    },
}

/// Why the stream cannot be read on. The connection ends with this answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Broken {
    /// What to answer.
    pub status: Status,
    /// One lowercase sentence.
    pub reason: &'static str,
    /// The request's number, if it could be read.
    pub cseq: Option<u32>,
    /// The limit that was broken, a word for the counters.
    pub limit: Option<&'static str>,
}

impl Broken {
    fn bad(reason: &'static str) -> Broken {
        Broken { status: Status::BAD_REQUEST, reason, cseq: None, limit: None }
    }

    fn over(status: Status, limit: &'static str, reason: &'static str) -> Broken {
        Broken { status, reason, cseq: None, limit: Some(limit) }
    }
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
    /// Blank lines since the last message or packet.
    blanks: usize,
    /// Length of the head, once it is there, and what it says.
    head: Option<(usize, Facts)>,
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
        self.skip_blank_lines()?;
        match self.buffer.first() {
            None => return Ok(None),
            Some(b'\r') => return Ok(None),
            Some(b'$') => return Ok(self.packet()),
            Some(first) if first.is_ascii_uppercase() => {}
            Some(_) => return Err(Broken::bad("neither a message nor a packet begins here")),
        }
        if self.head.is_none() {
            let Some(length) = self.find_head()? else { return Ok(None) };
            self.head = Some((length, Facts::read(self.buffer.get(..length).unwrap_or(&[]))?));
        }
        let there = self.buffer.len();
        let whole = |(length, facts): &mut (usize, Facts)| length.saturating_add(facts.body) <= there;
        let Some((length, facts)) = self.head.take_if(whole) else { return Ok(None) };
        let message = self.buffer.split_to(length.saturating_add(facts.body)).freeze();
        (self.line, self.seen, self.lines, self.blanks) = (0, 0, 0, 0);
        parsed(&message, length, &facts).map(Some).map_err(|e| Broken { cseq: Some(facts.cseq), ..e })
    }

    fn skip_blank_lines(&mut self) -> Result<(), Broken> {
        if self.seen > 0 {
            return Ok(());
        }
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.blanks = self.blanks.saturating_add(1);
            if self.blanks > limits::BLANK_LINES {
                return Err(Broken::bad("nothing but blank lines"));
            }
        }
        if self.buffer.len() > 1 && self.buffer.first() == Some(&b'\r') {
            return Err(Broken::bad("a carriage return without its line feed"));
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
            if line.last() != Some(&b'\r') {
                return Err(Broken::bad("a line ends without a carriage return"));
            }
            let blank = line.len() == 1;
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

/// What must be known of a head before it is parsed.
#[derive(Debug)]
struct Facts {
    /// A request's URL as it stands there.
    uri: Option<String>,
    cseq: u32,
    body: usize,
}

impl Facts {
    fn read(head: &[u8]) -> Result<Facts, Broken> {
        let text = std::str::from_utf8(head).map_err(|_| Broken::bad("the head is no UTF-8"))?;
        let mut lines = text.split("\r\n");
        let uri = first_line(lines.next().unwrap_or_default())?;
        let (mut cseq, mut body) = (None, None);
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                return Err(Broken::bad("a header goes on over a second line"));
            }
            let (name, value) = line.split_once(':').ok_or(Broken::bad("a header without a colon"))?;
            let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(token) {
                return Err(Broken::bad("a header with a strange name"));
            }
            if value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(Broken::bad("a header with a control character"));
            }
            let value = value.trim();
            if name.eq_ignore_ascii_case("cseq") {
                let number = number(value).ok_or(Broken::bad("CSeq is no number"))?;
                if cseq.replace(number).is_some() {
                    return Err(Broken::bad("CSeq comes twice"));
                }
            } else if name.eq_ignore_ascii_case("content-length") {
                let number = number(value).ok_or(Broken::bad("Content-Length is no number"))?;
                if body.replace(number).is_some() {
                    return Err(Broken::bad("Content-Length comes twice"));
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Broken::bad("a body without a length"));
            }
        }
        let cseq = cseq.ok_or(Broken::bad("CSeq is missing"))?;
        let body = usize::try_from(body.unwrap_or(0)).unwrap_or(usize::MAX);
        if body > limits::BODY {
            let over = Broken::over(Status::TOO_LARGE, "rtsp_body", "the body is too large");
            return Err(Broken { cseq: Some(cseq), ..over });
        }
        Ok(Facts { uri, cseq, body })
    }
}

/// The URL of a request line, none of a status line.
fn first_line(line: &str) -> Result<Option<String>, Broken> {
    if let Some(rest) = line.strip_prefix("RTSP/1.0 ") {
        let plain = !rest.chars().any(char::is_control);
        return if plain { Ok(None) } else { Err(Broken::bad("the status line has a control character")) };
    }
    let mut words = line.split(' ');
    let (Some(_), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Broken::bad("the first line is no request"));
    };
    if !uri.bytes().all(|b| b.is_ascii_graphic()) || uri.is_empty() {
        return Err(Broken::bad("the URL has a strange character"));
    }
    match version {
        "RTSP/1.0" => Ok(Some(uri.to_string())),
        _ if version.starts_with("RTSP/") => Err(Broken {
            status: Status::VERSION_NOT_SUPPORTED,
            ..Broken::bad("this server speaks RTSP/1.0")
        }),
        _ => Err(Broken::bad("the first line is no RTSP request")),
    }
}

/// Digits only, at most 2^32 - 1.
fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn parsed(message: &Bytes, head: usize, facts: &Facts) -> Result<Incoming, Broken> {
    let unreadable = || Broken::bad("the message cannot be read");
    let body = message.slice(head.min(message.len())..);
    let headers = |all: &mut dyn Iterator<Item = (&rtsp_types::HeaderName, &rtsp_types::HeaderValue)>| {
        Headers(all.map(|(n, v)| (n.as_str().to_ascii_lowercase(), v.as_str().to_string())).collect())
    };
    match rtsp_types::Message::<Vec<u8>>::parse(&message[..]) {
        Ok((rtsp_types::Message::Request(request), _)) => Ok(Incoming::Request(Request {
            method: Method::of(request.method().into()),
            uri: facts.uri.clone().unwrap_or_default(),
            cseq: facts.cseq,
            headers: headers(&mut request.headers()),
            body,
        })),
        Ok((rtsp_types::Message::Response(response), _)) => Ok(Incoming::Response(Response {
            status: Status(response.status().into()),
            phrase: response.reason_phrase().to_string(),
            cseq: facts.cseq,
            headers: headers(&mut response.headers()),
            body,
        })),
        _ => Err(unreadable()),
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
