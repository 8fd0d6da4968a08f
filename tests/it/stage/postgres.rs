//! A PostgreSQL of a test's own, reached through a socket in its folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to answer.
const SOON: Duration = Duration::from_secs(60);

/// A server that ends with the test.
pub struct Postgres {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

/// Where Debian and others put its programs.
fn program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Postgres {
    /// Starts one; nothing where it is not installed.
    pub fn start() -> Option<Postgres> {
        let (initdb, _) = (program("initdb")?, program("postgres")?);
        let folder = tempfile::Builder::new().prefix("msconv-pg-").tempdir_in("/tmp").unwrap();
        if nix::unistd::geteuid().is_root() {
            // It refuses to run as root.
            let user = nix::unistd::User::from_name("postgres").ok().flatten()?;
            nix::unistd::chown(folder.path(), Some(user.uid), Some(user.gid)).unwrap();
        }
        let mut postgres = Postgres { folder, child: None };
        let made = postgres
            .command(&initdb)
            .args(["-A", "trust", "-U", "msconv", "--no-sync", "-D", "data"])
            .output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.begin();
        Some(postgres)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("postgres://msconv@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Starts it again after [`Postgres::stop`].
    pub fn begin(&mut self) {
        let folder = self.folder.path().display().to_string();
        let mut command = self.command(&program("postgres").unwrap());
        command.args(["-D", "data", "-k", &folder, "-c", "listen_addresses=", "-c", "fsync=off"]);
        self.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        let socket = self.folder.path().join(".s.PGSQL.5432");
        while !(socket.exists() && self.answers()) {
            assert!(begun.elapsed() < SOON, "PostgreSQL answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let Some(ready) = program("pg_isready") else { return true };
        let asked = Command::new(ready).arg("-h").arg(self.folder.path()).output();
        asked.is_ok_and(|run| run.status.success())
    }

    /// Ends it at once, as a power cut would.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = child.wait();
    }

    /// Every process of it stands still, or goes on.
    pub fn freeze(&self, frozen: bool) {
        let Some(child) = &self.child else { return };
        let signal =
            if frozen { nix::sys::signal::Signal::SIGSTOP } else { nix::sys::signal::Signal::SIGCONT };
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let all =
            children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).chain([child.id() as i32]);
        for pid in all {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = if nix::unistd::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let quiet = Stdio::null;
        command
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.freeze(false);
        self.stop();
    }
}
