//! What a URL of RTSP names: a stream, and perhaps one of its tracks. `/<name>` and `/live/<name>` are the same stream;
//! the query is cut off.

/// The application that may stand before a name.
pub const APPLICATION: &str = "live";
/// Longest name, in bytes.
const LONGEST: usize = 128;

/// A stream as a URL names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `live`, or empty if the URL has none.
    pub application: String,
    /// The stream's name.
    pub name: String,
    /// What stood behind the question mark. It may carry a secret.
    pub query: String,
    /// The URL without credentials, query and track: what tracks are relative to. No slash at its end.
    pub base: String,
}

/// Why a URL names no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// Another scheme, or none.
    #[error("the URL is no RTSP URL")]
    Scheme,
    /// There is no name in it.
    #[error("the URL names no stream")]
    Nothing,
    /// A name that is not taken.
    #[error(
        "a stream's name is 1 to 128 letters, digits, dots, dashes, underscores or tildes, a letter or digit first"
    )]
    Name,
}

/// `^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$`
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
    text.len() <= LONGEST
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(inner)
}

/// A URL in its parts: scheme and host without credentials, path with its slash, query.
fn parts(uri: &str) -> Option<(String, &str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    if !["rtsp", "rtspt", "rtspu"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) {
        return None;
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some((format!("rtsp://{host}"), path, query))
}

impl Place {
    /// The stream that `uri` names, and what stands behind its name (a track, as a rule).
    ///
    /// # Errors
    /// Why it names none.
    pub fn of(uri: &str) -> Result<(Place, Option<String>), BadPlace> {
        let (host, path, query) = parts(uri).ok_or(BadPlace::Scheme)?;
        // Clients that take the query for a part of the name write the track behind it.
        let (query, behind) = match query.rsplit_once('/') {
            Some((query, track)) if is_track(track) => (query, Some(track)),
            Some((query, "")) => (query, None),
            _ => (query, None),
        };
        let mut segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let track = match segments.last() {
            _ if behind.is_some() => behind,
            Some(last) if segments.len() > 1 && is_track(last) => segments.pop(),
            _ => None,
        };
        let (application, name) = match *segments {
            [] => return Err(BadPlace::Nothing),
            [name] => ("", name),
            [application, name] if application == APPLICATION => (application, name),
            _ => return Err(BadPlace::Name),
        };
        if !is_name(name) {
            return Err(BadPlace::Name);
        }
        let slash = if application.is_empty() { "" } else { "/" };
        let base = format!("{host}/{application}{slash}{name}");
        let place = Place { application: application.into(), name: name.into(), query: query.into(), base };
        Ok((place, track.map(str::to_string)))
    }

    /// What `uri` names inside this place: its track's part of the path, empty for the whole. `None` if it lies
    /// elsewhere. Hosts are not compared: clients behind a gateway see another one.
    pub fn inside<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let rest = uri.split_once("://")?.1;
        let rest = rest.get(rest.find('/')?..)?.trim_start_matches('/');
        let rest = match self.application.as_str() {
            "" => rest,
            application => rest.strip_prefix(application)?.trim_start_matches('/'),
        };
        let rest = rest.strip_prefix(self.name.as_str())?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let behind = match query.strip_prefix(self.query.as_str()) {
            Some(behind) if behind.is_empty() || behind.starts_with('/') => behind,
            // Another query than at first: the track may stand behind its last slash.
            _ => query.rfind('/').and_then(|at| query.get(at..)).unwrap_or_default(),
        };
        let track = if path.trim_matches('/').is_empty() { behind } else { path };
        (path.is_empty() || path.starts_with('/')).then(|| track.trim_matches('/'))
    }
}

/// Whether the last part of a path names a track in one of the ways in use: `trackID=0`, `streamid=1`, `stream=0`.
fn is_track(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, number)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=3).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> (String, String, String, Option<String>) {
        let (place, track) = Place::of(uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
        (place.application, place.name, place.query, track)
    }

    fn all(a: &str, n: &str, q: &str, t: Option<&str>) -> (String, String, String, Option<String>) {
        (a.into(), n.into(), q.into(), t.map(str::to_string))
    }

    #[test]
    fn names_in_all_spellings() {
        assert_eq!(of("rtsp://h/cam"), all("", "cam", "", None));
        assert_eq!(of("rtsp://h:8554/live/cam/"), all("live", "cam", "", None));
        assert_eq!(of("RTSP://u:p@[::1]:8554/live/cam?t=1"), all("live", "cam", "t=1", None));
        assert_eq!(of("rtsp://h/cam/trackID=1"), all("", "cam", "", Some("trackID=1")));
        assert_eq!(of("rtsp://h/live/cam/streamid=0?t=1"), all("live", "cam", "t=1", Some("streamid=0")));
        assert_eq!(of("rtsp://h/live/cam?t=a/b/streamid=0"), all("live", "cam", "t=a/b", Some("streamid=0")));
        assert_eq!(of("rtsp://h/live"), all("", "live", "", None));
        assert_eq!(of("rtsp://h/live/live"), all("live", "live", "", None));
        assert_eq!(Place::of("rtsp://u:p@h:1/live/a.b~c?x").unwrap().0.base, "rtsp://h:1/live/a.b~c");
    }

    #[test]
    fn strange_names_are_refused() {
        let long = format!("rtsp://h/{}", "x".repeat(129));
        for bad in [
            "rtsp://h/../../x",
            "rtsp://h/a%2e",
            "rtsp://h/.a",
            "rtsp://h/-a",
            "rtsp://h/a b",
            "rtsp://h/a/b",
            "rtsp://h/live/a/b",
            "rtsp://h/a;b",
            "rtsp://h/потоk",
            "rtsp://h/a\\b",
            &long,
        ] {
            assert_eq!(Place::of(bad).map(|p| p.0.name), Err(BadPlace::Name), "{bad}");
        }
        assert_eq!(Place::of("rtsp://h/").unwrap_err(), BadPlace::Nothing);
        assert_eq!(Place::of("rtsp://h").unwrap_err(), BadPlace::Nothing);
        assert_eq!(Place::of("*").unwrap_err(), BadPlace::Scheme);
        assert_eq!(Place::of("http://h/a").unwrap_err(), BadPlace::Scheme);
        assert_eq!(Place::of("/a").unwrap_err(), BadPlace::Scheme);
    }

    #[test]
    fn tracks_inside_a_place() {
        let place = Place::of("rtsp://h/live/cam?t=1").unwrap().0;
        for (uri, inside) in [
            ("rtsp://h/live/cam", Some("")),
            ("rtsp://h/live/cam/", Some("")),
            ("rtsp://other:99/live/cam/?t=1", Some("")),
            ("rtsp://h/live/cam/video", Some("video")),
            ("rtsp://h/live/cam/video?t=1", Some("video")),
            ("rtsp://h/live/cam?t=1/video", Some("video")),
            ("rtsp://h/live/cam?t=1", Some("")),
            ("rtsp://h/live/cam/?x=y/video", Some("video")),
            ("rtsp://h/live/camera", None),
            ("rtsp://h/live/other/video", None),
            ("rtsp://h/cam/video", None),
            ("*", None),
        ] {
            assert_eq!(place.inside(uri), inside, "{uri}");
        }
    }
}
