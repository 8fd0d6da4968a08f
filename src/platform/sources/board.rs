//! How the sources are that this server runs. It lives as long as the server.

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
pub struct Board(Arc<Mutex<BTreeMap<String, State>>>);

impl Board {
    /// How the source of the stream with this id is; nothing if it was not run.
    pub fn state(&self, id: &str) -> Option<State> {
        self.lock().get(id).cloned()
    }

    pub(super) fn put(&self, id: &str, state: State) {
        self.lock().insert(id.into(), state);
    }

    /// Its program is gone.
    pub(super) fn end(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
