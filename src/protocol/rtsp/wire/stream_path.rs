//! What a URL of RTSP names: a stream, and perhaps one of its tracks. `/<name>` is a stream of the first application,
//! `/<application>/<name>` of the one it names; the query is cut off.

use crate::model::StreamName;
use crate::model::stream_name::is_name;

/// A stream as a URL names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPath {
    /// The stream: by the name that the URL shows, until its public one is known.
    pub stream: StreamName,
    /// The name that the URL shows, which may be a secret.
    pub shown: String,
    /// Whether the URL names the application.
    pub names_application: bool,
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

impl StreamPath {
    /// The stream that `uri` names on a server with these applications, and what stands behind its name (a track, as a rule).
    ///
    /// # Errors
    /// Why it names none.
    pub fn of(uri: &str, applications: &[String]) -> Result<(StreamPath, Option<String>), BadPlace> {
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
        let Some(name) = segments.pop() else { return Err(BadPlace::Nothing) };
        let application = (!segments.is_empty()).then(|| segments.join("/"));
        if application.as_ref().is_some_and(|named| !applications.contains(named)) {
            return Err(BadPlace::Name);
        }
        if !is_name(name) {
            return Err(BadPlace::Name);
        }
        let base = match &application {
            Some(application) => format!("{host}/{application}/{name}"),
            None => format!("{host}/{name}"),
        };
        let names_application = application.is_some();
        let application = application.or_else(|| applications.first().cloned()).unwrap_or_default();
        let stream = StreamName::new(application, name);
        let place = StreamPath { stream, shown: name.into(), names_application, query: query.into(), base };
        Ok((place, track.map(str::to_string)))
    }

    /// The stream is known by this public name from now on; its URL stays what it is.
    ///
    /// # Errors
    /// The name breaks the rule.
    pub fn rename(&mut self, public: String) -> Result<(), BadPlace> {
        if !is_name(&public) {
            return Err(BadPlace::Name);
        }
        self.stream.name = public;
        Ok(())
    }

    /// What `uri` names inside this place: its track's part of the path, empty for the whole. `None` if it lies
    /// elsewhere. Hosts are not compared: clients behind a gateway see another one.
    pub fn inside<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let rest = uri.split_once("://")?.1;
        let rest = rest.get(rest.find('/')?..)?.trim_start_matches('/');
        let rest = if self.names_application {
            rest.strip_prefix(self.stream.application.as_str())?.trim_start_matches('/')
        } else {
            rest
        };
        let rest = rest.strip_prefix(self.shown.as_str())?;
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
#[path = "stream_path_tests.rs"]
mod tests;
