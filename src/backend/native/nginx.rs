//! nginx with the rtmp module: finding a fit one, and bringing it up.

use super::addresses::{self, Addresses};
use super::nginx_conf::NginxConf;
use crate::backend::place::Place;
use crate::backend::start::{Listen, Patience, Start};
use crate::base::atomic_file::{self, Durability};
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::Settings;
use crate::process::blocking::blocking;
use crate::process::locate::locate;
use crate::process::spawn;
use crate::process::{child_log, identity};
use crate::status::fetch::{Client, Limits};
use crate::status::nginx_stat::{self, Snapshot};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// nginx-rtmp's reader of commands recurses without bound; with this much stack a peer cannot crash the worker by it.
const STACK: u64 = 128 * 1024 * 1024;
/// Files that the worker may open, as far as the machine allows.
const OPEN_FILES: u64 = 65_536;
/// Where the module lies in the packages of the distributions.
const MODULE_FOLDERS: &[&str] = &[
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/share/nginx/modules",
    "/usr/local/lib/nginx/modules",
];
const MODULE: &str = "ngx_rtmp_module.so";

/// A fit nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// The rtmp module, where it is not built in.
    pub module: Option<PathBuf>,
}

/// Finds nginx and its rtmp module.
///
/// # Errors
/// Missing, with `install`, the line that installs both.
pub fn find(settings: &Settings, install: &str) -> Outcome<Program> {
    let Some(path) = locate(settings.nginx.as_deref(), "nginx") else {
        let failure = match &settings.nginx {
            Some(set) => Failure::new(Kind::Missing, format!("{} is no program", set.display()))
                .why("the setting nginx names it"),
            None => Failure::new(Kind::Missing, "nginx is not installed"),
        };
        return Err(failure.hint(install));
    };
    let mut line = CommandLine::new(&path);
    line.arg("-V");
    let output = spawn::run(&line, Duration::from_secs(10), 64 * 1024).map_err(|e| {
        let why = match e {
            spawn::RunError::Start(e) => io_words(&e),
            spawn::RunError::TimedOut(_) => "nginx -V did not end within 10 s".to_string(),
        };
        Failure::new(Kind::Missing, format!("{} does not run", path.display())).why(why).hint(install)
    })?;
    let about = String::from_utf8_lossy(&output.stderr);
    match module(&about, |path| path.is_file()) {
        Some(module) => Ok(Program { path, module }),
        None => Err(Failure::new(Kind::Missing, "nginx is here, but its rtmp module is not")
            .why(format!("{} has none built in, and there is no {MODULE}", path.display()))
            .hint(install)),
    }
}

/// Where the module is, by what `nginx -V` says: `Some(None)` if it is built in.
fn module(about: &str, exists: impl Fn(&Path) -> bool) -> Option<Option<PathBuf>> {
    let built_in = about.split_whitespace().any(|w| w.starts_with("--add-module=") && w.contains("rtmp"));
    if built_in {
        return Some(None);
    }
    let option = |name: &str| about.split_whitespace().find_map(|w| w.strip_prefix(name)).map(PathBuf::from);
    let folders: Vec<PathBuf> = match (option("--modules-path="), option("--prefix=")) {
        (Some(folder), _) => vec![folder],
        (None, Some(prefix)) => vec![prefix.join("modules")],
        (None, None) => MODULE_FOLDERS.iter().map(PathBuf::from).collect(),
    };
    folders.into_iter().map(|f| f.join(MODULE)).find(|p| exists(p)).map(Some)
}

/// What `up` found or made.
#[derive(Clone, Copy, Debug)]
pub struct Up {
    /// The master process.
    pub pid: i32,
    /// Whether it was started just now.
    pub started: bool,
    /// Whether the remains of an old one had to be ended first.
    pub replaced: bool,
}

/// Makes sure that our nginx runs and answers.
///
/// # Errors
/// Missing, Server, Conflict or Internal, each with the next step.
pub async fn up(
    settings: &Settings,
    wanted: &Addresses,
    place: &Place,
    install: &str,
    patience: Patience<'_>,
) -> Outcome<Up> {
    let client = Client::new(Limits {
        connect: Duration::from_secs(1),
        total: Duration::from_secs(2),
        body: 32 * 1024 * 1024,
    });
    let mut replaced = false;
    let lock = match place.acquire()? {
        Some(lock) => {
            // Somebody removed the folder under a running server.
            replaced = !place.strays().is_empty();
            if replaced {
                place.end().await?;
            }
            lock
        }
        None => match running(settings, wanted, place, &client, patience).await? {
            Some(pid) => return Ok(Up { pid, started: false, replaced }),
            None => {
                replaced = true;
                place.end().await?;
                place.acquire()?.ok_or_else(|| {
                    Failure::new(Kind::Conflict, "another msconv starts nginx at this moment")
                        .hint(Advice::StartServers)
                })?
            }
        },
    };
    let (own, line) = (settings.clone(), install.to_string());
    let program = blocking("ask nginx what it has", move || find(&own, &line)).await??;
    write_files(settings, wanted, place, &program)?;
    let logs = settings.paths.nginx_logs();
    let mut line = CommandLine::new(&program.path);
    line.arg("-p").arg(place.prefix.as_os_str()).args(["-e", "logs/error.log", "-c", "nginx.conf"]);
    let start = Start {
        place,
        line,
        output: logs.join("start.log"),
        log: logs.join("error.log"),
        ports: vec![
            Listen {
                address: wanted.rtmp,
                also: addresses::also_v6(settings.nginx_rtmp_url.host()),
                flag: "nginx-rtmp-url",
            },
            Listen {
                address: wanted.stat,
                also: addresses::also_v6(settings.nginx_stat_url.host()),
                flag: "nginx-stat-url",
            },
        ],
        variables: Vec::new(),
        stack_limit: Some(STACK),
        explain: |_| None,
    };
    let started = start.run(lock, patience, || async {
        let page = ask(&client, settings).await?;
        if ours(&page, place) && has(&page, wanted) { Ok(()) } else { Err("another server answers".into()) }
    });
    let (pid, ()) = match started.await {
        Ok(started) => started,
        Err(failure) => return Err(with_other_server(failure, settings, wanted, &client).await),
    };
    Ok(Up { pid, started: true, replaced })
}

/// Adds that another nginx-rtmp answers at the wanted address, if it does: nothing needs to be started then.
async fn with_other_server(
    failure: Failure,
    settings: &Settings,
    wanted: &Addresses,
    client: &Client,
) -> Failure {
    match ask(client, settings).await {
        Ok(page) if has(&page, wanted) => failure.why(format!(
            "{} is another nginx-rtmp, with the application '{}': publish can use it as it is",
            settings.nginx_stat_url, wanted.application
        )),
        _ => failure,
    }
}

/// The master's number if our nginx runs as wanted; `None` if only orphans of it are left.
async fn running(
    settings: &Settings,
    wanted: &Addresses,
    place: &Place,
    client: &Client,
    patience: Patience<'_>,
) -> Outcome<Option<i32>> {
    let record = place.record();
    if record.as_ref().is_some_and(|r| !r.alive()) && !is_master(place) {
        return Ok(None);
    }
    let listens = vec![wanted.rtmp.to_string(), wanted.stat.to_string()];
    let elsewhere =
        record.as_ref().filter(|r| r.alive() && !r.addresses.is_empty() && r.addresses != listens);
    if let Some(record) = elsewhere {
        return Err(Failure::new(
            Kind::Conflict,
            format!("the servers of this home run already, at {}", record.addresses.join(" and ")),
        )
        .hint(Advice::StopServers.behind("then up again with the new addresses"))
        .hint(Advice::change("home", "with another folder, for a second pair of servers")));
    }
    // It may be starting at this moment, or be busy; a frozen one never answers.
    let patience = Patience {
        deadline: patience.deadline.min(std::time::Instant::now() + Duration::from_secs(5)),
        whole: patience.whole.min(Duration::from_secs(5)),
        ..patience
    };
    loop {
        let why = match ask(client, settings).await {
            Ok(page) if ours(&page, place) && has(&page, wanted) => {
                return Ok(place.master());
            }
            Ok(page) if ours(&page, place) => format!("it has no application '{}'", wanted.application),
            Ok(_) => format!("another server answers at {}", settings.nginx_stat_url),
            Err(why) => why,
        };
        patience.check(|| {
            let who = place.master().map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            Failure::new(Kind::Server, format!("nginx of this home runs{who}, but not as it should"))
                .why(why)
                .hint(Advice::StopServers.behind("ends it; then msconv up"))
                .log(settings.paths.nginx_logs().join("error.log").display().to_string())
        })?;
        patience.pause().await;
    }
}

/// Whether the first holder has others as its children: a worker that lost its master has none.
fn is_master(place: &Place) -> bool {
    let Some(master) = place.master() else { return false };
    place.holders().iter().any(|h| identity::parent(h.identity.pid) == Some(master))
}

async fn ask(client: &Client, settings: &Settings) -> Result<Snapshot, String> {
    let body = client.get(&settings.nginx_stat_url, "").await.map_err(|e| e.to_string())?;
    nginx_stat::parse(&body).map_err(|e| e.to_string())
}

/// Whether the worker that answered is one of ours.
fn ours(page: &Snapshot, place: &Place) -> bool {
    let answered = page.pid.and_then(|p| i32::try_from(p).ok());
    place.holders().iter().any(|h| Some(h.identity.pid) == answered)
}

fn has(page: &Snapshot, wanted: &Addresses) -> bool {
    page.applications.iter().any(|a| a.name == wanted.application && a.live)
}

/// Writes the configuration, makes the folders it names, sets aside logs that have grown large.
fn write_files(settings: &Settings, wanted: &Addresses, place: &Place, program: &Program) -> Outcome<()> {
    let logs = settings.paths.nginx_logs();
    super::folder(&logs, 0o755)?;
    super::folder(&place.prefix.join("tmp"), 0o700)?;
    super::link(&logs, &place.prefix.join("logs"))?;
    for name in ["error.log", "rtmp.log", "http.log", "start.log"] {
        let path = logs.join(name);
        child_log::set_aside_large(&path).map_err(|e| Failure::io("rotate", &path, &e))?;
    }
    let hard = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_or(1024, |(_, hard)| hard);
    let conf = NginxConf {
        module: program.module.clone(),
        user: worker_user(),
        open_files: OPEN_FILES.min(hard),
        addresses: wanted,
    };
    let path = place.prefix.join("nginx.conf");
    atomic_file::write(&path, conf.text().as_bytes(), 0o600, Durability::Cached)
        .map_err(|e| Failure::io("write", &path, &e))
}

/// Whom the worker becomes where we are root; otherwise it stays us.
fn worker_user() -> Option<(String, String)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let nobody = nix::unistd::User::from_name("nobody").ok().flatten()?;
    let group = nix::unistd::Group::from_gid(nobody.gid).ok().flatten()?;
    Some((nobody.name, group.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_module_by_what_nginx_says() {
        let debian = "configure arguments: --prefix=/usr/share/nginx --modules-path=/usr/lib/nginx/modules --with-compat";
        let there = |p: &Path| p == Path::new("/usr/lib/nginx/modules/ngx_rtmp_module.so");
        assert_eq!(module(debian, there), Some(Some("/usr/lib/nginx/modules/ngx_rtmp_module.so".into())));
        assert_eq!(module(debian, |_| false), None);
        let built = "configure arguments: --prefix=/opt/n --add-module=../nginx-rtmp-module-1.2.2";
        assert_eq!(module(built, |_| false), Some(None));
        let prefix = "configure arguments: --prefix=/opt/n";
        assert_eq!(module(prefix, |_| true), Some(Some("/opt/n/modules/ngx_rtmp_module.so".into())));
        assert_eq!(module("nginx version: x", |_| false), None);
    }
}
