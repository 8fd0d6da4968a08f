//! The head of a message: its first line and its headers (RFC 2326, 4 to 7), as devices write them. Lines end with or
//! without a carriage return, may be folded, and may hold bytes of any character set; headers that are no headers are
//! passed over. What has to be known (who is asked what, `CSeq`, the length of the body) must be readable.

use super::broken::Broken;
use super::limits;
use super::method::Method;
use super::status::Status;
use std::collections::BTreeMap;

/// Headers by their names in small letters; several of one name are joined by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header, named in small letters, if it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn add(&mut self, name: &str, value: &str) {
        let known = self.0.entry(name.to_ascii_lowercase()).or_default();
        if !known.is_empty() && !value.is_empty() {
            known.push_str(", ");
        }
        known.push_str(value);
    }
}

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// A request.
    Request {
        /// What is asked for.
        method: Method,
        /// Of what, as it came.
        uri: String,
    },
    /// A response.
    Response {
        /// Its status.
        status: Status,
        /// The words beside it.
        phrase: String,
    },
    /// A request of HTTP.
    Http {
        /// What is asked for, as it came.
        method: String,
    },
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first line.
    pub first: First,
    /// The headers.
    pub headers: Headers,
    /// The message's number; requests have one.
    pub cseq: Option<u32>,
    /// Bytes of the body behind the head.
    pub body: usize,
}

impl Head {
    /// Reads a whole head.
    ///
    /// # Errors
    /// What is no head, or says what is needed in a way that cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Head, Broken> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let first = first_line(lines.next().unwrap_or_default())?;
        let mut head = Head { first, headers: Headers::default(), cseq: None, body: 0 };
        for line in unfolded(lines) {
            let Some((name, value)) = header(&line) else { continue };
            match name.to_ascii_lowercase().as_str() {
                "cseq" => head.cseq = Some(cseq(value, head.cseq)?),
                "transfer-encoding" => return Err(Broken::bad("a body without a length")),
                _ => {}
            }
            head.headers.add(name, value);
        }
        match head.first {
            First::Http { .. } => return Ok(head),
            First::Request { .. } if head.cseq.is_none() => return Err(Broken::bad("CSeq is missing")),
            _ => {}
        }
        // Two lengths, joined by a comma, are none: who is to know where the next message begins.
        let length = head.headers.get("content-length");
        let length = length.map_or(Some(0), number).ok_or(Broken::bad("Content-Length is no number"))?;
        head.body = usize::try_from(length).unwrap_or(usize::MAX);
        if head.body > limits::BODY {
            let over = Broken::over(Status::TOO_LARGE, "rtsp_body", "the body is too large");
            return Err(Broken { cseq: head.cseq, ..over });
        }
        Ok(head)
    }
}

/// Header lines, each with the lines that it goes on over, without control characters.
fn unfolded<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        let clean = line.chars().map(|c| if c.is_control() { ' ' } else { c });
        match out.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.extend(clean.skip_while(|c| *c == ' '));
            }
            _ => out.push(clean.collect()),
        }
    }
    out
}

/// The name and the value of a header; nothing for what is none.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!name.is_empty() && name.bytes().all(token)).then(|| (name, value.trim()))
}

/// A message's number; some write the method behind it, as SIP does.
fn cseq(value: &str, before: Option<u32>) -> Result<u32, Broken> {
    let number = value.split_whitespace().next().and_then(number).ok_or(Broken::bad("CSeq is no number"))?;
    match before {
        Some(before) if before != number => Err(Broken::bad("CSeq comes twice")),
        _ => Ok(number),
    }
}

fn first_line(line: &str) -> Result<First, Broken> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if let [version, status, phrase @ ..] = &words[..]
        && is_version(version, "RTSP/1.")
    {
        let status = status.parse().map_err(|_| Broken::bad("the status line has no status"))?;
        let phrase = phrase.join(" ").chars().filter(|c| !c.is_control()).collect();
        return Ok(First::Response { status: Status(status), phrase });
    }
    let [method, uri @ .., version] = &words[..] else {
        return Err(Broken::bad("the first line is no request"));
    };
    if is_version(version, "HTTP/1.") {
        return Ok(First::Http { method: method.to_string() });
    }
    if !is_version(version, "RTSP/1.") {
        return Err(match is_version(version, "RTSP/") {
            true => {
                Broken { status: Status::VERSION_NOT_SUPPORTED, ..Broken::bad("this server speaks RTSP/1.0") }
            }
            false => Broken::bad("the first line is no RTSP request"),
        });
    }
    match uri {
        [uri] if uri.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(First::Request { method: Method::of(method), uri: uri.to_string() })
        }
        [] => Err(Broken::bad("the first line names no URL")),
        _ => Err(Broken::bad("the URL has a strange character")),
    }
}

fn is_version(word: &str, begin: &str) -> bool {
    word.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin))
}

/// Digits only, at most 2^32 - 1.
fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}
