//! What somebody shows to be let in.

use super::{Credentials, same};
use crate::base::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;

/// Credentials as they came.
#[derive(Clone)]
pub enum Shown {
    /// None.
    Nothing,
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A password or a token without a user.
    Token(Secret),
    /// The answer to a challenge, which only its protocol can compare with a password.
    Proof {
        /// The user.
        user: String,
        /// Whether it proves knowledge of these credentials. Made by the protocol; compares in constant time.
        fits: Arc<dyn Fn(&Credentials) -> bool + Send + Sync>,
    },
}

impl Shown {
    /// User and password of an `Authorization: Basic` (RFC 7617); none if it is something else.
    pub fn basic(header: &str) -> Option<Shown> {
        let (scheme, coded) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Shown::Password { user: user.to_string(), password: Secret::new(password) })
    }

    /// The token of an `Authorization: Bearer` (RFC 6750); none if it is something else.
    pub fn bearer(header: &str) -> Option<Shown> {
        let (scheme, token) = header.trim().split_once(' ')?;
        let token = token.trim();
        let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
        fits.then(|| Shown::Token(Secret::new(token)))
    }

    /// Whether anything was shown.
    pub fn is_some(&self) -> bool {
        !matches!(self, Shown::Nothing)
    }

    /// The user whose credentials they claim to be; empty if there are none.
    pub fn user(&self) -> &str {
        match self {
            Shown::Nothing | Shown::Token(_) => "",
            Shown::Password { user, .. } | Shown::Proof { user, .. } => user,
        }
    }

    /// Whether they are, or prove knowledge of, the credentials `wanted`.
    pub fn fits(&self, wanted: &Credentials) -> bool {
        match self {
            Shown::Nothing => false,
            Shown::Token(token) => same(wanted.password().as_bytes(), token.reveal().as_bytes()),
            Shown::Password { user, password } => wanted.are(user, password.reveal()),
            Shown::Proof { fits, .. } => fits(wanted),
        }
    }
}

/// Of a user and a password, if there are such.
impl From<Option<(String, String)>> for Shown {
    fn from(pair: Option<(String, String)>) -> Shown {
        match pair {
            Some((user, password)) => Shown::Password { user, password: Secret::new(password) },
            None => Shown::Nothing,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Nothing => f.write_str("Nothing"),
            Shown::Token(_) => f.write_str("Token(***)"),
            Shown::Password { user, .. } => write!(f, "Password({user:?}, ***)"),
            Shown::Proof { user, .. } => write!(f, "Proof({user:?}, ***)"),
        }
    }
}

/// Proofs are equal only to themselves.
impl PartialEq for Shown {
    fn eq(&self, other: &Shown) -> bool {
        match (self, other) {
            (Shown::Nothing, Shown::Nothing) => true,
            (Shown::Token(token), Shown::Token(other)) => token == other,
            (Shown::Password { user, password }, Shown::Password { user: u, password: p }) => {
                user == u && password == p
            }
            (Shown::Proof { fits, .. }, Shown::Proof { fits: other, .. }) => Arc::ptr_eq(fits, other),
            _ => false,
        }
    }
}

impl Eq for Shown {}
