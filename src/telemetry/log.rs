//! The server's log: at most so many lines a second, secrets masked, one line each. Where the lines go is decided by
//! whoever makes it; a line that is lost never stops the server. Underneath is `tracing`.

use super::level::{Level, Sink};
use super::lines::{Lines, OURS};
use crate::base::secret::Redactor;
use std::fmt;
use tracing::Dispatch;
use tracing::dispatcher::{set_global_default, with_default};

/// The log. Cloning shares it.
#[derive(Clone)]
pub struct Log {
    level: Level,
    lines: Dispatch,
}

impl Log {
    /// A log of lines up to `level`, cleaned by `redactor`, that go to `sink`.
    pub fn new(level: Level, redactor: Redactor, sink: Sink) -> Log {
        Log { level, lines: Dispatch::new(Lines::new(level, redactor, sink)) }
    }

    /// A log that goes nowhere.
    pub fn silent() -> Log {
        Log::new(Level::Error, Redactor::new(), Box::new(|_| {}))
    }

    /// Takes up what libraries say from now on. The first log of the process that does so stays the one.
    pub fn hear_libraries(&self) {
        let _ = set_global_default(self.lines.clone());
    }

    /// Whether lines of this level are written; for what costs much to say.
    pub fn writes(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes a line: `rtmp: 10.0.0.7:5122 publishes cam1`. Text from outside may be in it.
    pub fn line(&self, level: Level, text: fmt::Arguments<'_>) {
        if !self.writes(level) {
            return;
        }
        with_default(&self.lines, || match level {
            Level::Error => tracing::error!(target: OURS, "{text}"),
            Level::Warn => tracing::warn!(target: OURS, "{text}"),
            Level::Info => tracing::info!(target: OURS, "{text}"),
            Level::Debug => tracing::debug!(target: OURS, "{text}"),
            Level::Trace => tracing::trace!(target: OURS, "{text}"),
        });
    }

    /// As [`Log::line`] at [`Level::Error`].
    pub fn error(&self, text: fmt::Arguments<'_>) {
        self.line(Level::Error, text);
    }

    /// As [`Log::line`] at [`Level::Warn`].
    pub fn warn(&self, text: fmt::Arguments<'_>) {
        self.line(Level::Warn, text);
    }

    /// As [`Log::line`] at [`Level::Info`].
    pub fn info(&self, text: fmt::Arguments<'_>) {
        self.line(Level::Info, text);
    }

    /// As [`Log::line`] at [`Level::Debug`].
    pub fn debug(&self, text: fmt::Arguments<'_>) {
        self.line(Level::Debug, text);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({:?})", self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::BURST;
    use super::*;
    use std::sync::{Arc, Mutex};

    fn kept(level: Level, redactor: Redactor) -> (Log, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let sink: Sink = Box::new(move |line| into.lock().unwrap().push(line.to_string()));
        (Log::new(level, redactor, sink), lines)
    }

    #[test]
    fn levels_secrets_and_controls() {
        let mut redactor = Redactor::new();
        redactor.learn("hunter22");
        let (log, lines) = kept(Level::Info, redactor);
        log.debug(format_args!("not written"));
        log.info(format_args!("rtmp: a came with hunter22 from rtmp://u:p@h/live/x?y=z"));
        log.warn(format_args!("bad\u{1b}[31m\nname"));
        assert_eq!(
            *lines.lock().unwrap(),
            ["info  rtmp: a came with *** from rtmp://***@h/live/x?***", "warn  bad\u{fffd}[31m name"]
        );
    }

    #[test]
    fn a_flood_is_cut() {
        let (log, lines) = kept(Level::Info, Redactor::new());
        for n in 0..10_000 {
            log.info(format_args!("{n}"));
        }
        let lines = lines.lock().unwrap();
        assert!(lines.len() < 5_000, "{}", lines.len());
        assert!(lines.len() >= BURST as usize);
    }
}
