//! A program on the air, and one that is about to take over from it.

use super::log;
use super::{Program, Speaker, Supervisor};
use crate::base::CommandLine;
use crate::process::child_log::Lines;
use crate::process::spawn::{Exit, Pipes, Supervised};
use crate::process::stream_lock::StreamLock;
use crate::process::supervisor::Event;
use std::io;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How often a successor is looked at whose lines do not tell when it is ripe.
const LOOK: Duration = Duration::from_millis(10);
/// How long what an ended one still had to say is read: whom it left behind may keep its log open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// One that has not taken over after this time is given up.
const LONGEST: Duration = Duration::from_secs(20);

/// A program with what it says.
pub(super) struct Running {
    pub(super) child: Supervised,
    pub(super) progress: Lines<pipe::Receiver>,
    pub(super) progress_open: bool,
    pub(super) log_lines: mpsc::Receiver<(Speaker, String)>,
    pub(super) drain: JoinSet<()>,
}

impl Running {
    pub(super) fn new((child, pipes): (Supervised, Pipes)) -> Running {
        let (log_lines, drain) = log::drain(pipes.err, pipes.feeder_err);
        Running { child, progress: Lines::new(pipes.out), progress_open: true, log_lines, drain }
    }
}

/// What is heard of a successor.
pub(super) enum Heard {
    /// A line of its stdout.
    Progress(String),
    /// A line of its log.
    Log(String),
    /// It has ended.
    Ended(io::Result<Exit>),
    /// Nothing for a moment.
    Nothing,
}

/// How another way begins.
pub(super) enum Next {
    /// Beside the one that is on the air.
    Beside(Box<Successor>),
    /// In its place, because of this.
    Instead(&'static str),
}

/// One that is about to take over.
pub(super) struct Successor {
    pub(super) running: Running,
    /// The way it is made in.
    pub(super) way: usize,
    /// The old one has been told to let go.
    pub(super) is_ripe: bool,
    began: Instant,
    last_words: Option<String>,
}

impl Successor {
    async fn heard(&mut self) -> Heard {
        let running = &mut self.running;
        tokio::select! {
            exit = running.child.ended() => {
                let rest = async {
                    while let Some((_, line)) = running.log_lines.recv().await {
                        self.last_words = Some(line);
                    }
                };
                let _ = timeout(LAST_WORDS, rest).await;
                Heard::Ended(exit)
            }
            line = running.progress.next(), if running.progress_open => match line {
                Some(line) => Heard::Progress(line),
                None => {
                    running.progress_open = false;
                    Heard::Nothing
                }
            },
            Some((_, line)) = running.log_lines.recv() => Heard::Log(line),
            () = sleep(LOOK) => Heard::Nothing,
        }
    }
}

/// What is heard of a successor, if there is one; otherwise it is never heard.
pub(super) async fn heard(successor: &mut Option<Successor>) -> Heard {
    match successor {
        Some(successor) => successor.heard().await,
        None => std::future::pending().await,
    }
}

impl<P: Program, F: FnMut(&Event)> Supervisor<P, F> {
    /// Starts a call with our locks.
    pub(super) fn start(&self, command: &CommandLine) -> io::Result<Running> {
        let keep = self.place.locks().iter().map(StreamLock::descriptor).collect();
        Supervised::start(command, keep).map(Running::new)
    }

    /// What comes after the one on the air, if something does: a cheaper way at once where another stream needs room, or
    /// the better way that waits, if this is its moment and the room for it is still there.
    pub(super) fn next(&mut self, child: i32) -> Option<Next> {
        let Some(way) = self.mind_the_others() else { return self.better(child) };
        let why = "another stream of ours needs room";
        if !self.sharing.beside_failed
            && let Some(way_command) = self.job.ways.get(way).map(|way| way.command.clone())
            && let Some(command) = self.program.successor(&way_command, child, true)
            && let Some(successor) = self.beside(way, &command, why)
        {
            return Some(Next::Beside(Box::new(successor)));
        }
        self.turn = Some((way, false));
        Some(Next::Instead(why))
    }

    /// The better way that waits. Where the machine does not carry both at once it begins in the place of the other one,
    /// which would only fall behind beside it.
    fn better(&mut self, child: i32) -> Option<Next> {
        let why = "there is room again";
        let way = self.sharing.waiting?;
        let command = self.job.ways.get(way)?.command.clone();
        let beside = self.carries_both(way);
        let command = self.program.successor(&command, child, beside)?;
        self.sharing.waiting = None;
        if !self.claim(way) {
            return None;
        }
        if !beside {
            (self.turn, self.next_call) = (Some((way, true)), Some(command));
            return Some(Next::Instead(why));
        }
        let successor = self.beside(way, &command, why);
        if successor.is_none() {
            self.declare();
        }
        successor.map(Box::new).map(Next::Beside)
    }

    /// Starts one that shall take over.
    fn beside(&mut self, way: usize, command: &CommandLine, why: &str) -> Option<Successor> {
        match self.start(command) {
            Ok(running) => {
                self.log.own(&format!("{why}: beginning {}", self.way_words(way)));
                Some(Successor { running, way, is_ripe: false, began: Instant::now(), last_words: None })
            }
            Err(e) => {
                self.log.own(&format!("cannot begin {}: {e}", self.way_words(way)));
                None
            }
        }
    }

    /// Takes in what is heard of a successor; true if the old one is to let go now. One that fails is given up, and all
    /// stays as it was.
    pub(super) fn successor_said(&mut self, successor: &mut Option<Successor>, heard: Heard) -> bool {
        let Some(next) = successor.as_mut() else { return false };
        let pid = next.running.child.identity().pid;
        let failed = match heard {
            Heard::Ended(Ok(exit)) => Some(exit.to_string()),
            Heard::Ended(Err(e)) => Some(e.to_string()),
            _ if next.is_ripe => return false,
            _ if next.began.elapsed() >= LONGEST => Some("has not got going".into()),
            Heard::Log(line) => {
                next.last_words = Some(line);
                None
            }
            Heard::Progress(line) => {
                next.is_ripe = self.program.is_ripe(Some(&line), pid);
                None
            }
            Heard::Nothing => {
                next.is_ripe = self.program.is_ripe(None, pid);
                None
            }
        };
        if let Some(why) = failed {
            let words = next.last_words.take().map(|line| format!(": {line}")).unwrap_or_default();
            self.log.own(&format!("{} is not taken: the program {why}{words}", self.way_words(next.way)));
            *successor = None;
            self.sharing.beside_failed = true;
            self.declare();
            return false;
        }
        next.is_ripe
    }

    /// The successor is on the air.
    pub(super) fn taken_over(&mut self, way: usize) {
        let now = self.began.elapsed();
        self.program.taken();
        if let Some(dog) = self.watchdog.as_mut() {
            dog.taken_over(now);
        }
        self.log.begin_run();
        self.go_on_in(way);
        self.log.own(&format!("went on at {}", self.way_words(way)));
    }
}
