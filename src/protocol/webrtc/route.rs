//! What a path names: `/live/NAME/whep`, `/live/NAME/whip`, each session below them, and the short forms without the
//! application. Pure.

use crate::model::StreamName;
use crate::model::stream_name::is_name;
use crate::protocol::web_access::path::stream_of;

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a viewer (WHEP).
    Out,
    /// From a publisher (WHIP, RFC 9725).
    In,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream as it was named.
    pub stream: StreamName,
    /// The way.
    pub way: Way,
    /// The session, if one is meant.
    pub session: Option<String>,
}

/// The longest key of a session.
const LONGEST: usize = 64;

impl Route {
    /// What `path` names; `applications` as for HLS.
    pub fn of(path: &str, applications: &[String]) -> Option<Route> {
        stream_of(path, applications, Route::within, |route| &route.stream)
    }

    fn within(application: &str, rest: &str) -> Option<Route> {
        let mut names = rest.split('/');
        let (stream, way, session) = (names.next()?, names.next()?, names.next());
        let way = match way {
            "whep" => Way::Out,
            "whip" => Way::In,
            _ => return None,
        };
        let is_key = |key: &str| {
            (1..=LONGEST).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        };
        let whole = is_name(stream) && names.next().is_none() && session.is_none_or(is_key);
        whole.then(|| Route {
            stream: StreamName::new(application, stream),
            way,
            session: session.map(str::to_string),
        })
    }
}

impl Way {
    /// The last word of its path.
    pub const fn word(self) -> &'static str {
        match self {
            Way::Out => "whep",
            Way::In => "whip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_forms_name_the_same() {
        let of = |path: &str| Route::of(path, &["live".into(), "tv/one".into()]);
        let route = |application: &str, name: &str, way, session: Option<&str>| {
            Some(Route {
                stream: StreamName::new(application, name),
                way,
                session: session.map(str::to_string),
            })
        };
        assert_eq!(of("/live/cam/whep"), route("live", "cam", Way::Out, None));
        assert_eq!(of("/cam_720p/whip"), route("live", "cam_720p", Way::In, None));
        assert_eq!(of("/tv/one/cam/whep/0a-9"), route("tv/one", "cam", Way::Out, Some("0a-9")));
        assert_eq!(of("/live/studio/whep"), route("live", "studio", Way::Out, None));
        for path in [
            "/studio/whep",
            "/live/cam",
            "/live/cam/whep/",
            "/live/cam/whep/x/y",
            "/live/cam/whep/..",
            "whep",
            "/cam/whep/zz",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
