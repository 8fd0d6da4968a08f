//! Which stream on a server: the application and the name in it. `live/cam` and `other/cam` are two streams.

use std::fmt;

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

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application, self.name)
    }
}
