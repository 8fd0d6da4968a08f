//! Why the platform does not do what was asked: one kind for each status and exit code.

use crate::base::clock::spoken;
use crate::store::Fault;
use std::time::Duration;

/// See the module. The words are one lowercase sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing; what it is.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// Values that cannot be taken.
    #[error("{}", fields(.0))]
    Invalid(Vec<Wrong>),
    /// Somebody has it, or it is in a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Somebody else changed it since it was read.
    #[error("it was changed by somebody else meanwhile; read it again")]
    Outdated,
    /// Nothing was shown that says who asks.
    #[error("this needs the operator, or a token")]
    Unknown,
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// Too much of it from there.
    #[error("too many requests; try again in {}", spoken(*.0))]
    Often(Duration),
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Away(String),
}

/// A value that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Wrong {
    /// Which field.
    pub field: &'static str,
    /// Why not.
    pub why: String,
}

impl Refusal {
    /// One field that cannot be taken.
    pub fn wrong(field: &'static str, why: impl Into<String>) -> Refusal {
        Refusal::Invalid(vec![Wrong { field, why: why.into() }])
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        match fault {
            Fault::Taken(_) => Refusal::Conflict("this name is taken".into()),
            other => Refusal::Away(other.to_string()),
        }
    }
}

fn fields(wrong: &[Wrong]) -> String {
    wrong.iter().map(|Wrong { field, why }| format!("{field}: {why}")).collect::<Vec<_>>().join("; ")
}
