//! A user and a password, compared in constant time.

use crate::base::secret::Secret;
use subtle::ConstantTimeEq;

/// A user and a password. Debug prints the password masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    /// From what the configuration says.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials { user: user.into(), password: Secret::new(password) }
    }

    /// The user's name, which is no secret.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password itself, for protocols that answer a challenge with it.
    pub fn password(&self) -> &str {
        self.password.reveal()
    }

    /// Whether these are the user and the password. Takes as long whichever of the two is wrong, and wherever.
    pub fn are(&self, user: &str, password: &str) -> bool {
        let user = same(self.user.as_bytes(), user.as_bytes());
        let password = same(self.password.reveal().as_bytes(), password.as_bytes());
        user & password
    }
}

/// Whether two secrets are equal, in a time that depends on nothing but their lengths.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}
