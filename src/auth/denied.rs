//! Why somebody may not, in words for the peer.

use super::Action;
use crate::base::printable::bounded;
use std::net::IpAddr;

/// Characters of a reason that an authorizer gives in its own words.
const LONGEST_REASON: usize = 200;

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No credentials were shown, and there must be some.
    #[error("{} needs a user and a password", .0.word())]
    NeedsCredentials(Action),
    /// The name is that of a registered stream, which is published with its key.
    #[error("this stream is registered: publish it with its key")]
    NeedsKey,
    /// The credentials are wrong. Counts as a failed attempt ([`super::Ledger::failed`]).
    #[error("wrong user or password")]
    Wrong,
    /// The name or the query should have been a secret that is known, and is not. Counts as a failed attempt.
    #[error("this key opens no stream")]
    WrongKey,
    /// As [`Denied::WrongKey`], in the words of whoever decides. Made by [`Denied::refused`].
    #[error("{0}")]
    Refused(String),
    /// The name or the token should have been a key of ours, and is not: too long to be guessed, so a mistake more likely.
    #[error("this key opens no stream")]
    UnknownKey,
    /// Too many wrong ones came from this address.
    #[error("too many failed attempts from this address, try again in a minute")]
    ShutOut,
    /// A publisher from outside, and the server has no publish password.
    #[error(
        "publishing from other machines is refused as long as the server has no publish password; \
         set one, or publish from the server's own machine"
    )]
    Outside,
    /// Whoever decides did not answer in time.
    #[error("the server could not find out in time whether this is allowed, try again later")]
    Late,
    /// For a reason that whoever decides knows: one lowercase sentence. Made by [`Denied::because`].
    #[error("{0}")]
    Because(String),
}

impl Denied {
    /// A refusal in the words of whoever decides, made printable and cut to a length that can be shown.
    pub fn because(reason: &str) -> Denied {
        Denied::Because(bounded(reason, LONGEST_REASON))
    }

    /// Whether a wrong guess from `address` brings it nearer to being shut out. Keys of ours are too long to be guessed, and
    /// an encoder of this machine that goes on trying with an old one must not shut out the others.
    pub fn counts(&self, address: IpAddr) -> bool {
        self.is_guess() && !(*self == Denied::UnknownKey && address.to_canonical().is_loopback())
    }

    /// A refusal of a name or a query that should have been a secret, in the words of whoever decides, as
    /// [`Denied::because`].
    pub fn refused(reason: &str) -> Denied {
        Denied::Refused(bounded(reason, LONGEST_REASON))
    }

    /// Whether it was a wrong guess: it is written down, and its answer held back for a while ([`super::pause`]).
    pub fn is_guess(&self) -> bool {
        matches!(self, Denied::Wrong | Denied::WrongKey | Denied::UnknownKey | Denied::Refused(_))
    }
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Action::Publish => "publishing",
            Action::Read => "reading",
            Action::Control => "control",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_reason_can_be_shown(reason in any::<String>()) {
            let said = Denied::because(&reason).to_string();
            prop_assert!(said.chars().count() <= LONGEST_REASON + 1, "{said}");
            prop_assert!(!said.chars().any(char::is_control), "{said:?}");
        }
    }
}
