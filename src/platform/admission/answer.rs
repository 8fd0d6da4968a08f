//! What goes to the back end and what comes from it, as plain values.

use crate::model::stream_name::is_name;
use std::fmt;
use std::time::Duration;

/// The largest body of an answer that is read, in bytes.
pub const LARGEST_ANSWER: usize = 64 * 1024;
/// The longest lifetime that an answer can give.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// A request. Its URL and its body hold secrets, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// How.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Fields beside those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for a GET.
    pub body: String,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} *** ({} bytes)", self.method, self.body.len())
    }
}

/// An answer, of whatever status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// `Location`, if there is one.
    pub location: Option<String>,
    /// The body, at most [`LARGEST_ANSWER`].
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Whether the status says that it went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether whoever stands before the back end says that there is none at the moment, or it says that it is broken.
    pub fn is_fault(&self) -> bool {
        self.status >= 500
    }

    /// The body as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as a reason that can be shown, if it is a short plain text.
    pub fn reason(&self) -> Option<String> {
        let text = self.text();
        let text = text.trim();
        let plain = !text.is_empty() && text.len() <= 200 && !text.starts_with(['<', '{', '[', '"']);
        plain.then(|| text.to_string())
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allowed(Box<Allowed>),
    /// It may not, perhaps for a reason that can be shown.
    Refused(Option<String>),
    /// Not without a user and a password, which it has to be asked for.
    NeedsLogin,
}

impl Verdict {
    /// It may be done, and nothing more is said.
    pub fn plain() -> Verdict {
        Verdict::Allowed(Box::default())
    }

    /// Allowed or refused without a word.
    pub fn either(allowed: bool) -> Verdict {
        if allowed { Verdict::plain() } else { Verdict::Refused(None) }
    }
}

/// What comes with a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The stream's public name, if it is another than the one that was shown.
    pub name: Option<String>,
    /// Whose it is.
    pub user: String,
    /// For how long, from the answer on.
    pub lifetime: Option<Duration>,
    /// The ladder that the stream is to have, in the words of `--ladder`.
    pub ladder: Option<String>,
    /// Whether it is to be recorded.
    pub record: Option<bool>,
}

impl Allowed {
    /// With this public name; one that breaks the rule of names is none.
    pub fn named(mut self, name: Option<&str>) -> Allowed {
        self.name = name.map(str::trim).filter(|name| is_name(name)).map(str::to_string);
        self
    }

    /// With an end at `until_ms`, unless it is far away. `None` if that is past.
    pub fn until(mut self, until_ms: Option<i64>, now_ms: i64) -> Option<Allowed> {
        let Some(until_ms) = until_ms else { return Some(self) };
        let left = u64::try_from(until_ms.saturating_sub(now_ms)).ok().filter(|left| *left > 0)?;
        self.lifetime = Some(Duration::from_millis(left)).filter(|left| *left < LONGEST_LIFE);
        Some(self)
    }
}
