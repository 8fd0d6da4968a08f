//! `logs`: which files hold the log that was asked for. Reading them is `read`, waiting for more is `follow`.

pub mod follow;
pub mod line;
pub mod read;

use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, failure::io_words};
use crate::config::from_file::parse_key;
use crate::config::keys::nearest_of;
use crate::config::{Environment, Settings};
use crate::manager::records::ours::ours;
use crate::manager::servers::preflight;
use crate::model::StreamKey;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Rotated files that are looked for beside a log: `.1` (newest) to `.3`.
pub const ROTATED: usize = 3;

/// Whose log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// ffmpeg of one stream.
    Ffmpeg,
    /// nginx: every `*.log` it writes, in the order of time.
    Nginx,
    /// MediaMTX.
    Mediamtx,
    /// The embedded server.
    Serve,
}

impl Service {
    /// The word used in flags and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Service::Ffmpeg => "ffmpeg",
            Service::Nginx => "nginx",
            Service::Mediamtx => "mediamtx",
            Service::Serve => "serve",
        }
    }
}

/// The log that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Who writes it.
    pub service: Service,
    /// The stream, for ffmpeg's.
    pub key: Option<StreamKey>,
    /// The files that grow; rotated ones stand beside them. One of them may not exist yet.
    pub files: Vec<PathBuf>,
    /// Whether msconv chose the stream because none was named.
    pub chosen: bool,
}

/// Finds the log of `key`, or of a service, or the newest ffmpeg log.
///
/// # Errors
/// Usage for a wrong key or a key with a server's log; not found, with the keys that have logs, if there is none.
pub fn find(
    settings: &Settings,
    environment: &Environment,
    key: Option<&str>,
    service: Option<Service>,
) -> Outcome<Log> {
    match (key, service) {
        (Some(_), Some(service)) if service != Service::Ffmpeg => Err(Failure::usage(format!(
            "a stream has no log of {}; leave out the key or the service",
            service.word()
        ))
        .hint(Advice::ShowServiceLog(service.word().to_string()))),
        (_, Some(service)) if service != Service::Ffmpeg => of_server(settings, service),
        (Some(key), _) => of_stream(settings, environment, parse_key(key)?),
        (None, _) => newest(settings, environment),
    }
}

fn of_server(settings: &Settings, service: Service) -> Outcome<Log> {
    let files = match service {
        Service::Nginx => plain_logs(&settings.paths.nginx_logs())?,
        Service::Mediamtx => vec![settings.paths.mediamtx_log()],
        Service::Serve | Service::Ffmpeg => vec![settings.paths.logs().join("serve/serve.log")],
    };
    if files.iter().any(|file| exists(file)) {
        return Ok(Log { service, key: None, files, chosen: false });
    }
    Err(Failure::new(Kind::NotFound, format!("there is no log of {} yet", service.word()))
        .why(format!("{} holds none", settings.paths.logs().join(service.word()).display()))
        .hint(preflight::up(settings))
        .hint(Advice::set("home", "DIR").in_column("if they were started from another folder")))
}

fn of_stream(settings: &Settings, environment: &Environment, key: StreamKey) -> Outcome<Log> {
    let here = settings.paths.ffmpeg_log(&key);
    let known = ours(settings, environment);
    let mut of_key = known.iter().filter(|o| o.record.key == key.as_str());
    let running = of_key.clone().find(|o| o.alive).map(|o| o.log.clone());
    let file = running
        .or_else(|| exists(&here).then(|| here.clone()))
        .or_else(|| of_key.next().map(|o| o.log.clone()));
    if let Some(file) = file {
        return Ok(Log { service: Service::Ffmpeg, key: Some(key), files: vec![file], chosen: false });
    }
    let mut keys: BTreeSet<String> = known.iter().map(|o| o.record.key.clone()).collect();
    keys.extend(stream_logs(settings)?.into_iter().map(|(key, _)| key.to_string()));
    let failure = Failure::new(Kind::NotFound, format!("there is no log of a stream {key}"));
    if keys.is_empty() {
        return Err(failure
            .why(format!("{} holds no logs", settings.paths.logs().join("ffmpeg").display()))
            .hint(Advice::set("home", "DIR").in_column("if it was published from another folder")));
    }
    let near = nearest_of(key.as_str(), keys.iter().map(String::as_str)).map(str::to_string);
    let shown: Vec<&str> = keys.iter().take(20).map(String::as_str).collect();
    let more = if keys.len() > shown.len() { ", ..." } else { "" };
    let failure = failure.why(format!("there are logs of {}{more}", shown.join(", ")));
    Err(match near {
        Some(near) => failure.hint(Advice::ShowLog(near.to_string())),
        None => failure.hint(Advice::ShowLogs.in_column("shows the newest")),
    })
}

fn newest(settings: &Settings, environment: &Environment) -> Outcome<Log> {
    let mut logs = stream_logs(settings)?;
    for one in ours(settings, environment) {
        if let (Ok(key), true) = (one.record.key.parse(), exists(&one.log)) {
            logs.push((key, one.log));
        }
    }
    let changed =
        |file: &Path| std::fs::metadata(file).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    match logs.into_iter().max_by_key(|(_, file)| changed(file)) {
        Some((key, file)) => {
            Ok(Log { service: Service::Ffmpeg, key: Some(key), files: vec![file], chosen: true })
        }
        None => Err(Failure::new(Kind::NotFound, "no stream has a log yet")
            .why(format!("{} holds none", settings.paths.logs().join("ffmpeg").display()))
            .hint(Advice::Publish)
            .hint(Advice::set("home", "DIR").in_column("if it was published from another folder"))),
    }
}

/// The logs of streams in the home folder. Files whose name is no stream key are not ours and left out.
fn stream_logs(settings: &Settings) -> Outcome<Vec<(StreamKey, PathBuf)>> {
    let files = plain_logs(&settings.paths.logs().join("ffmpeg"))?;
    Ok(files.into_iter().filter_map(|file| Some((file.file_stem()?.to_str()?.parse().ok()?, file))).collect())
}

/// Every `*.log` of a folder, sorted; none if the folder does not exist.
fn plain_logs(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => {
            return Err(Failure::internal(format!("cannot read {}", folder.display())).why(io_words(&e)));
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "log") && path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

/// `x.log.1` of `x.log`.
pub fn rotated(file: &Path, number: usize) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Whether the log or a rotated part of it is there.
fn exists(file: &Path) -> bool {
    file.is_file() || (1..=ROTATED).any(|n| rotated(file, n).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn house(logs: &[&str]) -> (Settings, Environment, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        for log in logs {
            let path = dir.path().join("logs").join(log);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x\n").unwrap();
        }
        let environment = Environment::made(&[("XDG_RUNTIME_DIR", dir.path().to_str().unwrap())], dir.path());
        let settings = Settings::load(Layer::default(), &environment).unwrap();
        (settings, environment, dir)
    }

    #[test]
    fn finds_by_key_also_when_only_rotated_parts_are_left() {
        let (settings, environment, _dir) = house(&["ffmpeg/a.log", "ffmpeg/b.log.1"]);
        for key in ["a", "b"] {
            let log = find(&settings, &environment, Some(key), None).unwrap();
            assert_eq!(log.files, [settings.paths.ffmpeg_log(&key.parse().unwrap())]);
        }
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_known_ones() {
        let (settings, environment, _dir) =
            house(&["ffmpeg/stream1.log", "ffmpeg/cam.log", "ffmpeg/no key.log"]);
        let failure = find(&settings, &environment, Some("steam1"), None).unwrap_err();
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "there is no log of a stream steam1\n  why: there are logs of cam, stream1\n  try: msconv logs stream1"
        );
        assert_eq!(failure.kind().exit_code(), 4);
        assert_eq!(find(&settings, &environment, Some("../x"), None).unwrap_err().kind().exit_code(), 2);
    }

    #[test]
    fn without_a_key_the_newest_is_taken() {
        let (settings, environment, dir) = house(&["ffmpeg/old.log", "ffmpeg/new.log"]);
        let old = std::fs::File::open(dir.path().join("logs/ffmpeg/old.log")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let log = find(&settings, &environment, None, None).unwrap();
        assert_eq!((log.key.unwrap().as_str(), log.chosen), ("new", true));
        let (settings, environment, _dir) = house(&[]);
        assert_eq!(find(&settings, &environment, None, None).unwrap_err().kind().exit_code(), 4);
    }

    #[test]
    fn servers_have_logs_of_their_own() {
        let (settings, environment, _dir) = house(&["nginx/error.log", "nginx/access.log", "nginx/x.log.1"]);
        let log = find(&settings, &environment, None, Some(Service::Nginx)).unwrap();
        let names: Vec<_> = log.files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["access.log", "error.log"]);
        let failure = find(&settings, &environment, None, Some(Service::Mediamtx)).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 4);
        let failure = find(&settings, &environment, Some("a"), Some(Service::Nginx)).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 2);
    }
}
