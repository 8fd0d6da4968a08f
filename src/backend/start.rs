//! Starting one server and waiting until it answers, whichever it is.

use super::place::{Place, Record};
use crate::base::failure::io_words;
use crate::base::{CommandLine, Failure, Kind, Outcome, atomic_file, clock};
use crate::process::listener::cannot_listen;
use crate::process::server::{self, Setup};
use crate::process::stream_lock::StreamLock;
use std::future::Future;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Time between two questions whether it answers.
const INTERVAL: Duration = Duration::from_millis(50);
/// How much of a log is read for its last words, in bytes.
const TAIL: usize = 8 * 1024;

/// How long to wait, and who may say stop.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'a> {
    /// Until when.
    pub deadline: Instant,
    /// How long that was from the start, for messages.
    pub whole: Duration,
    /// Ends it.
    pub interrupted: &'a CancellationToken,
}

impl Patience<'_> {
    /// Fails once the time is over or the person has had enough.
    ///
    /// # Errors
    /// Interrupted; Server with `what`.
    pub fn check(&self, what: impl FnOnce() -> Failure) -> Outcome<()> {
        if self.interrupted.is_cancelled() {
            return Err(Failure::new(Kind::Interrupted, "interrupted; what was started has been ended"));
        }
        if Instant::now() >= self.deadline { Err(what()) } else { Ok(()) }
    }

    /// Waits a moment.
    pub async fn pause(&self) {
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A server about to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Where its files are.
    pub place: &'a Place,
    /// The command.
    pub line: CommandLine,
    /// Where its words go before it has a log.
    pub output: PathBuf,
    /// Its own log, if that is another file.
    pub log: PathBuf,
    /// Where it will listen, with what that is for and the flag that changes it.
    pub ports: Vec<Listen>,
    /// Variables for it.
    pub variables: Vec<(&'static str, String)>,
    /// Largest stack, in bytes.
    pub stack_limit: Option<u64>,
    /// Reads from its output why it ended, where it says so in a form that we understand.
    pub explain: fn(&Path) -> Option<Failure>,
}

/// One port of a server.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// An address that clients may try first and that must be nobody else's.
    pub also: Option<IpAddr>,
    /// `nginx-rtmp-url`.
    pub flag: &'static str,
}

impl Start<'_> {
    /// Checks the ports, starts the server with `lock` handed down, writes its record and waits until `answers` gives
    /// something. If it fails, nothing of the server is left running.
    ///
    /// # Errors
    /// Server: a port is taken, the server ended, or does not answer in time, with its own words.
    pub async fn run<F, T>(
        &self,
        lock: StreamLock,
        patience: Patience<'_>,
        mut answers: impl FnMut() -> F,
    ) -> Outcome<(i32, T)>
    where
        F: Future<Output = Result<T, String>>,
    {
        for port in &self.ports {
            port.free(self.place.words())?;
        }
        let before = length(&self.log);
        let variables: Vec<(&str, &str)> = self.variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let setup = Setup {
            folder: &self.place.prefix,
            output: &self.output,
            keep: lock.descriptor(),
            stack_limit: self.stack_limit,
            variables: &variables,
        };
        let mut child = server::start(&self.line, &setup).map_err(|e| {
            Failure::new(Kind::Missing, format!("{} cannot be started", self.line.program.display()))
                .why(io_words(&e))
        })?;
        let pid = child.id() as i32;
        let addresses = self.ports.iter().map(|p| p.address.to_string()).collect();
        let outcome = async {
            self.place.write_record(&Record::new(pid, &self.line.program, addresses))?;
            loop {
                if let Ok(Some(status)) = child.try_wait() {
                    if let Some(failure) = (self.explain)(&self.output) {
                        return Err(failure);
                    }
                    let exit = crate::process::spawn::Exit::from(status);
                    return Err(self.with_words(
                        Failure::new(
                            Kind::Server,
                            format!("{} {exit} instead of starting", self.place.words()),
                        ),
                        before,
                    ));
                }
                match answers().await {
                    Ok(found) => return Ok((pid, found)),
                    Err(why) => patience.check(|| {
                        let waited = clock::spoken(patience.whole);
                        let what = format!("{} did not answer within {waited}", self.place.words());
                        self.with_words(Failure::new(Kind::Server, what).why(why), before)
                    })?,
                }
                patience.pause().await;
            }
        }
        .await;
        if outcome.is_err() {
            // We hold the lock as well, so its other holders are what was started.
            let _ = self.place.end().await;
            let _ = child.wait();
        }
        outcome
    }

    /// Adds the server's own last words, those of this start only.
    fn with_words(&self, failure: Failure, before: u64) -> Failure {
        let mut words = meaningful(&tail_since(&self.log, before));
        if words.is_empty() {
            words = meaningful(&tail_since(&self.output, 0));
        }
        words.into_iter().fold(failure, Failure::why).log(self.log.display().to_string())
    }
}

impl Listen {
    /// Fails if somebody has this port.
    ///
    /// # Errors
    /// Server, naming who; Usage, if it cannot be listened there at all.
    pub fn free(&self, name: &str) -> Outcome<()> {
        let port = self.address.port();
        let busy = |error: &std::io::Error| {
            cannot_listen(name, self.address, false, &format!("--{}", self.flag), error)
        };
        TcpListener::bind(self.address).map_err(|e| busy(&e))?;
        if let Some(ip) = self.also
            && let Err(e) = TcpListener::bind(SocketAddr::new(ip, port))
            && e.kind() == std::io::ErrorKind::AddrInUse
        {
            return Err(busy(&e));
        }
        Ok(())
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// What was added to a log since it had `before` bytes, its end only.
fn tail_since(path: &Path, before: u64) -> String {
    let bytes = atomic_file::read_small(path, 64 * 1024 * 1024).unwrap_or_default();
    let added = bytes.get(usize::try_from(before).unwrap_or(usize::MAX)..).unwrap_or_default();
    let end = added.get(added.len().saturating_sub(TAIL)..).unwrap_or_default();
    String::from_utf8_lossy(end).into_owned()
}

/// The last three lines that report an error, or else the last three lines.
fn meaningful(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let grave = |l: &&&str| ["[emerg]", "[alert]", "[crit]", "[error]", "ERR"].iter().any(|w| l.contains(w));
    let errors: Vec<&&str> = lines.iter().filter(grave).collect();
    let chosen: Vec<&str> =
        if errors.is_empty() { lines.clone() } else { errors.into_iter().copied().collect() };
    chosen.iter().skip(chosen.len().saturating_sub(3)).map(|l| without_stamp(l)).collect()
}

/// `2026/11/21 13:00:00 [emerg] 41#41: bind() failed` as `bind() failed`.
fn without_stamp(line: &str) -> String {
    match line.split_once("] ") {
        Some((_, rest)) if line.starts_with(|c: char| c.is_ascii_digit()) => match rest.split_once(": ") {
            Some((number, words)) if number.chars().all(|c| c.is_ascii_digit() || c == '#') => words.into(),
            _ => rest.into(),
        },
        _ => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_error_and_not_the_chatter() {
        let log = "2026/11/21 13:00:00 [notice] 41#41: using epoll\n\
                   2026/11/21 13:00:00 [emerg] 41#41: bind() to 127.0.0.1:1 failed (13: Permission denied)\n\
                   2026/11/21 13:00:00 [notice] 41#41: bye\n";
        assert_eq!(meaningful(log), ["bind() to 127.0.0.1:1 failed (13: Permission denied)"]);
        assert_eq!(meaningful("a\n\nb\nc\nd\n"), ["b", "c", "d"]);
        assert_eq!(meaningful("ERR: json: unknown field \"bogus\""), ["ERR: json: unknown field \"bogus\""]);
        assert!(meaningful("").is_empty());
    }

    #[test]
    fn a_taken_port_names_who_has_it() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let failure = Listen { address, also: None, flag: "rtsp-url" }.free("mediamtx").unwrap_err();
        assert_eq!(failure.kind(), Kind::Server);
        assert!(failure.what().contains(&format!("(pid {})", std::process::id())), "{failure}");
        assert!(crate::ui::failure_text::text(&failure).contains("--rtsp-url"), "{failure}");
    }
}
