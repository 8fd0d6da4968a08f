//! Adobe's authentication for publishers, as `rtmp://user:password@host/app/name` makes ffmpeg, OBS and others do it
//! (never published; this is what those programs compute). It happens in three connections: `connect` is rejected with a
//! request for credentials, then with a challenge, then answered with a hash.
//!
//! Nothing is kept between them: the challenge carries its time, signed.

use super::name::raw_argument;
use crate::auth::{Credentials, Shown, same};
use crate::base::percent::decoded;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a challenge may be answered.
const CHALLENGE: Duration = Duration::from_secs(60);

/// What the rejection says to make a client ask for a challenge.
pub const NEED_AUTH: &str = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";

/// What the rejection of a wrong answer says.
pub const FAILED: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed";

/// What the arguments of an application ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdobeStep {
    /// Reject with this description: a challenge.
    Challenge(String),
    /// An answer to a challenge of ours that is not too old. Whether it is right has to be asked.
    Proof(Shown),
    /// An answer to no such challenge: reject with [`FAILED`].
    Failed,
}

/// The other side of the authentication.
#[derive(Clone, Copy, Debug)]
pub struct Guard<'a> {
    /// The server's own secret, made when it started.
    pub secret: &'a [u8; 32],
    /// Who asks.
    pub address: IpAddr,
    /// Time since the server started.
    pub now: Duration,
}

impl Guard<'_> {
    /// What to do about an application with these arguments; `None` if they ask for no authentication of this kind.
    pub fn step(&self, arguments: &str) -> Option<AdobeStep> {
        if raw_argument(arguments, "authmod") != Some("adobe") {
            return None;
        }
        let user = raw_argument(arguments, "user").unwrap_or_default();
        let Some(response) = raw_argument(arguments, "response") else {
            return Some(AdobeStep::Challenge(self.challenge(user)));
        };
        let challenge = raw_argument(arguments, "challenge").unwrap_or_default();
        let opaque = raw_argument(arguments, "opaque").unwrap_or_default();
        if !self.is_fresh(user, opaque) {
            return Some(AdobeStep::Failed);
        }
        let answered = Answered {
            user: user.into(),
            salt: self.salt(user),
            opaque: opaque.into(),
            challenge: challenge.into(),
            response: response.into(),
        };
        Some(AdobeStep::Proof(Shown::Proof {
            user: decoded(user),
            fits: Arc::new(move |wanted| answered.is_right(wanted)),
        }))
    }

    fn challenge(&self, user: &str) -> String {
        let opaque = self.opaque(user, self.now.as_secs());
        let salt = self.salt(user);
        format!(
            "[ AccessManager.Reject ] : [ authmod=adobe ] : \
             ?reason=needauth&user={user}&salt={salt}&challenge={opaque}&opaque={opaque}"
        )
    }

    fn salt(&self, user: &str) -> String {
        self.signed(&["salt", user], 4)
    }

    /// The time and its signature.
    fn opaque(&self, user: &str, seconds: u64) -> String {
        let time = format!("{seconds:x}");
        let address = self.address.to_canonical().to_string();
        let signature = self.signed(&["opaque", &time, &address, user], 12);
        format!("{time}-{signature}")
    }

    fn signed(&self, parts: &[&str], bytes: usize) -> String {
        let mut context = hmac::Context::with_key(&Key::new(HMAC_SHA256, self.secret));
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let tag = context.sign();
        tag.as_ref().iter().take(bytes).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Whether we made this challenge, for this user and address, and not long ago.
    fn is_fresh(&self, user: &str, opaque: &str) -> bool {
        let time = opaque.split_once('-').and_then(|(time, _)| u64::from_str_radix(time, 16).ok());
        let Some(time) = time else { return false };
        let age = self.now.as_secs().checked_sub(time);
        same(self.opaque(user, time).as_bytes(), opaque.as_bytes())
            && age.is_some_and(|age| age <= CHALLENGE.as_secs())
    }
}

/// An answer to a challenge.
struct Answered {
    /// As it came, percent-encoded or not.
    user: String,
    salt: String,
    opaque: String,
    challenge: String,
    response: String,
}

impl Answered {
    fn is_right(&self, wanted: &Credentials) -> bool {
        let expected = answer(&self.user, wanted.password(), &self.salt, &self.opaque, &self.challenge);
        let name = wanted.user();
        let known = same(name.as_bytes(), self.user.as_bytes())
            | same(name.as_bytes(), decoded(&self.user).as_bytes());
        known & same(expected.as_bytes(), self.response.as_bytes())
    }
}

/// The answer to a challenge: what `user` with `password` sends as `response`, with a `challenge` of its own choice.
pub fn answer(user: &str, password: &str, salt: &str, opaque: &str, challenge: &str) -> String {
    let hash = |parts: &[&str]| {
        let mut hash = Md5::new();
        parts.iter().for_each(|part| hash.update(part.as_bytes()));
        STANDARD.encode(hash.finalize())
    };
    let first = hash(&[user, salt, password]);
    hash(&[&first, opaque, challenge])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "a test says so that way")]
    use super::*;

    fn guard(seconds: u64) -> Guard<'static> {
        let address = "192.0.2.1".parse().unwrap();
        Guard { secret: &[7; 32], address, now: Duration::from_secs(seconds) }
    }

    /// Whether it is an answer that knows this password of bob's.
    fn proves(guard: &Guard<'_>, arguments: &str, password: &str) -> bool {
        match guard.step(arguments) {
            Some(AdobeStep::Proof(shown)) => shown.fits(&Credentials::new("bob", password)),
            Some(AdobeStep::Failed) => false,
            other => panic!("{other:?}"),
        }
    }

    fn asked(guard: &Guard<'_>, user: &str) -> (String, String) {
        let Some(AdobeStep::Challenge(text)) = guard.step(&format!("authmod=adobe&user={user}")) else {
            panic!("no challenge");
        };
        assert!(text.contains("?reason=needauth") && text.contains("authmod=adobe ]"), "{text}");
        let arguments = text.split_once('?').unwrap().1;
        let of = |key| raw_argument(arguments, key).unwrap().to_string();
        (of("salt"), of("opaque"))
    }

    fn response(user: &str, password: &str, salt: &str, opaque: &str) -> String {
        let hash = answer(user, password, salt, opaque, "12345678");
        format!("authmod=adobe&user={user}&challenge=12345678&response={hash}&opaque={opaque}")
    }

    #[test]
    fn the_right_answer_proves_who_it_is() {
        let guard = guard(100);
        let (salt, opaque) = asked(&guard, "bob");
        let right = response("bob", "secret", &salt, &opaque);
        assert!(proves(&guard, &right, "secret"));
        assert!(!proves(&guard, &right, "other"));
        assert!(matches!(guard.step(&right), Some(AdobeStep::Proof(shown)) if shown.user() == "bob"));
        assert_eq!(guard.step("user=bob&pass=secret"), None);
    }

    #[test]
    fn everything_else_fails() {
        let now = guard(100);
        let (salt, opaque) = asked(&now, "bob");
        let failed = |guard: &Guard<'_>, text: &str| !proves(guard, text, "secret");
        assert!(failed(&now, &response("bob", "wrong", &salt, &opaque)));
        assert!(failed(&now, &response("bob", "secret", &salt, "64-000000000000000000000000")));
        assert!(failed(&now, &response("bob", "secret", &salt, "")));
        let (salt_eve, opaque_eve) = asked(&now, "eve");
        assert!(failed(&now, &response("eve", "secret", &salt_eve, &opaque_eve)));
        assert!(failed(&now, "authmod=adobe&user=bob&response="));
        // Later, from somewhere else, from the future.
        let right = response("bob", "secret", &salt, &opaque);
        assert!(!failed(&guard(160), &right));
        assert!(failed(&guard(161), &right));
        assert!(failed(&guard(99), &right));
        let elsewhere = Guard { address: "192.0.2.2".parse().unwrap(), ..now };
        assert!(failed(&elsewhere, &right));
        let restarted = Guard { secret: &[8; 32], ..now };
        assert!(failed(&restarted, &right));
    }
}
