//! What programs that this server started show it: a secret for each, which lives as long as the program does.

use crate::auth::same;
use crate::base::secret::Secret;
use crate::model::secret_word::Purpose;
use crate::platform::secrets;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. Cloning shares them.
#[derive(Clone, Default)]
pub struct Passes(Arc<Mutex<BTreeMap<String, Secret>>>);

impl Passes {
    /// A new one for a program that does this; the one before opens nothing any more.
    pub fn issue(&self, what: &str) -> Secret {
        let pass = secrets::made(Purpose::Publish);
        self.lock().insert(what.into(), pass.clone());
        pass
    }

    /// The program is gone; what it showed opens nothing any more.
    pub fn end(&self, what: &str) {
        self.lock().remove(what);
    }

    /// Whether this was given to the program that does this.
    pub fn opens(&self, what: &str, shown: &str) -> bool {
        self.lock().get(what).is_some_and(|pass| same(pass.reveal().as_bytes(), shown.as_bytes()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_opens_its_stream_while_its_program_runs() {
        let passes = Passes::default();
        let (first, other) = (passes.issue("a"), passes.issue("b"));
        assert!(passes.opens("a", first.reveal()) && !passes.opens("a", other.reveal()));
        let second = passes.issue("a");
        assert!(passes.opens("a", second.reveal()) && !passes.opens("a", first.reveal()));
        passes.end("a");
        assert!(!passes.opens("a", second.reveal()));
    }
}
