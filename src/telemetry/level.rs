//! How grave a line of the log is, and where lines go.

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Someone must act.
    Error,
    /// We recovered, or refused somebody.
    Warn,
    /// Who came, published, read and went.
    Info,
    /// Decisions.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Five letters, so that lines stand in columns.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn ",
            Level::Info => "info ",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

/// Takes one line without its end.
pub type Sink = Box<dyn FnMut(&str) + Send>;
