//! Secrets are made here, and known afterwards by their hashes alone.

use crate::base::secret::Secret;
use crate::model::secret_word::{self, Purpose};
use aws_lc_rs::digest::{SHA256, digest};

/// A new secret.
pub fn made(purpose: Purpose) -> Secret {
    purpose.secret(&mut random())
}

/// A new public name.
pub fn public_id() -> String {
    secret_word::public_id(&mut random())
}

/// What is stored of a secret: its SHA-256 in hexadecimal digits. Made of 131 random bits, so nothing has to be stretched.
pub fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that nobody can foresee.
fn random() -> impl FnMut() -> u8 {
    let mut bytes = Vec::new();
    move || {
        if bytes.is_empty() {
            bytes = vec![0; 32];
            aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
        }
        bytes.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_known_by_their_hash() {
        let (one, two) = (made(Purpose::Key), made(Purpose::Key));
        assert_ne!(one, two);
        assert_ne!(public_id(), public_id());
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash(one.reveal()).len(), 64);
    }
}
