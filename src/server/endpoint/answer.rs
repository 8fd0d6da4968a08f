//! What an endpoint is asked and what it answers, without HTTP's wrapping.

/// What an endpoint answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Response {
    /// Success with a body.
    pub fn ok(content_type: &'static str, body: String) -> Response {
        Response { status: 200, content_type, body }
    }

    /// A sentence in plain text.
    pub fn text(status: u16, body: &str) -> Response {
        Response { status, content_type: "text/plain", body: body.to_string() }
    }
}

/// What is asked, taken apart: the path decoded, the query as pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET` (also for `HEAD`), `POST`, or another method.
    pub method: String,
    /// The path, decoded; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Names and values of the query, decoded, in its order.
    pub query: Vec<(String, String)>,
}

impl Request {
    /// Of a request line's method and target (`/v3/paths/list?page=1`).
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = if method == "HEAD" { "GET" } else { method };
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name, true), decoded(value, true))
            })
            .collect();
        Request { method: method.to_string(), path: decoded(path, false), query }
    }

    /// The first value of a name in the query; empty if there is none.
    pub fn value(&self, name: &str) -> &str {
        self.query.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Whether something is to be read.
    pub fn reads(&self) -> bool {
        self.method == "GET"
    }
}

/// Percent codes taken out (RFC 3986, 2.1), and in queries `+` for a blank. A broken code stays as it is.
fn decoded(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let pair = match (byte, rest.as_slice()) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest.nth(1);
            }
            None if byte == b'+' && plus => bytes.push(b' '),
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_a_target_apart() {
        let question = Request::new("HEAD", "/v3/paths/get/a%2Fb%20c+%zz%?page=1&x=%D0%BF+y&flag&=");
        assert_eq!(question.path, "/v3/paths/get/a/b c+%zz%");
        assert!(question.reads());
        assert_eq!((question.value("page"), question.value("x"), question.value("flag")), ("1", "п y", ""));
        assert_eq!(question.value("none"), "");
        assert_eq!(Request::new("GET", "*").path, "*");
    }

    proptest! {
        #[test]
        fn any_target_is_taken_apart(target in ".{0,80}") {
            let _ = Request::new("GET", &target);
        }
    }
}
