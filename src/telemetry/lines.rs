//! What stands behind the log: a `tracing` subscriber that writes each event as one line, with secrets masked and at most
//! so many lines a second. Libraries that speak `tracing` reach the same log, from warnings on.

use super::level::{Level, Sink};
use crate::base::printable::printable;
use crate::base::secret::Redactor;
use crate::base::sieve::Sieve;
use crate::model::secret_word::masked;
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Lines a second in the long run.
pub const LINES_PER_SECOND: f64 = 100.0;
/// Lines that may come at once.
pub const BURST: f64 = 500.0;
/// The target of what we say ourselves; whatever has another one is a library's.
pub const OURS: &str = "msconv";

/// Writes events as lines.
pub struct Lines {
    level: Level,
    redactor: Redactor,
    begun: Instant,
    out: Mutex<(Sieve, Sink)>,
}

impl Lines {
    /// Lines up to `level`, cleaned by `redactor`, that go to `sink`.
    pub fn new(level: Level, redactor: Redactor, sink: Sink) -> Lines {
        let out = Mutex::new((Sieve::new(LINES_PER_SECOND, BURST), sink));
        Lines { level, redactor, begun: Instant::now(), out }
    }

    fn write(&self, level: Level, text: &str) {
        let text = printable(&masked(&self.redactor.clean(text)));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (sieve, sink) = &mut *out;
        let (pass, held) = sieve.pass(self.begun.elapsed());
        if let Some(held) = held {
            sink(&format!("{} {held} lines were left out", Level::Warn.word()));
        }
        if pass {
            sink(&format!("{} {text}", level.word()));
        }
    }
}

/// The most detailed level that a library may write at. It knows less than we do of what a reader of the log wants.
fn of_libraries(ours: Level) -> Level {
    match ours {
        Level::Error => Level::Error,
        Level::Warn | Level::Info | Level::Debug => Level::Warn,
        Level::Trace => Level::Debug,
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = if metadata.target() == OURS { self.level } else { of_libraries(self.level) };
        metadata.is_event() && level(metadata.level()) <= most
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        if event.metadata().target() != OURS {
            let _ = write!(text.0, "{}:", event.metadata().target());
        }
        event.record(&mut text);
        self.write(level(event.metadata().level()), &text.0);
    }

    // Spans are not written: `enabled` refuses them, so none is ever made.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(level: &tracing::Level) -> Level {
    match *level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        _ => Level::Trace,
    }
}

/// The message, then the other fields as `name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let blank = if self.0.is_empty() { "" } else { " " };
        let _ = match field.name() {
            "message" => write!(self.0, "{blank}{value:?}"),
            name => write!(self.0, "{blank}{name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn said(level: Level, speak: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let sink: Sink = Box::new(move |line| into.lock().unwrap().push(line.to_string()));
        let mut redactor = Redactor::new();
        redactor.learn("hunter22");
        tracing::subscriber::with_default(Lines::new(level, redactor, sink), speak);
        std::mem::take(&mut *lines.lock().unwrap())
    }

    #[test]
    fn libraries_are_heard_from_warnings_on_and_their_secrets_masked() {
        let speak = || {
            tracing::info!(target: "hyper::proto", "read 5 bytes");
            tracing::warn!(target: "sqlx::query", rows = 3, dsn = "postgres://u:hunter22@h/d", "slow");
            tracing::info!(target: OURS, "rtmp: came");
            let _span = tracing::error_span!(target: "h2", "inside").entered();
        };
        let slow = "warn  sqlx::query: slow rows=3 dsn=\"postgres://***@h/d\"";
        assert_eq!(said(Level::Info, speak), [slow, "info  rtmp: came"]);
        assert_eq!(said(Level::Error, speak), Vec::<String>::new());
        assert_eq!(said(Level::Trace, speak).len(), 3);
    }
}
