//! Waiting for a condition instead of a time. The only place with a sleep: the poll interval.

use std::time::{Duration, Instant};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// One look: found, or what was seen instead.
pub trait Look {
    /// What is waited for.
    type Found;
    /// Splits a look into what was found and what was seen instead.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Look for Option<T> {
    type Found = T;
    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_string())
    }
}

impl<T, E: std::fmt::Display> Look for Result<T, E> {
    type Found = T;
    fn found(self) -> Result<T, String> {
        self.map_err(|e| e.to_string())
    }
}

impl Look for bool {
    type Found = ();
    fn found(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("not yet".into()) }
    }
}

/// Looks until something is found; after `deadline` it panics with what was seen last.
#[track_caller]
pub fn wait_for<L: Look>(what: &str, deadline: Duration, mut look: impl FnMut() -> L) -> L::Found {
    let start = Instant::now();
    loop {
        match look().found() {
            Ok(found) => return found,
            Err(seen) if start.elapsed() >= deadline => {
                panic!("waited {:.1} s for {what}; last seen:\n{seen}", start.elapsed().as_secs_f64())
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}
