//! Credentials of RTSP: Basic, and Digest with MD5 (RFC 2617), which RTSP clients know. What is shown is read here and
//! compared where the password is known.

use crate::auth::{Credentials, same};
use crate::base::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The realm of all challenges.
pub const REALM: &str = "msconv";
/// Longest credentials read, in bytes.
const LONGEST: usize = 2048;

/// What an `Authorization` header shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The answer to a challenge.
    Digest(Digest),
}

/// The answer to a challenge (RFC 2617, 3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    user: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    /// `qop`, `nc` and `cnonce`, if the client uses them.
    quality: Option<(String, String, String)>,
}

impl Shown {
    /// Reads a header. `None` for another scheme and for what cannot be read.
    pub fn read(header: &str) -> Option<Shown> {
        let (scheme, rest) = header.trim().split_at_checked(header.trim().find(' ')?)?;
        if header.len() > LONGEST {
            return None;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            let (user, password) = pair.split_once(':')?;
            return Some(Shown::Basic { user: user.into(), password: Secret::new(password) });
        }
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut all = parameters(rest);
        let mut take = |name: &str| all.remove(name);
        if take("algorithm").is_some_and(|a| !a.eq_ignore_ascii_case("md5")) {
            return None;
        }
        let quality = match take("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some((qop, take("nc")?, take("cnonce")?)),
            Some(_) => return None,
            None => None,
        };
        Some(Shown::Digest(Digest {
            user: take("username")?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            response: take("response")?,
            quality,
        }))
    }

    /// The user that they name.
    pub fn user(&self) -> &str {
        match self {
            Shown::Basic { user, .. } => user,
            Shown::Digest(digest) => &digest.user,
        }
    }

    /// Whether these are the credentials, shown for a request with `method` and in answer to `nonce`.
    pub fn fits(&self, wanted: &Credentials, method: &str, nonce: &str) -> bool {
        match self {
            Shown::Basic { user, password } => wanted.are(user, password.reveal()),
            Shown::Digest(digest) => {
                let ours = digest.expected(wanted.password(), method);
                let theirs = digest.response.to_ascii_lowercase();
                digest.nonce == nonce
                    && digest.realm == REALM
                    && same(wanted.user().as_bytes(), digest.user.as_bytes())
                        & same(ours.as_bytes(), theirs.as_bytes())
            }
        }
    }
}

impl Digest {
    fn expected(&self, password: &str, method: &str) -> String {
        let a1 = md5(&[&self.user, &self.realm, password]);
        let a2 = md5(&[method, &self.uri]);
        match &self.quality {
            Some((qop, nc, cnonce)) => md5(&[&a1, &self.nonce, nc, cnonce, qop, &a2]),
            None => md5(&[&a1, &self.nonce, &a2]),
        }
    }
}

/// The MD5 of parts joined by colons, in hexadecimal.
fn md5(parts: &[&str]) -> String {
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(parts.join(":")) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// `a=b, c="d"` by names in small letters.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut quoted = false;
    let all = text.split(|c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    });
    let pair = |one: &str| {
        let (name, value) = one.trim().split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_string()))
    };
    all.take(32).filter_map(pair).collect()
}

/// The challenges of a 401, the one to be preferred first; or, if `basic_only`, the one that asks for the password itself.
pub fn challenges(nonce: &str, basic_only: bool) -> Vec<String> {
    let digest = format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\"");
    let basic = format!("Basic realm=\"{REALM}\"");
    if basic_only { vec![basic] } else { vec![digest, basic] }
}

/// Our client's answer to a `WWW-Authenticate` header; `None` if it asks for what we do not know.
pub fn respond(challenge: &str, credentials: &Credentials, method: &str, uri: &str) -> Option<String> {
    let at = challenge.to_ascii_lowercase().find("digest ");
    let Some(rest) = at.and_then(|at| challenge.get(at.checked_add(7)?..)) else {
        let basic = challenge.to_ascii_lowercase().contains("basic");
        let pair = format!("{}:{}", credentials.user(), credentials.password());
        return basic.then(|| format!("Basic {}", STANDARD.encode(pair)));
    };
    let mut all = parameters(rest);
    let digest = Digest {
        user: credentials.user().to_string(),
        realm: all.remove("realm")?,
        nonce: all.remove("nonce")?,
        uri: uri.to_string(),
        ..Digest::default()
    };
    let response = digest.expected(credentials.password(), method);
    let Digest { user, realm, nonce, uri, .. } = digest;
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 2617, 3.5.
        let header = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
            cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let Some(Shown::Digest(digest)) = Shown::read(header) else { panic!() };
        assert_eq!(digest.expected("Circle Of Life", "GET"), digest.response);
    }

    #[test]
    fn both_schemes_there_and_back() {
        let bob = Credentials::new("bob", "p:w");
        let [digest, basic] = &challenges("77", false)[..] else { panic!() };
        for challenge in [digest.clone(), basic.clone(), format!("{digest}, {basic}")] {
            let header = respond(&challenge, &bob, "DESCRIBE", "rtsp://h/x").unwrap();
            let shown = Shown::read(&header).unwrap();
            assert_eq!(shown.user(), "bob");
            assert!(shown.fits(&bob, "DESCRIBE", "77"), "{header}");
            assert!(!shown.fits(&Credentials::new("bob", "other"), "DESCRIBE", "77"));
            assert!(!shown.fits(&Credentials::new("bo", "p:w"), "DESCRIBE", "77"));
            let plain = matches!(shown, Shown::Basic { .. });
            assert_eq!(shown.fits(&bob, "DESCRIBE", "78"), plain, "an old challenge");
            assert_eq!(shown.fits(&bob, "SETUP", "77"), plain, "another method");
            assert!(!format!("{shown:?}").contains("p:w"));
        }
        assert_eq!(respond("Bearer x", &bob, "A", "b"), None);
    }

    #[test]
    fn what_cannot_be_read() {
        for bad in [
            "",
            "Basic",
            "Basic !!!",
            "Basic Ym9i",
            "Digest",
            "Digest a",
            "Bearer abc",
            "Digest username=\"a\"",
        ] {
            assert_eq!(Shown::read(bad), None, "{bad}");
        }
        assert_eq!(Shown::read(&format!("Basic {}", "QUFB".repeat(1000))), None);
        let auth_int = "Digest username=a,realm=b,nonce=c,uri=d,response=e,qop=auth-int,nc=1,cnonce=2";
        assert_eq!(Shown::read(auth_int), None);
    }

    proptest! {
        #[test]
        fn any_header_is_borne(text in "(Basic|Digest|basic) .{0,80}") {
            let _ = Shown::read(&text);
            let _ = respond(&text, &Credentials::new("a", "b"), "OPTIONS", "*");
        }
    }
}
