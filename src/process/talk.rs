//! Runs a program that works for a while and talks meanwhile: each line is handed on as it comes, the last ones are kept
//! for messages, and a silence that is too long ends it.

use super::child_log::{Lines, Ring};
use super::spawn::{Exit, Supervised};
use crate::base::CommandLine;
use nix::sys::signal::Signal;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often the time and the person are asked.
const LOOK: Duration = Duration::from_millis(100);
/// How long the program may take to end when it is asked to, before it is killed.
const POLITE: Duration = Duration::from_secs(5);

/// How it is run.
#[derive(Clone, Copy, Debug)]
pub struct Talk<'a> {
    /// Its working folder.
    pub folder: &'a Path,
    /// Variables that it gets beside ours.
    pub variables: &'a [(String, String)],
    /// The longest silence.
    pub silence: Duration,
    /// When it must have ended, if there is such a time.
    pub deadline: Option<Instant>,
    /// Ends it.
    pub interrupted: &'a CancellationToken,
}

/// What it did.
#[derive(Clone, Debug)]
pub struct Told {
    /// How it ended.
    pub exit: Exit,
    /// The last lines of its stdout and stderr, as they came.
    pub lines: Vec<String>,
}

impl Told {
    /// Whether it ended with exit code 0.
    pub fn well(&self) -> bool {
        self.exit.code == Some(0)
    }

    /// The last lines in one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// Why it has no end of its own.
#[derive(Debug)]
pub enum TalkError {
    /// It could not be started.
    Start(io::Error),
    /// It said nothing for too long, or had not ended in time, and was ended; its last lines.
    TooLong(Vec<String>),
    /// The person had enough, and it was ended.
    Interrupted,
}

/// Runs `line`; `heard` gets each line of its stdout and stderr. It dies with us.
///
/// # Errors
/// [`TalkError`].
pub async fn run(line: &CommandLine, talk: Talk<'_>, mut heard: impl FnMut(&str)) -> Result<Told, TalkError> {
    let (mut child, pipes) = Supervised::start_in(line, Some(talk.folder), talk.variables, Vec::new())
        .map_err(TalkError::Start)?;
    let (mut out, mut err) = (Lines::new(pipes.out), Lines::new(pipes.err));
    let (mut out_open, mut err_open) = (true, true);
    let mut kept = Ring::default();
    let mut last = Instant::now();
    let mut exit = None;
    let mut look = tokio::time::interval(LOOK);
    loop {
        let said = tokio::select! {
            said = out.next(), if out_open => { out_open = said.is_some(); said }
            said = err.next(), if err_open => { err_open = said.is_some(); said }
            ended = child.ended(), if exit.is_none() => {
                exit = Some(ended.map_err(TalkError::Start)?);
                None
            }
            _ = look.tick() => None,
        };
        if let Some(said) = said {
            last = Instant::now();
            // Progress bars go back to the line's begin; the last state is what counts.
            let said = said.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
            if !said.is_empty() {
                heard(said);
                kept.push(said.to_string());
            }
            continue;
        }
        match exit {
            Some(exit) if !out_open && !err_open => return Ok(Told { exit, lines: kept.lines() }),
            // What is still open then belongs to a process that left the group; it is not waited for.
            Some(exit) if last.elapsed() > POLITE => return Ok(Told { exit, lines: kept.lines() }),
            _ => {}
        }
        let interrupted = talk.interrupted.is_cancelled();
        let late = talk.deadline.is_some_and(|at| Instant::now() >= at) || last.elapsed() >= talk.silence;
        if exit.is_none() && (interrupted || late) {
            child.signal(Signal::SIGTERM);
            let _ = tokio::time::timeout(POLITE, child.ended()).await;
            // What has not ended by then is killed when `child` goes.
            return Err(if interrupted { TalkError::Interrupted } else { TalkError::TooLong(kept.lines()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandLine {
        let mut line = CommandLine::new("/bin/sh");
        line.args(["-c", script]);
        line
    }

    async fn talked(script: &str, silence: Duration, stop: bool) -> (Result<Told, TalkError>, Vec<String>) {
        let mut heard = Vec::new();
        let interrupted = CancellationToken::new();
        if stop {
            interrupted.cancel();
        }
        let variables = [("A".to_string(), "b c".to_string())];
        let talk = Talk {
            folder: Path::new("/"),
            variables: &variables,
            silence,
            deadline: None,
            interrupted: &interrupted,
        };
        let told = run(&shell(script), talk, |line| heard.push(line.to_string())).await;
        (told, heard)
    }

    #[tokio::test]
    async fn hands_on_what_is_said_and_how_it_ended() {
        let (told, heard) =
            talked("echo \"$A\"; pwd >&2; printf '1%%\\r2%%\\r'; exit 3", Duration::from_secs(20), false)
                .await;
        let told = told.unwrap();
        assert_eq!(told.exit.code, Some(3));
        for line in ["b c", "/", "2%"] {
            assert!(heard.iter().any(|h| h == line), "{line}: {heard:?}");
        }
        assert_eq!(told.lines.len(), 3);
    }

    #[tokio::test]
    async fn silence_and_the_person_end_it() {
        let (told, _) = talked("echo a; exec sleep 77", Duration::from_millis(300), false).await;
        assert!(matches!(told, Err(TalkError::TooLong(lines)) if lines == ["a"]));
        let (told, _) = talked("exec sleep 78", Duration::from_secs(60), true).await;
        assert!(matches!(told, Err(TalkError::Interrupted)));
    }

    #[tokio::test]
    async fn a_flood_keeps_its_last_lines_only() {
        let (told, heard) = talked("seq 1 5000", Duration::from_secs(20), false).await;
        let told = told.unwrap();
        assert_eq!((heard.len(), told.lines.len()), (5000, super::super::child_log::RING));
        assert_eq!(told.lines.last().map(String::as_str), Some("5000"));
    }
}
