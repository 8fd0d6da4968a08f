//! The folders: whether pids/ and logs/ can be written, on what kind of disk, with how much room; and the clock.

use super::check::Check;
use crate::base::Kind;
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::config::{Environment, Settings};
use crate::process::stream_lock;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use std::path::{Path, PathBuf};

/// Less room than this is too little for the logs of a day, in bytes.
const LITTLE: u64 = 500 * 1024 * 1024;

/// Less room than this and state cannot be written safely, in bytes.
const NONE: u64 = 20 * 1024 * 1024;

/// 2025-01-01 in milliseconds since 1970: a clock before it has never been set.
const NEVER_SET: i64 = 1_735_689_600_000;

/// Every folder of the home. With `fix`, missing ones are made.
pub fn look(settings: &Settings, environment: &Environment, fix: bool) -> Vec<Check> {
    let paths = &settings.paths;
    let mut checks = vec![writable(&paths.pids(), fix), writable(&paths.logs(), fix)];
    let standing = nearest(paths.home());
    checks.push(match stream_lock::network_file_system(&standing) {
        Some(kind) => Check::fail(
            "file system",
            Kind::Internal,
            format!("{} is on {kind}, where locks cannot be trusted", standing.display()),
        )
        .next(Advice::change("home", "with a folder on a disk of this machine")),
        None => Check::ok("file system", format!("{} is on a disk of this machine", standing.display())),
    });
    checks.push(room(&standing));
    checks.push(index(environment));
    checks
}

/// The folder itself, or the nearest one above it that exists.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_path_buf()
}

fn writable(folder: &Path, fix: bool) -> Check {
    let name = format!("{}/", folder.file_name().unwrap_or_default().to_string_lossy());
    let fail = |what: String| {
        Check::fail(name.clone(), Kind::Internal, what)
            .next(Advice::change("home", "with a folder of your own, or mend its rights"))
    };
    let mut made = "";
    if fix && !folder.exists() {
        if let Err(e) = std::fs::create_dir_all(folder) {
            return fail(format!("{} cannot be made: {}", folder.display(), io_words(&e)));
        }
        made = "made: ";
    }
    let standing = nearest(folder);
    if !standing.is_dir() {
        return fail(format!("{} is not a folder", standing.display()));
    }
    if let Err(e) = access(&standing, AccessFlags::W_OK | AccessFlags::X_OK) {
        return fail(format!("{} cannot be written: {}", standing.display(), io_words(&e.into())));
    }
    if standing == folder {
        Check::ok(name, format!("{made}{} can be written", folder.display()))
    } else {
        Check::ok(name, format!("{} will be made by the first publish", folder.display()))
    }
}

#[expect(clippy::useless_conversion, reason = "the counts are narrower on 32-bit machines")]
fn room(folder: &Path) -> Check {
    let stat = match statvfs(folder) {
        Ok(stat) => stat,
        Err(e) => {
            return Check::warn(
                "disk",
                format!("the room at {} is not known: {}", folder.display(), e.desc()),
            );
        }
    };
    let free = u64::from(stat.blocks_available()).saturating_mul(stat.fragment_size());
    // File systems without inodes say 0 of 0.
    let inodes = if stat.files() == 0 { u64::MAX } else { u64::from(stat.files_available()) };
    judge_room(&folder.display().to_string(), free, inodes)
}

fn judge_room(folder: &str, free: u64, inodes: u64) -> Check {
    let shown = if free >= 10 * 1024 * 1024 * 1024 {
        format!("{} GB", free / 1_000_000_000)
    } else {
        format!("{} MB", free / 1_000_000)
    };
    let hint = "free some disk space, or choose another --home";
    if free < NONE || inodes < 10 {
        let what =
            if free < NONE { format!("{shown} free") } else { "no file can be made (no inodes)".into() };
        return Check::fail("disk", Kind::Internal, format!("{what} at {folder}")).next(hint);
    }
    if free < LITTLE {
        return Check::warn("disk", format!("only {shown} free at {folder}")).next(hint);
    }
    Check::ok("disk", format!("{shown} free at {folder}"))
}

/// The index of running streams in the runtime folder, by which streams of other folders are found.
fn index(environment: &Environment) -> Check {
    let runtime = environment.runtime_dir();
    let name = "runtime folder";
    if runtime.symlink_metadata().is_ok() {
        return if crate::process::index::private(&runtime) {
            Check::ok(name, runtime.display().to_string())
        } else {
            Check::warn(
                name,
                format!(
                    "{} is not this user's alone; streams of other folders are not found",
                    runtime.display()
                ),
            )
            .next(format!("remove {}", runtime.display()))
        };
    }
    match access(&nearest(&runtime), AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Check::ok(name, format!("{} will be made by the first publish", runtime.display())),
        Err(e) => {
            let why = io_words(&e.into());
            Check::warn(
                name,
                format!(
                    "{} cannot be made: {why}; streams of other folders are not found",
                    runtime.display()
                ),
            )
            .next("set XDG_RUNTIME_DIR to a folder of your own")
        }
    }
}

/// The clock: restarts do not depend on it, but logs and uptimes do.
pub fn clock(now_ms: i64) -> Check {
    let shown = crate::base::clock::rfc3339(now_ms);
    if now_ms < NEVER_SET {
        return Check::warn("clock", format!("it says {shown}; logs and uptimes will be wrong"))
            .next("timedatectl set-ntp true");
    }
    Check::ok("clock", shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use crate::manager::doctor::check::{Status, exit_code};

    fn look_at(home: &Path, fix: bool) -> Vec<Check> {
        let environment = Environment::made(&[], home);
        let flags = Layer::flags([("home", Some(home.display().to_string()))]);
        let settings = Settings::load(flags, &environment).unwrap();
        look(&settings, &environment, fix)
    }

    #[test]
    fn folders_are_made_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let checks = look_at(dir.path(), false);
        assert!(checks.first().is_some_and(|c| c.detail.ends_with("will be made by the first publish")));
        assert!(!dir.path().join("pids").exists());
        look_at(dir.path(), true);
        assert!(dir.path().join("pids").is_dir() && dir.path().join("logs").is_dir());
    }

    #[test]
    fn a_file_in_place_of_a_folder_fails() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("logs"), "").unwrap();
        for fix in [false, true] {
            let checks = look_at(dir.path(), fix);
            let logs = checks.iter().find(|c| c.name == "logs/").unwrap();
            assert_eq!(logs.status, Status::Fail);
            assert_eq!(exit_code(&checks), 1);
        }
    }

    #[test]
    fn room_is_judged() {
        assert_eq!(judge_room("/", 1 << 40, 1000).status, Status::Ok);
        assert_eq!(judge_room("/", 100 << 20, 1000).status, Status::Warn);
        assert_eq!(judge_room("/", 1 << 20, 1000).status, Status::Fail);
        assert_eq!(judge_room("/", 1 << 40, 0).status, Status::Fail);
    }

    #[test]
    fn a_clock_that_was_never_set_is_noticed() {
        assert_eq!(clock(0).status, Status::Warn);
        assert_eq!(clock(1_795_000_000_000).status, Status::Ok);
    }
}
