//! One program at work: started, started again after a failure, its words written down, ended when it is to end.

use super::Command;
use crate::base::Kind;
use crate::base::failure::io_words;
use crate::base::printable::bounded;
use crate::model::Order;
use crate::process::child_log::Lines;
use crate::process::restart::{Decision, Policy, Verdict, When};
use crate::process::spawn::{Exit, Supervised};
use crate::telemetry::Log;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

/// How long a program may take to end before it is killed; the server ends in a little more.
const TO_END: Duration = Duration::from_secs(4);
/// Lines of a program that are written down, of one run.
const MOST_LINES: usize = 20;
/// The longest of them, in characters.
const LONGEST: usize = 300;

/// See the module.
pub struct Run {
    /// What it is called in the log.
    pub what: String,
    /// What is run.
    pub command: Command,
    /// Ends it.
    pub stop: CancellationToken,
    /// Whether it is tried for ever; else it is given up when it fails again and again.
    pub tireless: bool,
    /// Where its words go.
    pub log: Log,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// As it was told, or because it had done its work.
    Done,
    /// It cannot do its work, for this reason.
    Failed(String),
}

impl Run {
    /// Runs it until it is over. `failing` hears why it failed, each time that it is tried again.
    pub async fn until_over(self, mut failing: impl FnMut(&str)) -> Over {
        let (begun, mut policy) = (Instant::now(), Policy::new(When::OnFailure));
        let failed = loop {
            let began = Instant::now();
            let mut words = Vec::new();
            let verdict = match self.once(&mut words).await {
                Ok(exit) => verdict(exit),
                Err(error) => Verdict::Transient(format!("it cannot be started: {}", io_words(&error))),
            };
            if self.stop.is_cancelled() {
                return Over::Done;
            }
            let why = reason(&words, &verdict);
            match policy.decide(Order::Run, verdict, begun.elapsed(), began.elapsed(), 0.5) {
                Decision::Again(pause) if self.tireless || !policy.newly_failing() => {
                    failing(&why);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => continue,
                        () = self.stop.cancelled() => return Over::Done,
                    }
                }
                Decision::Again(_) => break Some(("it fails again and again".to_string(), why)),
                Decision::Finish => break None,
                Decision::Fail(_, said) => break Some((said, why)),
            }
        };
        let said = failed.as_ref().map_or("it was stopped", |(said, _)| said);
        self.tell(format_args!("over before its stream: {said}"));
        failed.map_or(Over::Done, |(_, why)| Over::Failed(why))
    }

    /// One run of the program, to its end or until it is to end; what it said.
    async fn once(&self, words: &mut Vec<String>) -> std::io::Result<Exit> {
        let Command { line, variables } = &self.command;
        let (mut child, pipes) = Supervised::start_in(line, None, variables, Vec::new())?;
        let drained = async {
            tokio::join!(self.write_down(pipes.err, words), drain(pipes.out));
            std::future::pending::<()>().await
        };
        tokio::pin!(drained);
        tokio::select! {
            exit = child.ended() => return exit,
            () = self.stop.cancelled() => {}
            () = &mut drained => {}
        }
        child.signal(Signal::SIGTERM);
        tokio::select! {
            exit = child.ended() => exit,
            () = tokio::time::sleep(TO_END) => {
                self.tell(format_args!("killed, since it did not end by itself"));
                child.signal(Signal::SIGKILL);
                child.ended().await
            }
            () = &mut drained => unreachable!("it never ends"),
        }
    }

    async fn write_down(&self, from: impl AsyncRead + Unpin, words: &mut Vec<String>) {
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next().await {
            if words.len() < MOST_LINES && !line.trim().is_empty() {
                let line = bounded(&line, LONGEST);
                self.tell(format_args!("{line}"));
                words.push(line);
            }
        }
    }

    fn tell(&self, words: std::fmt::Arguments<'_>) {
        self.log.warn(format_args!("{}: {words}", self.what));
    }
}

async fn drain(from: impl AsyncRead + Unpin) {
    let mut lines = Lines::new(from);
    while lines.next().await.is_some() {}
}

/// What the program said went wrong: its error and why; else how it ended.
fn reason(words: &[String], verdict: &Verdict) -> String {
    let after =
        |mark: &str| words.iter().rev().find_map(|line| line.trim().strip_prefix(mark)).map(str::trim);
    match (after("error:"), after("why:"), verdict) {
        (Some(error), Some(why), _) => format!("{error}: {why}"),
        (Some(error), None, _) => error.to_string(),
        (None, _, Verdict::Transient(why) | Verdict::Permanent(_, why)) => why.clone(),
        (None, _, _) => "it ended".to_string(),
    }
}

fn verdict(exit: Exit) -> Verdict {
    let why = format!("the program {exit}");
    match exit.code {
        Some(0) => Verdict::Clean,
        // It was asked wrongly; trying again cannot help.
        Some(code) if code == i32::from(Kind::Usage.exit_code()) => Verdict::Permanent(Kind::Usage, why),
        _ => Verdict::Transient(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_program_says() {
        let words = ["error: cannot publish x", "  why: there is no such file", "  try: another"];
        let words = words.map(String::from);
        let exit = Verdict::Transient("the program exited with 1".into());
        assert_eq!(reason(&words, &exit), "cannot publish x: there is no such file");
        assert_eq!(reason(&[], &exit), "the program exited with 1");
    }
}
