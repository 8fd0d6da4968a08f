//! What secrets and public names look like: a prefix that says what it is for, and random letters and digits. Pure: random bytes
//! come as an argument.

use crate::base::secret::Secret;

const DIGITS_AND_LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Without `0`, `O`, `I` and `l`, which people mix up.
const WITHOUT_TWINS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Characters behind a prefix: 131 bits.
pub const LENGTH: usize = 22;
/// Characters of a public id: 64 bits.
const PUBLIC_LENGTH: usize = 11;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A stream's key: whoever has it publishes.
    Key,
    /// A stream's owner.
    Private,
    /// A program of the operator's.
    Token,
    /// A browser that has signed in.
    Session,
    /// The operator's first sign-in.
    Setup,
    /// One publisher, for some minutes.
    Publish,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 6] =
        [Purpose::Key, Purpose::Private, Purpose::Token, Purpose::Session, Purpose::Setup, Purpose::Publish];

    /// What such a secret begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Purpose::Key => "key_",
            Purpose::Private => "prv_",
            Purpose::Token => "tok_",
            Purpose::Session => "ses_",
            Purpose::Setup => "set_",
            Purpose::Publish => "pub_",
        }
    }

    /// A secret for it.
    pub fn secret(self, random: &mut dyn FnMut() -> u8) -> Secret {
        Secret::new(format!("{}{}", self.prefix(), word(DIGITS_AND_LETTERS, LENGTH, random)))
    }

    /// What a text claims to be.
    pub fn of(text: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| text.starts_with(purpose.prefix()))
    }
}

/// A name for what others may know.
pub fn public_id(random: &mut dyn FnMut() -> u8) -> String {
    word(WITHOUT_TWINS, PUBLIC_LENGTH, random)
}

/// Whether a stream's name is a key, or another secret that somebody put in its place: it is neither shown nor written
/// down. Whatever begins as a key counts as one, so that a mistyped key is not shown either.
pub fn is_secret(name: &str) -> bool {
    let whole = |purpose: Purpose| {
        let behind = name.strip_prefix(purpose.prefix()).unwrap_or_default();
        behind.len() == LENGTH && behind.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    name.starts_with(Purpose::Key.prefix()) || Purpose::ALL.into_iter().any(whole)
}

/// `text` with every secret of ours masked.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, prefix)) = first(rest) {
        let (before, from) = rest.split_at(at);
        let behind = from.get(prefix.len()..).unwrap_or_default();
        let length = behind.bytes().take_while(u8::is_ascii_alphanumeric).count();
        out.push_str(before);
        out.push_str(prefix);
        if length >= LENGTH {
            out.push_str(crate::base::secret::MASK);
            rest = behind.get(length..).unwrap_or_default();
        } else {
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

/// Where the first prefix stands, and which.
fn first(text: &str) -> Option<(usize, &'static str)> {
    let found = Purpose::ALL.into_iter().filter_map(|p| Some((text.find(p.prefix())?, p.prefix())));
    found.min_by_key(|(at, _)| *at)
}

/// So many characters of an alphabet, each as likely as the others: bytes beyond the largest multiple of its size are
/// thrown away.
fn word(alphabet: &[u8], length: usize, random: &mut dyn FnMut() -> u8) -> String {
    let size = alphabet.len().max(1);
    let fair = 256 / size * size;
    let mut word = String::with_capacity(length);
    while word.len() < length {
        let byte = usize::from(random());
        if let Some(letter) = alphabet.get(byte % size).filter(|_| byte < fair) {
            word.push(char::from(*letter));
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counting() -> impl FnMut() -> u8 {
        let mut next = 0_u8;
        move || {
            next = next.wrapping_add(37);
            next
        }
    }

    #[test]
    fn secrets_say_what_they_are_for() {
        for purpose in Purpose::ALL {
            let secret = purpose.secret(&mut counting());
            assert_eq!(secret.reveal().len(), 4 + LENGTH);
            assert_eq!(Purpose::of(secret.reveal()), Some(purpose));
        }
        assert!(!is_secret("keynote") && !is_secret("pub_quiz") && is_secret("key_x"));
        let id = public_id(&mut counting());
        assert!(id.len() == 11 && id.parse::<crate::model::StreamKey>().is_ok());
    }

    #[test]
    fn bytes_that_would_favour_letters_are_thrown_away() {
        let mut bytes = [255, 248, 247, 0].into_iter();
        let word = word(DIGITS_AND_LETTERS, 2, &mut || bytes.next().unwrap());
        assert_eq!(word, "z0");
    }

    #[test]
    fn secrets_in_a_line_are_masked() {
        let key = Purpose::Key.secret(&mut counting());
        let line = format!("live/{0} and prv_short, {0}.", key.reveal());
        assert_eq!(masked(&line), "live/key_*** and prv_short, key_***.");
    }

    proptest! {
        #[test]
        fn any_line_can_be_masked(text in ".{0,80}", seed in any::<u8>()) {
            let mut next = seed;
            let key = Purpose::Private.secret(&mut || { next = next.wrapping_mul(29).wrapping_add(17); next });
            let line = masked(&format!("{text}{}{text}", key.reveal()));
            prop_assert!(!line.contains(key.reveal()));
        }
    }
}
