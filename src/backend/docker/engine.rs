//! One stack and the means to work on it: runs the commands, looks at the containers, quotes what went wrong.

use super::client::ANSWER;
use super::command;
use super::command::Client;
use super::container::{self, Container, State};
use super::stack::Stack;
use super::words;
use crate::base::failure::io_words;
use crate::base::printable::bounded;
use crate::base::{CommandLine, Failure, Kind, Outcome, clock};
use crate::process::blocking::blocking;
use crate::process::spawn::{self, RunError};
use crate::process::talk::{self, Talk, TalkError, Told};
use std::cell::RefCell;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Largest answer of `docker inspect` that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;
/// How long removing the containers may take in all.
const REMOVED: Duration = Duration::from_secs(120);
/// Lines of a container's log that are quoted.
const QUOTED: usize = 5;

/// Where progress goes, a line at a time.
pub type Progress<'a> = &'a dyn Fn(&str);

/// A stack with its client.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The programs.
    pub client: &'a Client,
    /// The stack.
    pub stack: &'a Stack,
    /// What it is told.
    pub variables: &'a [(String, String)],
    /// Where progress goes.
    pub progress: Progress<'a>,
    /// Ends it.
    pub interrupted: &'a CancellationToken,
}

/// How long one step may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest silence.
    pub silence: Duration,
    /// When it must have ended.
    pub deadline: Option<Instant>,
}

/// For a step that only reads.
const READ: Limits = Limits { silence: Duration::from_secs(2 * ANSWER.as_secs()), deadline: None };

impl Engine<'_> {
    /// Runs one step; what it says is progress. `what` is the sentence if it fails.
    ///
    /// # Errors
    /// Server, Usage or Interrupted.
    pub async fn step(&self, line: &CommandLine, limits: Limits, what: &str) -> Outcome<Told> {
        match self.talk(line, limits, self.progress).await {
            Ok(told) if told.well() => Ok(told),
            Ok(told) => Err(words::failed(what, &told.lines)),
            Err(TalkError::Interrupted) => Err(Failure::new(Kind::Interrupted, "interrupted")),
            Err(TalkError::Start(e)) => {
                Err(Failure::new(Kind::Missing, format!("{} cannot be started", line.program.display()))
                    .why(io_words(&e)))
            }
            Err(TalkError::TooLong(lines)) => {
                let late = limits.deadline.is_some_and(|at| Instant::now() >= at);
                let why = if late {
                    "it did not end in time".to_string()
                } else {
                    format!("it said nothing for {}", clock::spoken(limits.silence))
                };
                let failure = Failure::new(Kind::Server, what).why(format!("{}: {why}", line.shell_line()));
                Err(words::last(&lines, QUOTED).into_iter().fold(failure, |f, l| f.why(bounded(&l, 300))))
            }
        }
    }

    async fn talk(&self, line: &CommandLine, limits: Limits, heard: Progress<'_>) -> Result<Told, TalkError> {
        let talk = Talk {
            folder: &self.stack.folder,
            variables: self.variables,
            silence: limits.silence,
            deadline: limits.deadline,
            interrupted: self.interrupted,
        };
        talk::run(line, talk, heard).await
    }

    /// The stack's containers, whether they run or not.
    ///
    /// # Errors
    /// Server, if Docker does not say.
    pub async fn containers(&self) -> Outcome<Vec<Container>> {
        let what = "the containers of the stack cannot be seen";
        let quiet = Engine { progress: &|_| {}, ..*self };
        let told = quiet.step(&command::containers(self.client, self.stack), READ, what).await;
        let told = match told {
            Ok(told) => told,
            // Compose reads its files first, whatever it is asked; where that fails it is not about containers.
            Err(failure) if failure.what() == what => {
                self.images().await?;
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        };
        let (client, ids) = (self.client.clone(), ids(&told.lines.join("\n")));
        blocking("ask Docker for containers", move || inspect(&client, &ids)).await?
    }

    /// The failure `what` about a container, with its last words.
    pub fn blame(&self, container: &Container, what: String) -> Failure {
        let mut said = Vec::new();
        // What a service prints is not lost where it goes to a log file instead: the health check's words stand beside it.
        if let Ok(output) = spawn::run(&command::logs(self.client, &container.id), ANSWER, 64 * 1024) {
            for bytes in [&output.stdout, &output.stderr] {
                said.extend(String::from_utf8_lossy(bytes).lines().map(str::to_string));
            }
        }
        let quoted = words::last(&said, QUOTED);
        if let Some(failure) = words::known(&quoted.join("\n")) {
            return failure.during(&what);
        }
        let failure = quoted.into_iter().fold(Failure::new(Kind::Server, what), |f, line| {
            f.why(format!("it said: {}", bounded(&line, 300)))
        });
        let health = container.health_words.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default();
        if container.state == State::Unhealthy && !health.is_empty() {
            failure.why(format!("its health check said: {}", bounded(health.trim(), 300)))
        } else {
            failure
        }
    }

    /// The images of the stack that are not built, from what compose makes of its files.
    ///
    /// # Errors
    /// Server, if compose does not understand them; or Interrupted.
    async fn images(&self) -> Outcome<Vec<String>> {
        let what = "compose does not understand the stack";
        let images = RefCell::new(Vec::new());
        let service = RefCell::new(String::new());
        let gather = |line: &str| {
            if let Some(name) = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':')) {
                if !name.starts_with(' ') {
                    *service.borrow_mut() = name.to_string();
                }
            } else if let Some(name) = image(line)
                // docker-compose 1.29 shows the services of every profile.
                && (self.stack.monitoring || !super::WATCHERS.contains(&service.borrow().as_str()))
            {
                images.borrow_mut().push(name);
            }
        };
        let told = Engine { progress: &gather, ..*self };
        let line = command::config(self.client, self.stack);
        told.step(&line, READ, what).await.map_err(|failure| {
            if failure.what() != what {
                return failure;
            }
            failure.hint(format!("{}    (in {})", line.shell_line(), self.stack.folder.display()))
        })?;
        Ok(images.take())
    }

    /// Fetches the images that are neither built nor here. Not left to compose: its `up` takes them for part of the time
    /// in which the servers have to answer, and docker-compose 1.29 waits for ever in `up --no-start` for a service that
    /// is to end.
    ///
    /// # Errors
    /// Server, or Interrupted.
    pub async fn fetch(&self, limits: Limits) -> Outcome<()> {
        let quiet = Engine { progress: &|_| {}, ..*self };
        for name in self.images().await? {
            let what = format!("the image {name} cannot be fetched");
            let here = quiet.talk(&command::image(self.client, &name), READ, &|_| {}).await;
            if !here.is_ok_and(|told| told.well()) {
                self.step(&command::pull(self.client, &name), limits, &what).await?;
            }
        }
        Ok(())
    }

    /// Ends and removes what there is of the stack.
    ///
    /// # Errors
    /// Server.
    pub async fn remove(&self, volumes: bool) -> Outcome<()> {
        // A person who pressed Ctrl-C wants this to be done.
        let never = CancellationToken::new();
        let last = Engine { interrupted: &never, ..*self };
        // Our own copy has none of the services that store anything, but docker-compose 1.29 makes their volumes all the same.
        let volumes = volumes || self.stack.project.is_some();
        let limits = Limits { silence: REMOVED, deadline: Some(Instant::now() + REMOVED) };
        let what = "the containers cannot be removed";
        last.step(&command::down(self.client, self.stack, volumes), limits, what).await.map(|_| ())
    }
}

/// The image in a line of `compose config`: `    image: bluenviron/mediamtx:1.20.1-ffmpeg`.
fn image(line: &str) -> Option<String> {
    let name = line.trim_start().strip_prefix("image:")?.trim().trim_matches(['"', '\'']);
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let plain = !name.is_empty() && name.len() <= 255 && !name.starts_with('-') && name.chars().all(fits);
    plain.then(|| name.to_string())
}

/// The ids in the output of `ps --quiet`; anything else in it is no id.
pub fn ids(text: &str) -> Vec<String> {
    let id =
        |word: &&str| word.len() >= 12 && word.len() <= 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.lines().map(str::trim).filter(id).take(200).map(str::to_string).collect()
}

/// Looks at containers by their ids; those that are gone by now are left out.
///
/// # Errors
/// Server, if Docker does not say.
pub fn inspect(client: &Client, ids: &[String]) -> Outcome<Vec<Container>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let failure = || Failure::new(Kind::Server, "the containers of the stack cannot be seen");
    match spawn::run(&command::inspect(client, ids), ANSWER, LARGEST) {
        // With one of several gone the others are printed all the same, and the exit code is 1.
        Ok(output) => container::parse(&output.stdout).ok_or_else(|| {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            let lines: Vec<String> = words.lines().map(str::to_string).collect();
            match lines.is_empty() {
                true => failure().why("docker inspect answered with something that is no list of containers"),
                false => words::failed("the containers of the stack cannot be seen", &lines),
            }
        }),
        Err(RunError::Start(e)) => Err(failure().why(io_words(&e))),
        Err(RunError::TimedOut(_)) => {
            Err(failure().why(format!("docker inspect had no answer within {} s", ANSWER.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_are_images() {
        assert_eq!(image("    image: a.b/c-d/e:1.2-x").as_deref(), Some("a.b/c-d/e:1.2-x"));
        assert_eq!(image("    image: 'a@sha256:00'").as_deref(), Some("a@sha256:00"));
        for line in
            ["image:", "    image: --privileged", "    imagex: a", "    image: a b", "  command: image: a"]
        {
            assert_eq!(image(line), None, "{line}");
        }
    }

    #[test]
    fn only_ids_are_ids() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let text = format!("{id}\nWARNING: the variable is not set\n--help\nabc\n0123456789ab\n");
        assert_eq!(ids(&text), [id, "0123456789ab"]);
    }
}
