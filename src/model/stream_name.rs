//! Which stream on a server: the application and the name in it. `live/cam` and `other/cam` are two streams.

use std::fmt;

/// Longest name in an application, in bytes.
const LONGEST: usize = 128;

/// The name of a stream on a server. Both parts come from outside and have passed the rules of the protocol that brought
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// The application (`live`).
    pub application: String,
    /// The name in it (`cam_720p`).
    pub name: String,
}

impl StreamName {
    /// Of an application and a name.
    pub fn new(application: impl Into<String>, name: impl Into<String>) -> StreamName {
        StreamName { application: application.into(), name: name.into() }
    }
}

/// Whether a name follows the rule of every protocol: `^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$`.
pub fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    first && text.len() <= LONGEST && text.bytes().all(inner)
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application, self.name)
    }
}
