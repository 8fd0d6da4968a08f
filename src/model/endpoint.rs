//! URLs with a role. Parsed here once; credentials and queries are secrets from then on.
//!
//! Hand-written, because the general URL grammar accepts what the programs behind (ffmpeg, nginx-rtmp, VLC) read
//! differently: the part that matters is small and the refusals must name what is wrong.

use crate::base::percent::coded;
use crate::base::secret::{MASK, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is no usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No scheme, or one that cannot serve this role.
    #[error("it must begin with {0}")]
    Scheme(&'static str),
    /// Nothing between the scheme and the first slash.
    #[error("it names no host")]
    NoHost,
    /// A host with characters that no host has.
    #[error("'{0}' is not a host name or address")]
    BadHost(String),
    /// A port outside 1 to 65535.
    #[error("'{0}' is not a port (1 to 65535)")]
    BadPort(String),
    /// Blank or control characters, quotes or backslashes; non-ASCII letters.
    #[error("it holds '{}', which must be written as %XX in a URL", .0.escape_debug())]
    BadCharacter(char),
    /// An RTMP URL without an application.
    #[error("it names no application; write it like rtmp://host:1935/live")]
    NoApplication,
    /// Longer than any server takes.
    #[error("it is longer than 2048 characters")]
    TooLong,
}

/// The parts every role shares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Parts {
    scheme: String,
    user: Option<Secret>,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<Secret>,
}

fn parse(text: &str, schemes: &[&str], wanted: &'static str) -> Result<Parts, Error> {
    if text.len() > 2048 {
        return Err(Error::TooLong);
    }
    let (scheme, rest) = text.split_once("://").ok_or(Error::Scheme(wanted))?;
    let scheme = scheme.to_ascii_lowercase();
    if !schemes.contains(&scheme.as_str()) {
        return Err(Error::Scheme(wanted));
    }
    if let Some(bad) =
        rest.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | '<' | '>' | '`'))
    {
        return Err(Error::BadCharacter(bad));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(Secret::new(user)), address),
        None => (None, authority),
    };
    let (host, port) = split_port(address)?;
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(Secret::new(query))),
        None => (tail, None),
    };
    Ok(Parts { scheme, user, host, port, path: path.to_string(), query })
}

fn split_port(address: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (inner, after) = rest.split_once(']').ok_or_else(|| Error::BadHost(address.to_string()))?;
        if inner.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(Error::BadHost(address.to_string()));
        }
        let port = match after {
            "" => None,
            other => Some(other.strip_prefix(':').ok_or_else(|| Error::BadHost(address.to_string()))?),
        };
        (format!("[{inner}]"), port)
    } else {
        let (host, port) = match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        };
        if host.is_empty() {
            return Err(Error::NoHost);
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !host.chars().all(fits) || host.starts_with(['-', '.']) || host.len() > 253 {
            return Err(Error::BadHost(host.to_string()));
        }
        (host.to_string(), port)
    };
    let port = match port {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(n) if n > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Some(n),
            _ => return Err(Error::BadPort(text.to_string())),
        },
    };
    Ok((host, port))
}

impl Parts {
    fn write(&self, path: &str, reveal: bool) -> String {
        let mut url = format!("{}://", self.scheme);
        if let Some(user) = &self.user {
            url.push_str(if reveal { user.reveal() } else { MASK });
            url.push('@');
        }
        url.push_str(&self.host);
        if let Some(port) = self.port {
            url.push_str(&format!(":{port}"));
        }
        url.push_str(path);
        if let Some(query) = &self.query {
            url.push('?');
            url.push_str(if reveal { query.reveal() } else { MASK });
        }
        url
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn local(&self) -> bool {
        let host = self.bare_host();
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident, $schemes:expr, $wanted:expr, $default_port:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Parts);

        impl $name {
            /// The host as a resolver wants it, without brackets.
            pub fn host(&self) -> &str {
                self.0.bare_host()
            }

            /// The port, the scheme's own if none was given.
            pub fn port(&self) -> u16 {
                let default: fn(&str) -> u16 = $default_port;
                self.0.port.unwrap_or_else(|| default(&self.0.scheme))
            }

            /// Whether the host is this machine by name or loopback address.
            pub fn is_local(&self) -> bool {
                self.0.local()
            }

            /// The path with its leading slash, without one at the end; empty where there is none.
            pub fn path(&self) -> &str {
                &self.0.path
            }

            /// The scheme, lowercase.
            pub fn scheme(&self) -> &str {
                &self.0.scheme
            }

            /// The whole URL, secrets included: for the program that needs it, never for showing.
            pub fn reveal(&self) -> String {
                self.0.write(&self.0.path, true)
            }

            /// Whether it carries credentials or a query.
            pub fn has_secrets(&self) -> bool {
                self.0.user.is_some() || self.0.query.is_some()
            }

            /// The secret parts themselves, for a redactor.
            pub fn secrets(&self) -> Vec<&str> {
                self.0.user.iter().chain(self.0.query.iter()).map(Secret::reveal).collect()
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<$name, Error> {
                let mut parts = parse(text, $schemes, $wanted)?;
                let check: fn(&mut Parts) -> Result<(), Error> = $check;
                check(&mut parts)?;
                Ok($name(parts))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.write(&self.0.path, false))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.reveal())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn no_trailing_slash(parts: &mut Parts) -> Result<(), Error> {
    parts.path.truncate(parts.path.trim_end_matches('/').len());
    Ok(())
}

role!(
    /// Where renditions are pushed: `rtmp://host[:port]/application`. Serialised with its secrets: such JSON travels
    /// only through the pipe to the supervisor, never into a file.
    RtmpUrl, &["rtmp", "rtmps"], "rtmp:// or rtmps://", |s| if s == "rtmps" { 443 } else { 1935 }, |parts| {
        no_trailing_slash(parts)?;
        if parts.path.trim_matches('/').is_empty() { Err(Error::NoApplication) } else { Ok(()) }
    }
);
role!(
    /// A control endpoint: `/stat` of nginx-rtmp or the API of MediaMTX.
    HttpUrl, &["http", "https"], "http:// or https://", |s| if s == "https" { 443 } else { 80 }, no_trailing_slash
);
role!(
    /// Where renditions are read: `rtsp://host[:port]`.
    RtspUrl, &["rtsp", "rtsps"], "rtsp:// or rtsps://", |s| if s == "rtsps" { 322 } else { 554 }, no_trailing_slash
);
role!(
    /// A live stream to publish again. Whoever takes one asks [`SourceUrl::reaches_others`] whether it may be opened
    /// without a word of the user.
    SourceUrl, &["rtmp", "rtmps", "rtsp", "rtsps", "srt", "http", "https"], "rtmp://, rtmps://, rtsp://, rtsps:// or srt://",
    |s| match s {
        "rtsp" => 554, "rtsps" => 322, "rtmps" | "https" => 443, "srt" => 9000, "http" => 80, _ => 1935,
    }, |_| Ok(())
);

impl SourceUrl {
    /// Whether it is RTMP, plain or over TLS.
    pub fn is_rtmp(&self) -> bool {
        matches!(self.scheme(), "rtmp" | "rtmps")
    }

    /// Whether opening it may reach hosts that it does not name: an HLS playlist names segments, variants and keys
    /// wherever it likes, and any answer may lead elsewhere (all four ways measured with ffmpeg 5.1.9).
    pub fn reaches_others(&self) -> bool {
        matches!(self.scheme(), "http" | "https")
    }
}

impl RtmpUrl {
    /// The application, without slashes at its ends: `live`.
    pub fn application(&self) -> &str {
        self.0.path.trim_matches('/')
    }

    /// The URL of one name in this application, secrets included.
    pub fn name_url(&self, name: &str) -> String {
        self.0.write(&format!("{}/{name}", self.0.path), true)
    }

    /// As [`RtmpUrl::name_url`] with secrets masked.
    pub fn shown_name_url(&self, name: &str) -> String {
        self.0.write(&format!("{}/{name}", self.0.path), false)
    }

    /// This URL with a user and a password, as the server built into msconv takes them over RTMP: in the query.
    pub fn with_login(&self, user: &str, password: &str) -> RtmpUrl {
        let query = format!("user={}&pass={}", coded(user), coded(password));
        RtmpUrl(Parts { query: Some(Secret::new(query)), ..self.0.clone() })
    }

    /// What [`RtmpUrl::with_login`] has added: our own server takes it over HLS too.
    pub fn login(&self) -> Option<&Secret> {
        let made = |query: &&Secret| query.reveal().starts_with("user=") && query.reveal().contains("&pass=");
        self.0.query.as_ref().filter(made)
    }

    /// The control endpoint that stands beside this server unless told otherwise.
    pub fn beside(&self, port: u16, path: &str) -> HttpUrl {
        HttpUrl(Parts {
            scheme: "http".into(),
            user: None,
            host: self.0.host.clone(),
            port: Some(port),
            path: path.into(),
            query: None,
        })
    }

    /// The RTSP endpoint that stands beside this server unless told otherwise.
    pub fn rtsp_beside(&self, port: u16) -> RtspUrl {
        RtspUrl(Parts {
            scheme: "rtsp".into(),
            user: None,
            host: self.0.host.clone(),
            port: Some(port),
            path: String::new(),
            query: None,
        })
    }
}

impl RtspUrl {
    /// This URL with a user and a password.
    pub fn with_login(&self, user: &str, password: &str) -> RtspUrl {
        let login = format!("{}:{}", coded(user), coded(password));
        RtspUrl(Parts { user: Some(Secret::new(login)), ..self.0.clone() })
    }

    /// The URL of one name, secrets included.
    pub fn name_url(&self, name: &str) -> String {
        self.0.write(&format!("{}/{name}", self.0.path), true)
    }

    /// As [`RtspUrl::name_url`] with secrets masked.
    pub fn shown_name_url(&self, name: &str) -> String {
        self.0.write(&format!("{}/{name}", self.0.path), false)
    }
}

impl HttpUrl {
    /// This URL with more path behind it, secrets included.
    pub fn join(&self, tail: &str) -> String {
        self.0.write(&format!("{}{tail}", self.0.path), true)
    }

    /// Another port of the same host, over plain HTTP, without path and login.
    pub fn beside(&self, port: u16) -> HttpUrl {
        let (scheme, host) = ("http".into(), self.0.host.clone());
        HttpUrl(Parts { scheme, user: None, host, port: Some(port), path: String::new(), query: None })
    }

    /// The same over TLS, if `encrypted`.
    pub fn over_tls(self, encrypted: bool) -> HttpUrl {
        let scheme = if encrypted { "https".into() } else { self.0.scheme.clone() };
        HttpUrl(Parts { scheme, ..self.0 })
    }

    /// `host:port`, for messages.
    pub fn address(&self) -> String {
        format!("{}:{}", self.0.host, self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn logins_are_added_and_never_shown() {
        let rtmp: RtmpUrl = "rtmp://localhost/live".parse().unwrap();
        let rtmp = rtmp.with_login("publish", "p@ss&wörd?");
        assert_eq!(rtmp.name_url("a"), "rtmp://localhost/live/a?user=publish&pass=p%40ss%26w%C3%B6rd%3F");
        assert_eq!(rtmp.to_string(), "rtmp://localhost/live?***");
        assert_eq!(rtmp.reveal().parse::<RtmpUrl>().unwrap(), rtmp);
        let rtsp: RtspUrl = "rtsp://[::1]:8554".parse().unwrap();
        let rtsp = rtsp.with_login("read", "a:b/c");
        assert_eq!(rtsp.name_url("x"), "rtsp://read:a%3Ab%2Fc@[::1]:8554/x");
        assert_eq!(rtsp.to_string(), "rtsp://***@[::1]:8554");
    }

    #[test]
    fn reads_rtmp() {
        let url: RtmpUrl = "rtmp://localhost:1935/live/".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.application()), ("localhost", 1935, "live"));
        assert_eq!(url.name_url("x_720p"), "rtmp://localhost:1935/live/x_720p");
        assert!(url.is_local());
        let url: RtmpUrl = "rtmp://u:p@[::1]/a/b?t=1".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.application()), ("::1", 1935, "a/b"));
        assert_eq!(url.name_url("x"), "rtmp://u:p@[::1]/a/b/x?t=1");
        assert_eq!(url.to_string(), "rtmp://***@[::1]/a/b?***");
        assert_eq!(url.beside(8080, "/stat").to_string(), "http://[::1]:8080/stat");
    }

    #[test]
    fn one_error_per_way_to_be_wrong() {
        let wrong = |text: &str| text.parse::<RtmpUrl>().expect_err(text);
        assert_eq!(wrong("http://h/live"), Error::Scheme("rtmp:// or rtmps://"));
        assert_eq!(wrong("localhost:1935/live"), Error::Scheme("rtmp:// or rtmps://"));
        assert_eq!(wrong("rtmp:///live"), Error::NoHost);
        assert_eq!(wrong("rtmp://h:0/live"), Error::BadPort("0".into()));
        assert_eq!(wrong("rtmp://h:99999/live"), Error::BadPort("99999".into()));
        assert_eq!(wrong("rtmp://h:1x/live"), Error::BadPort("1x".into()));
        assert_eq!(wrong("rtmp://h/li ve"), Error::BadCharacter(' '));
        assert_eq!(wrong("rtmp://h$/live"), Error::BadHost("h$".into()));
        assert_eq!(wrong("rtmp://[::x]/live"), Error::BadHost("[::x]".into()));
        assert_eq!(wrong("rtmp://h"), Error::NoApplication);
        assert_eq!(wrong("rtmp://h/"), Error::NoApplication);
        assert_eq!(wrong(&format!("rtmp://h/{}", "a".repeat(3000))), Error::TooLong);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(text in "(rtmp|rtmps)://([a-z]{1,5}:[a-z]{1,5}@)?[a-z]{1,9}(:[1-9][0-9]{0,3})?/[a-z/]{1,9}[a-z]") {
            let url: RtmpUrl = text.parse().unwrap();
            prop_assert_eq!(url.reveal(), text);
            if let Some(user) = &url.0.user {
                prop_assert!(!url.to_string().contains(user.reveal()) || user.reveal().len() < 3);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = text.parse::<SourceUrl>();
            let _ = format!("rtsp://{text}").parse::<RtspUrl>();
        }
    }
}
