//! The program's log on its way to the file: redacted, sieved, remembered; and the task that never stops draining.

use super::job::{Job, Speaker};
use crate::base::secret::Redactor;
use crate::base::sieve::Sieve;
use crate::process::child_log::{self, Lines, LogFile, Ring};
use std::path::Path;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// The log file behind its sieve and its redactor.
pub(super) struct Log {
    file: LogFile,
    sieve: Sieve,
    ring: Ring,
    redactor: Redactor,
    began: Instant,
}

impl Log {
    /// The program's last lines, oldest first.
    pub(super) fn recent(&self) -> Vec<String> {
        self.ring.lines()
    }

    /// Forgets the last lines, for a new run.
    pub(super) fn begin_run(&mut self) {
        self.ring.clear();
    }

    pub(super) fn new(job: &Job) -> Log {
        Log {
            file: LogFile::new(&job.spots.log).below(&job.spots.home),
            sieve: child_log::sieve(),
            ring: Ring::default(),
            redactor: job.redactor.clone(),
            began: Instant::now(),
        }
    }

    /// The file is at `path` from now on.
    pub(super) fn stays_at(&mut self, path: &Path) {
        self.file.stays_at(path);
    }

    /// A line of the program.
    pub(super) fn child(&mut self, line: &str) {
        let line = self.redactor.clean(line);
        let (pass, held) = self.sieve.pass(self.began.elapsed());
        if let Some(held) = held {
            self.file.line(&format!("[msconv] {held} lines suppressed"));
        }
        if pass {
            self.file.line(&line);
        }
        self.ring.push(line);
    }

    /// A line of our own.
    pub(super) fn own(&mut self, line: &str) {
        let line = self.redactor.clean(line);
        self.file.line(&format!("[msconv] {line}"));
    }
}

/// Drains the log pipes, each in a task of its own. Should a task die, another goes on draining into nothing, for a full
/// pipe would block the program.
pub(super) fn drain(
    program: pipe::Receiver,
    feeder: Option<pipe::Receiver>,
) -> (mpsc::Receiver<(Speaker, String)>, JoinSet<()>) {
    let (lines_in, lines) = mpsc::channel(256);
    let mut drains = JoinSet::new();
    let own = if feeder.is_some() { Speaker::Fed } else { Speaker::Program };
    drains.spawn(drained(program, own, lines_in.clone()));
    if let Some(feeder) = feeder {
        drains.spawn(drained(feeder, Speaker::Feeder, lines_in));
    }
    (lines, drains)
}

async fn drained(pipe: pipe::Receiver, by: Speaker, lines_in: mpsc::Sender<(Speaker, String)>) {
    let spare = pipe.into_nonblocking_fd().and_then(|fd| Ok((fd.try_clone()?, fd)));
    let Ok((spare, fd)) = spare else { return };
    let reader = tokio::spawn(async move {
        let Ok(pipe) = pipe::Receiver::from_owned_fd(fd) else { return };
        let mut lines = Lines::new(pipe);
        while let Some(line) = lines.next().await {
            // The supervisor takes lines quickly; if it cannot, the pipe waits a moment, which is bounded by its end.
            if lines_in.send((by, line)).await.is_err() {
                break;
            }
        }
    });
    let finished = AbortOnDrop(reader).finished().await;
    if !finished && let Ok(pipe) = pipe::Receiver::from_owned_fd(spare) {
        let mut rest = Lines::new(pipe);
        while rest.next().await.is_some() {}
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl AbortOnDrop {
    /// Whether the task ended by itself rather than by a panic.
    async fn finished(mut self) -> bool {
        (&mut self.0).await.is_ok()
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
