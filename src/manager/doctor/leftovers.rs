//! What dead streams left: PID files, records, half-written files, entries of the index. Whether anything lives is
//! decided by the stream's lock, and with `--fix` everything is decided again while that lock is ours: what lives is
//! never touched.

use super::check::Check;
use crate::base::atomic_file;
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::config::{Environment, Paths, Settings};
use crate::manager::streams::stop::historic;
use crate::model::StreamKey;
use crate::process::identity::{self, Identity};
use crate::process::index;
use crate::process::pid_file::{self, PidFile};
use crate::process::run_record::RunRecord;
use crate::process::stream_lock::{self, StreamLock};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Most files of one folder that are looked at.
const MOST: usize = 20_000;

/// Something that a dead stream left.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leftover {
    path: PathBuf,
    /// What is wrong with it.
    why: String,
    cure: Cure,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cure {
    /// It says nothing to anybody: removed.
    Remove,
    /// It may mean something to somebody: set aside as `.stale`.
    SetAside,
}

/// Looks at every stream of the home folder and at the index; with `fix`, clears up.
pub fn look(settings: &Settings, environment: &Environment, fix: bool) -> Vec<Check> {
    let paths = &settings.paths;
    let boot_id = identity::boot_id();
    let mut checks = Vec::new();
    for key in keys(paths) {
        let last = index::entry(&environment.runtime_dir(), &key, paths.home()).and_then(|entry| entry.lock);
        if stream_lock::is_held_of(&paths.lock(&key), last) {
            checks.extend(orphan(paths, &key, &boot_id));
            continue;
        }
        let found = leftovers(paths, &key, &boot_id);
        if found.is_empty() {
            continue;
        }
        if !fix {
            checks.extend(found.iter().map(|l| reported(l, environment)));
            continue;
        }
        match StreamLock::acquire(&paths.lock(&key)) {
            // Nothing of this stream can start while the lock is ours.
            Ok(lock) => {
                let sure = leftovers(paths, &key, &boot_id);
                checks.extend(sure.iter().map(|l| cured(l, environment)));
                drop(lock);
            }
            Err(stream_lock::Error::Held(_)) => {}
            Err(_) => checks.extend(found.iter().map(|l| reported(l, environment))),
        }
    }
    let loose = half_written(&paths.pids())
        .into_iter()
        .chain(half_written(&paths.state()))
        .chain(lost_entries(&environment.runtime_dir()));
    for leftover in loose {
        checks.push(if fix { cured(&leftover, environment) } else { reported(&leftover, environment) });
    }
    if checks.is_empty() {
        checks.push(Check::ok("leftovers", "no stale PID files, records or locks"));
    }
    checks
}

fn reported(leftover: &Leftover, environment: &Environment) -> Check {
    let shown = Paths::shown(&leftover.path, &environment.cwd);
    Check::warn("leftovers", format!("{shown}: {}", leftover.why)).next(Advice::Examine { fix: true })
}

fn cured(leftover: &Leftover, environment: &Environment) -> Check {
    let shown = Paths::shown(&leftover.path, &environment.cwd);
    let done = match leftover.cure {
        Cure::Remove => std::fs::remove_file(&leftover.path).map(|()| "removed".to_string()),
        Cure::SetAside => atomic_file::set_aside(&leftover.path)
            .map(|aside| format!("set aside as {}", aside.file_name().unwrap_or_default().to_string_lossy())),
    };
    match done {
        Ok(done) => Check::ok("leftovers", format!("{shown}: {}; {done}", leftover.why)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Check::ok("leftovers", format!("{shown}: gone meanwhile"))
        }
        Err(e) => Check::warn(
            "leftovers",
            format!("{shown}: {}; it cannot be moved: {}", leftover.why, io_words(&e)),
        )
        .next("mend the rights of the folder, then msconv doctor --fix"),
    }
}

/// Every key that any file of the home speaks of.
fn keys(paths: &Paths) -> BTreeSet<StreamKey> {
    let named = |folder: PathBuf, suffix: &'static str| {
        names(&folder)
            .into_iter()
            .filter_map(move |name| name.strip_suffix(suffix)?.parse().ok())
            .collect::<Vec<_>>()
    };
    let mut keys: BTreeSet<StreamKey> = named(paths.pids(), ".pid").into_iter().collect();
    keys.extend(named(paths.state(), ".json"));
    keys.extend(named(paths.state(), ".lock"));
    keys
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().take(MOST).filter_map(|e| e.file_name().into_string().ok()).collect()
}

/// What a stream left whose lock nobody holds.
fn leftovers(paths: &Paths, key: &StreamKey, boot_id: &str) -> Vec<Leftover> {
    let mut found = Vec::new();
    let file = paths.pid_file(key);
    let mut historic_runs = false;
    let left = |path: &Path, why: String, cure| Leftover { path: path.to_path_buf(), why, cure };
    match pid_file::read(&file) {
        PidFile::Absent => {}
        PidFile::Unusable(why) => found.push(left(&file, format!("no PID file ({why})"), Cure::SetAside)),
        PidFile::Pid(pid) => match Identity::of(pid) {
            None => found.push(left(&file, format!("process {pid} is gone"), Cure::Remove)),
            Some(identity) => match historic(&file, &identity, key) {
                // Started by the historic tool, and running: not ours to judge.
                Ok(()) => historic_runs = true,
                Err(why) => {
                    let why = format!("process {pid} lives but is not ours ({why}); it is left alone");
                    found.push(left(&file, why, Cure::SetAside));
                }
            },
        },
    }
    let record = paths.record(key);
    if !historic_runs && record.symlink_metadata().is_ok() {
        match RunRecord::read(&record) {
            None => found.push(left(&record, "no readable record".into(), Cure::SetAside)),
            // Finished and failed streams are still told of by `list -a`; those cut off by a reboot are to be resumed.
            Some(known) if known.state.ended() || known.boot_id != boot_id => {}
            Some(known) if known.supervisor_alive(boot_id) => {}
            Some(known) => {
                found.push(left(
                    &record,
                    format!("it says {}, and nothing of it lives", known.state),
                    Cure::Remove,
                ));
            }
        }
    }
    found
}

/// A lock that is held though its supervisor is gone.
fn orphan(paths: &Paths, key: &StreamKey, boot_id: &str) -> Option<Check> {
    let record = RunRecord::read(&paths.record(key));
    if record.as_ref().is_some_and(|r| r.supervisor_alive(boot_id)) {
        return None;
    }
    let holders = stream_lock::holders_of(&paths.lock(key), None);
    // A stream that starts this moment has a supervisor and no record yet.
    let own = env!("CARGO_PKG_NAME");
    if holders.is_empty() || holders.iter().any(|h| stream_lock::runs(h.identity.pid, own)) {
        return None;
    }
    let who: Vec<String> = holders
        .iter()
        .take(4)
        .map(|h| {
            let program = identity::executable(h.identity.pid)
                .and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
                .unwrap_or_else(|| "a program".into());
            format!("{program} (pid {})", h.identity.pid)
        })
        .collect();
    let detail = format!("{key} has no supervisor any more, but {} still holds its lock", who.join(", "));
    Some(Check::warn("locks", detail).next(Advice::stop(key)))
}

/// Files that a writer left half written: `.<name>.<pid>.<serial>.partial` of a process that is gone.
fn half_written(folder: &Path) -> Vec<Leftover> {
    names(folder)
        .into_iter()
        .filter(|name| {
            let Some(rest) = name.strip_prefix('.').and_then(|n| n.strip_suffix(".partial")) else {
                return false;
            };
            let mut parts = rest.rsplit('.');
            let serial = parts.next().is_some_and(|s| s.parse::<u32>().is_ok());
            let pid = parts.next().and_then(|p| p.parse::<i32>().ok());
            serial && pid.is_some_and(|pid| Identity::of(pid).is_none())
        })
        .map(|name| Leftover {
            path: folder.join(name),
            why: "half written by a process that is gone".into(),
            cure: Cure::Remove,
        })
        .collect()
}

/// Entries of the index whose stream left no record and holds no lock.
fn lost_entries(runtime: &Path) -> Vec<Leftover> {
    index::entries(runtime)
        .into_iter()
        .filter(|entry| {
            let paths = Paths::new(&entry.home);
            paths.record(&entry.key).symlink_metadata().is_err()
                && !stream_lock::is_held_of(&paths.lock(&entry.key), entry.lock)
        })
        .map(|entry| Leftover {
            path: index::path(runtime, &entry.key, &entry.home),
            why: format!("it points to {} of {}, which is gone", entry.key, entry.home.display()),
            cure: Cure::Remove,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use crate::manager::doctor::check::Status;
    use crate::model::{Order, State};

    struct Home {
        dir: tempfile::TempDir,
        settings: Settings,
        environment: Environment,
    }

    fn home() -> Home {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("run");
        std::fs::create_dir_all(dir.path().join("pids/.state")).unwrap();
        std::fs::create_dir(&runtime).unwrap();
        let environment =
            Environment::made(&[("XDG_RUNTIME_DIR", &runtime.display().to_string())], dir.path());
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        Home { dir, settings, environment }
    }

    impl Home {
        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.dir.path().join("pids").join(name), text).unwrap();
        }

        fn there(&self, name: &str) -> bool {
            self.dir.path().join("pids").join(name).symlink_metadata().is_ok()
        }

        fn look(&self, fix: bool) -> Vec<Check> {
            look(&self.settings, &self.environment, fix)
        }

        fn record(&self, key: &str, state: State, boot_id: String) {
            let json = serde_json::json!({"schema": 1, "key": key, "home": self.dir.path(), "order": Order::Run, "state": state, "boot_id": boot_id});
            self.write(&format!(".state/{key}.json"), &json.to_string());
        }
    }

    /// A number that no process has: a child's that was reaped. The kernel does not give it out again soon.
    fn dead_pid() -> i32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id() as i32
    }

    #[test]
    fn a_clean_home_is_said_to_be_clean() {
        let home = home();
        let checks = home.look(true);
        assert_eq!(checks.iter().map(|c| c.status).collect::<Vec<_>>(), [Status::Ok]);
    }

    #[test]
    fn nothing_is_touched_without_fix() {
        let home = home();
        home.write("a.pid", &format!("{}\n", dead_pid()));
        home.write("b.pid", "garbage");
        let checks = home.look(false);
        assert_eq!(checks.len(), 2);
        assert!(
            checks
                .iter()
                .all(|c| c.status == Status::Warn && c.next == [Advice::Examine { fix: true }.into()])
        );
        assert!(home.there("a.pid") && home.there("b.pid"));
    }

    #[test]
    fn the_dead_is_removed_and_the_strange_set_aside() {
        let home = home();
        home.write("dead.pid", &format!("{}\n", dead_pid()));
        home.write("garbage.pid", "12 34");
        home.write("stranger.pid", &format!("{}\n", std::process::id()));
        let target = home.dir.path().join("precious");
        std::fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, home.dir.path().join("pids/link.pid")).unwrap();
        home.write(".state/broken.json", "{{{");
        home.record("crashed", State::Live, identity::boot_id());
        home.record("done", State::Failed, identity::boot_id());
        home.record("rebooted", State::Live, "another boot".into());
        home.write(&format!(".x.pid.{}.3.partial", dead_pid()), "1");
        home.write(&format!(".x.pid.{}.3.partial", std::process::id()), "1");
        let checks = home.look(true);
        assert!(checks.iter().all(|c| c.status == Status::Ok), "{checks:#?}");
        assert!(!home.there("dead.pid") && !home.there("dead.pid.stale"));
        for name in ["garbage.pid", "stranger.pid", "link.pid", ".state/broken.json"] {
            assert!(!home.there(name) && home.there(&format!("{name}.stale")), "{name}");
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "x");
        assert!(!home.there(".state/crashed.json"));
        assert!(home.there(".state/done.json") && home.there(".state/rebooted.json"));
        assert!(home.there(&format!(".x.pid.{}.3.partial", std::process::id())), "its writer lives");
        assert_eq!(home.look(true).len(), 1, "nothing is left to do");
    }

    #[test]
    fn what_lives_is_never_touched() {
        let home = home();
        let key: StreamKey = "alive".parse().unwrap();
        let lock = StreamLock::acquire(&home.settings.paths.lock(&key)).unwrap();
        home.write("alive.pid", &format!("{}\n", dead_pid()));
        home.record("alive", State::Live, identity::boot_id());
        home.look(true);
        assert!(home.there("alive.pid") && home.there(".state/alive.json"));
        drop(lock);
        // A child that another test forks at this very moment holds a copy of the lock until its exec.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while stream_lock::is_held(&home.settings.paths.lock(&key)) && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        home.look(true);
        assert!(!home.there("alive.pid") && !home.there(".state/alive.json"));
    }

    #[test]
    fn a_lock_without_supervisor_is_told() {
        use crate::process::sys;
        let home = home();
        let key: StreamKey = "orphan".parse().unwrap();
        let lock = StreamLock::acquire(&home.settings.paths.lock(&key)).unwrap();
        let mut command = std::process::Command::new("sleep");
        command.arg("300");
        sys::arrange(&mut command, sys::ChildSetup { keep: vec![lock.descriptor()], ..Default::default() });
        let mut child = command.spawn().unwrap();
        drop(lock);
        let checks = home.look(true);
        child.kill().unwrap();
        child.wait().unwrap();
        let told = checks.iter().find(|c| c.name == "locks").unwrap();
        assert_eq!(told.next, [Advice::stop("orphan").into()]);
        assert!(told.detail.contains("sleep (pid "), "{}", told.detail);
    }

    #[test]
    fn an_entry_of_a_folder_that_is_gone_is_removed() {
        let home = home();
        let runtime = home.environment.runtime_dir();
        let (key, home_of) = ("far".parse().unwrap(), home.dir.path().join("gone"));
        let entry = index::Entry { key, home: home_of, lock: None, record: None };
        let file = index::path(&runtime, &entry.key, &entry.home);
        index::add(&file, &entry).unwrap();
        assert!(home.look(false).iter().any(|c| c.detail.contains("which is gone")));
        home.look(true);
        assert!(!file.exists());
    }
}
