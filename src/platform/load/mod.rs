//! The load: what the machine and each stream take, looked at every two seconds and remembered for a quarter of an hour.

pub mod moment;
mod published;
pub mod sampling;

use moment::{Moment, Step};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks.
pub const STEP: Duration = Duration::from_secs(2);
/// How far back is remembered.
pub const SPAN: Duration = Duration::from_secs(15 * 60);
/// Looks that are remembered.
const LOOKS: usize = 450;

/// Where it is looked.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Folders that the server writes to.
    pub folders: Vec<PathBuf>,
    /// The index of streams that are published here; without one their processes are not known.
    pub runtime: Option<PathBuf>,
    /// Port at which the server takes RTMP: streams that are published elsewhere are none of its own.
    pub rtmp_port: u16,
}

/// What was seen. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Load(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    past: Mutex<VecDeque<Step>>,
    now: watch::Sender<Option<Arc<Moment>>>,
}

impl Default for Load {
    fn default() -> Load {
        Load(Arc::new(Inside { past: Mutex::default(), now: watch::channel(None).0 }))
    }
}

impl Load {
    /// The last look; none before the first.
    pub fn last(&self) -> Option<Arc<Moment>> {
        self.0.now.borrow().clone()
    }

    /// Follows what is seen.
    pub fn follow(&self) -> watch::Receiver<Option<Arc<Moment>>> {
        self.0.now.subscribe()
    }

    /// What was seen since then, the oldest first.
    pub fn since(&self, since_ms: i64) -> Vec<Step> {
        let past = self.0.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.iter().filter(|step| step.at_ms > since_ms).cloned().collect()
    }

    fn take(&self, moment: Moment) {
        let mut past = self.0.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() >= LOOKS {
            past.pop_front();
        }
        past.push_back(Step::of(&moment));
        drop(past);
        self.0.now.send_replace(Some(Arc::new(moment)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_is_remembered() {
        let load = Load::default();
        assert!(load.last().is_none());
        for n in 0..600i64 {
            load.take(Moment { at_ms: n * 2000, ..Moment::default() });
        }
        let all = load.since(-1);
        assert_eq!((all.len(), all[0].at_ms), (LOOKS, 150 * 2000));
        assert_eq!(LOOKS as u32 * STEP.as_secs() as u32, SPAN.as_secs() as u32);
        assert_eq!(load.since(599 * 2000 - 10_000).len(), 5);
        assert_eq!(load.last().unwrap().at_ms, 599 * 2000);
    }
}
