//! Secrets as a type that prints redacted, and the one redactor that every outgoing line passes.
//!
//! What counts: the user part of a URL, its query, and any text that was declared secret (a stream key read from a
//! file, for instance).

use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Text that must not be shown. `Display` and `Debug` print [`MASK`]; [`Secret::reveal`] is the only way to the value.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The value itself; for handing it to the one who needs it, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Takes secrets out of lines. Cheap to clone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// A redactor that knows no secret by name and still masks credentials in URLs.
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// Adds a text to mask wherever it occurs; texts under 3 characters are not added, they would mask everything.
    pub fn learn(&mut self, secret: &str) {
        if secret.chars().count() >= 3 && !self.secrets.iter().any(|s| s.reveal() == secret) {
            self.secrets.push(Secret::new(secret));
            // Longest first, so that a secret that contains another is masked whole.
            self.secrets.sort_by_key(|s| std::cmp::Reverse(s.reveal().len()));
        }
    }

    /// `line` without secrets.
    pub fn clean(&self, line: &str) -> String {
        let mut text = redact_urls(line);
        for secret in &self.secrets {
            if text.contains(secret.reveal()) {
                text = text.replace(secret.reveal(), MASK);
            }
        }
        text
    }
}

/// Masks `user:password@` and `?query` in every URL of a line.
pub fn redact_urls(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '|'))
            .unwrap_or(tail.len());
        let (url, after) = tail.split_at(end);
        out.push_str(&redact_one(url));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Masks the part of a URL that follows `scheme://`.
fn redact_one(url: &str) -> String {
    let authority_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    // A password may itself hold '/' or '?' unescaped; the last '@' before a blank wins where the authority has none.
    let (authority, path) = url.split_at(authority_end);
    let mut out = String::with_capacity(url.len());
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            out.push_str(MASK);
            out.push('@');
            out.push_str(host);
        }
        None => out.push_str(authority),
    }
    match path.split_once('?') {
        Some((path, query)) => {
            out.push_str(path);
            out.push('?');
            out.push_str(MASK);
            // Keep what closes a sentence around the URL (ffmpeg writes `url: reason`).
            if query.ends_with([':', ',', ')', ']']) {
                out.push_str(query.get(query.len() - 1..).unwrap_or_default());
            }
        }
        None => out.push_str(path),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_redacted() {
        let secret = Secret::new("hunter22");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    #[test]
    fn masks_credentials_in_urls() {
        assert_eq!(
            redact_urls("Error opening rtsp://bob:pw@cam.local:554/a?token=1: refused"),
            "Error opening rtsp://***@cam.local:554/a?***: refused"
        );
        assert_eq!(redact_urls("rtmp://localhost:1935/live/x"), "rtmp://localhost:1935/live/x");
        assert_eq!(redact_urls("no url here"), "no url here");
    }

    #[test]
    fn masks_known_secrets_anywhere() {
        let mut redactor = Redactor::new();
        redactor.learn("live_abc");
        redactor.learn("live_abc_def");
        redactor.learn("ab");
        assert_eq!(redactor.clean("key live_abc_def and live_abc ab"), "key *** and *** ab");
    }
}
