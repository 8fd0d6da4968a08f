//! How the sources are that this server runs, and what their programs show to publish. It lives as long as the server.

use crate::auth::same;
use crate::base::secret::Secret;
use crate::model::secret_word::Purpose;
use crate::platform::secrets;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its program runs.
    Runs,
    /// It failed for this reason, and is tried again.
    Retries(String),
    /// It cannot run, for this reason, and is switched off.
    Failed(String),
}

/// See the module. Cloning shares it.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    states: BTreeMap<String, State>,
    passes: BTreeMap<String, Secret>,
}

impl Board {
    /// How the source of the stream with this id is; nothing if it was not run.
    pub fn state(&self, id: &str) -> Option<State> {
        self.inside().states.get(id).cloned()
    }

    pub(super) fn put(&self, id: &str, state: State) {
        self.inside().states.insert(id.into(), state);
    }

    /// What a program shows that was started to publish this stream.
    pub(super) fn pass(&self, id: &str) -> Secret {
        let pass = secrets::made(Purpose::Publish);
        self.inside().passes.insert(id.into(), pass.clone());
        pass
    }

    /// Its program is gone; what it showed opens nothing any more.
    pub(super) fn end(&self, id: &str) {
        let mut inside = self.inside();
        inside.states.remove(id);
        inside.passes.remove(id);
    }

    /// Whether this was given to the program that publishes this stream.
    pub fn opens(&self, id: &str, shown: &str) -> bool {
        self.inside().passes.get(id).is_some_and(|pass| same(pass.reveal().as_bytes(), shown.as_bytes()))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_opens_its_stream_while_its_program_runs() {
        let board = Board::default();
        let (first, other) = (board.pass("a"), board.pass("b"));
        assert!(board.opens("a", first.reveal()) && !board.opens("a", other.reveal()));
        let second = board.pass("a");
        assert!(board.opens("a", second.reveal()) && !board.opens("a", first.reveal()));
        board.put("a", State::Retries("no such host".into()));
        board.end("a");
        assert!(!board.opens("a", second.reveal()) && board.state("a").is_none());
    }
}
