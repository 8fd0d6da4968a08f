//! Finding Docker: its client, compose in either form, and an engine that lets us in.

use super::command::{self, Client, Compose};
use super::words;
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::base::printable::bounded;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::process::locate::locate;
use crate::process::spawn::{self, Output, RunError};
use std::time::Duration;

/// How long a question to the client or the engine may take.
pub const ANSWER: Duration = Duration::from_secs(10);
/// The first docker-compose that waits for services to be healthy or to have ended well.
const OLDEST: (u32, u32) = (1, 29);

/// What is here, in words for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The programs.
    pub client: Client,
    /// Compose's version.
    pub compose_version: String,
    /// The engine's version.
    pub engine_version: String,
}

/// Lines that install what is missing on this machine.
#[derive(Clone, Debug)]
pub struct Install {
    /// Docker and compose.
    pub docker: String,
    /// Compose alone.
    pub compose: String,
}

/// Every failure of this backend ends with the way around it.
pub fn around(failure: Failure) -> Failure {
    failure.hint(Advice::start_backend("embedded").behind("the built-in server needs no Docker"))
}

/// Finds the client and compose.
///
/// # Errors
/// Missing, with the install line.
pub fn find(install: &Install) -> Outcome<(Client, String)> {
    let missing = |what: &str, line: &str| around(Failure::new(Kind::Missing, what).hint(line));
    let Some(docker) = locate(None, "docker") else {
        return Err(missing("docker is not installed", &install.docker));
    };
    let mut line = CommandLine::new(&docker);
    line.args(["compose", "version", "--short"]);
    let plugin = spawn::run(&line, ANSWER, 4096);
    match &plugin {
        Ok(output) if output.exit.code == Some(0) => {
            if let Some((_, version)) = version(&output.stdout) {
                return Ok((Client { docker, compose: Compose::Plugin }, version));
            }
        }
        Ok(_) => {}
        Err(e) => return Err(unfit(&docker.display().to_string(), e, &install.docker)),
    }
    let Some(program) = locate(None, "docker-compose") else {
        return Err(missing("docker is here, but compose is not", &install.compose)
            .why("there is neither `docker compose` nor docker-compose"));
    };
    let mut line = CommandLine::new(&program);
    line.args(["version", "--short"]);
    let output = spawn::run(&line, ANSWER, 4096)
        .map_err(|e| unfit(&program.display().to_string(), &e, &install.compose))?;
    match version(&output.stdout).filter(|_| output.exit.code == Some(0)) {
        Some((numbers, version)) if numbers >= OLDEST => {
            Ok((Client { docker, compose: Compose::Standalone(program) }, version))
        }
        Some((_, version)) => Err(missing("docker-compose is too old", &install.compose)
            .why(format!("{} is version {version}; 1.29 and later will do", program.display()))),
        None => Err(missing("docker-compose does not run", &install.compose).why(said(&output))),
    }
}

/// Finds everything and asks the engine.
///
/// # Errors
/// Missing; Server, if the engine does not run or does not let us in.
pub fn look(install: &Install) -> Outcome<Found> {
    let (client, compose_version) = find(install)?;
    let engine_version = engine(&client)?;
    Ok(Found { client, compose_version, engine_version })
}

/// The engine's version.
///
/// # Errors
/// Server, with the client's own words.
fn engine(client: &Client) -> Outcome<String> {
    let no_answer = || Failure::new(Kind::Server, "the Docker engine does not answer");
    let output = match spawn::run(&command::engine(client), ANSWER, 4096) {
        Ok(output) => output,
        Err(RunError::Start(e)) => return Err(around(no_answer().why(io_words(&e)))),
        Err(RunError::TimedOut(_)) => {
            let why = format!("`docker version` had no answer within {} s", ANSWER.as_secs());
            return Err(around(no_answer().why(why).hint("sudo systemctl restart docker")));
        }
    };
    let version = first_line(&output.stdout);
    if output.exit.code == Some(0) && version.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(version);
    }
    let words = said(&output);
    Err(around(words::known(&words).unwrap_or_else(|| no_answer().why(words))))
}

fn unfit(program: &str, error: &RunError, install: &str) -> Failure {
    let why = match error {
        RunError::Start(e) => io_words(e),
        RunError::TimedOut(_) => format!("it did not end within {} s", ANSWER.as_secs()),
    };
    around(Failure::new(Kind::Missing, format!("{program} does not run")).why(why).hint(install))
}

/// What a short run said about its failure, in one line.
fn said(output: &Output) -> String {
    let of = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        bounded(&lines.join(" "), 400)
    };
    let words = of(&output.stderr);
    let words = if words.is_empty() { of(&output.stdout) } else { words };
    if words.is_empty() { format!("it {} and said nothing", output.exit) } else { words }
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    bounded(text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default(), 60)
}

/// The first two numbers of a version, and its text: `v2.29.1`, `1.29.2`, `2.24.6+ds1`.
fn version(bytes: &[u8]) -> Option<((u32, u32), String)> {
    let text = first_line(bytes);
    let mut numbers = text.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
    let first = numbers.next()?.parse().ok()?;
    let second = numbers.next()?.parse().ok()?;
    Some(((first, second), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_versions() {
        for (text, numbers) in [
            ("v2.29.1\n", (2, 29)),
            ("1.29.2", (1, 29)),
            ("2.24.6+ds1-0ubuntu2\n", (2, 24)),
            ("5.0\n", (5, 0)),
        ] {
            assert_eq!(version(text.as_bytes()).map(|v| v.0), Some(numbers), "{text}");
        }
        for text in ["", "docker: 'compose' is not a docker command.", "v", "1", "99999999999.1"] {
            assert_eq!(version(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_version_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = version(&bytes);
        }
    }
}
