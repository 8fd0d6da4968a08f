//! Why the database did not do what was asked.

use crate::base::printable::bounded;
use crate::base::secret::redact_urls;
use sqlx::error::{Error, ErrorKind};
use sqlx::migrate::MigrateError;

/// Characters of a database's own words.
const LONGEST: usize = 300;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached, is locked, full, broken or too slow; its own words.
    #[error("{0}")]
    Away(String),
    /// A value that must be unique is taken; the words of the database name it.
    #[error("{0}")]
    Taken(String),
    /// Another version of the program has made or changed its tables.
    #[error("the database was made by another version of msconv (its step {0} is unknown here)")]
    Newer(i64),
    /// The address of a database that cannot be one.
    #[error("{0}")]
    Address(String),
}

impl Fault {
    /// No answer in time.
    pub(super) fn late() -> Fault {
        Fault::Away("the database did not answer in time".into())
    }

    /// Whether the same may succeed later.
    pub fn passes(&self) -> bool {
        matches!(self, Fault::Away(_))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        match &error {
            Error::Database(told) if told.kind() == ErrorKind::UniqueViolation => {
                Fault::Taken(words(told.message()))
            }
            Error::Database(told) => Fault::Away(words(told.message())),
            Error::PoolTimedOut => Fault::late(),
            Error::Configuration(why) => Fault::Address(words(&why.to_string())),
            other => Fault::Away(words(&other.to_string())),
        }
    }
}

impl From<MigrateError> for Fault {
    fn from(error: MigrateError) -> Fault {
        match error {
            MigrateError::VersionMissing(step)
            | MigrateError::VersionTooNew(step, _)
            | MigrateError::VersionMismatch(step) => Fault::Newer(step),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Fault::Away(words(&other.to_string())),
        }
    }
}

/// Without passwords of addresses, and of a length that can be shown.
fn words(text: &str) -> String {
    bounded(&redact_urls(text), LONGEST)
}
