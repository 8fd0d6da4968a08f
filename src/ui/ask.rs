//! Questions with yes or no. Only asked where somebody can answer; every one has a flag or command that answers it.

use super::Console;
use crate::base::{Failure, Kind, Outcome};

/// Asks; no is the answer of Enter alone, and of Esc.
///
/// # Errors
/// Interrupted, on Ctrl-C.
pub fn confirm(console: &Console, question: &str) -> Outcome<bool> {
    if !console.interactive {
        return Ok(false);
    }
    let cancelled = || Failure::new(Kind::Interrupted, "cancelled");
    dialoguer::Confirm::new()
        .with_prompt(question)
        .default(true)
        .interact_on_opt(&dialoguer::console::Term::stderr())
        .map(|answer| answer.unwrap_or(false))
        .map_err(|_| cancelled())
}
