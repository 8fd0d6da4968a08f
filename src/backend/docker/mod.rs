//! nginx-rtmp and MediaMTX in containers, by compose: the stack of docker-compose.yml, found where it stands or written
//! from the copy in this program.

mod client;
mod command;
pub mod container;
mod engine;
mod grafana;
mod record;
mod stack;
mod variables;
mod words;

use super::home::{Turn, belongs_to_us, clear, folder};
use super::place::Ended;
use super::start::{Listen, Patience};
use super::{Down, Server, Up};
use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::{Environment, Settings};
use crate::model::service::Service;
use crate::status::fetch::{Client as Http, Limits as HttpLimits};
use crate::status::rtsp_describe::{self, Verdict};
use crate::status::{self, hello, mediamtx};
pub use client::{Found, Install, look};
use command::{Client, Compose};
use container::{Container, State};
pub use engine::Progress;
use engine::{Engine, Limits};
use record::Record;
use stack::Stack;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use variables::Owner;

/// The services that take streams in and give them out, with the names that they have in JSON and logs.
const SERVERS: [(&str, &str); 2] = [("nginx-rtmp", "nginx"), ("mediamtx", "mediamtx")];
/// The service that prepares the log folders and ends.
const PREPARES: &str = "log-folders";
/// The services of the monitoring profile.
const WATCHERS: [&str; 4] = ["exporter", "prometheus", "node-exporter", "grafana"];
/// Building and fetching may be silent for this many times as long as the servers may take to answer.
const PATIENT: u32 = 10;
/// The sentence where compose gives no better one.
const NOT_STARTED: &str = "the containers cannot be started";
/// Time between two looks at the containers.
const LOOK: Duration = Duration::from_millis(500);

/// What `up` is asked for.
#[derive(Clone, Copy)]
pub struct UpOptions<'a> {
    /// How long the servers may take to be healthy.
    pub wait: Duration,
    /// With the services that watch the others.
    pub monitoring: bool,
    /// Lines that install what is missing.
    pub install: &'a Install,
    /// Where progress goes.
    pub progress: Progress<'a>,
    /// Ends it.
    pub interrupted: &'a CancellationToken,
}

/// Builds and starts the stack and waits until it is healthy and answers. If that fails, nothing of it is left running
/// that did not run before.
///
/// # Errors
/// Usage (settings that the stack cannot follow), Missing (Docker), Server (the engine, a port, a build, no health),
/// Interrupted.
pub async fn up(settings: &Settings, environment: &Environment, options: UpOptions<'_>) -> Outcome<Up> {
    let begun = Instant::now();
    let owner = Owner { uid: environment.uid, gid: nix::unistd::getegid().as_raw() };
    let mut told = variables::variables(settings, owner)?;
    let stack = Stack::choose(settings, environment, options.monitoring)?;
    let found = look(options.install)?;
    let prefix = settings.paths.docker();
    belongs_to_us(&prefix)?;
    let patience =
        Patience { deadline: begun + options.wait, whole: options.wait, interrupted: options.interrupted };
    let _turn = Turn::take(settings, patience).await?;
    folder(&prefix, 0o700)?;
    // Docker would make them as root.
    for logs in [settings.paths.nginx_logs(), settings.paths.logs().join("mediamtx")] {
        folder(&logs, 0o755)?;
    }
    stack.write()?;
    let mut notes = Vec::new();
    let public = told.clone();
    if options.monitoring {
        let password = grafana::password(settings, environment)?;
        let place = match &password.file {
            Some(file) => format!("the password in {}", file.display()),
            None => format!("the password of {}", grafana::VARIABLE),
        };
        notes.push(format!(
            "Grafana: http://localhost:3000, user admin, {place}; Prometheus: http://localhost:9090"
        ));
        told.push((grafana::VARIABLE.to_string(), password.secret.reveal().to_string()));
    }
    let engine = Engine {
        client: &found.client,
        stack: &stack,
        variables: &told,
        progress: options.progress,
        interrupted: options.interrupted,
    };
    let before = engine.containers().await?;
    let outcome = bring_up(settings, &engine, &before, &public, options).await;
    match outcome {
        Ok(containers) => {
            let servers = SERVERS
                .iter()
                .filter_map(|(service, name)| {
                    let container = containers.iter().find(|c| c.service == *service)?;
                    let was = before.iter().any(|c| c.id == container.id && c.running());
                    Some(describe(settings, name, container, !was))
                })
                .collect();
            Ok(Up { servers, notes, took_s: begun.elapsed().as_secs_f64() })
        }
        Err(failure) => {
            let failure = if before.iter().any(Container::running) {
                failure.why("the stack ran before, and what is left of it runs on")
            } else {
                match engine.remove(false).await {
                    Ok(()) => {
                        Record::forget(settings);
                        forget_copy(settings, false)?;
                        failure
                    }
                    Err(left) => {
                        failure.why(format!("and its containers could not be removed: {}", left.what()))
                    }
                }
            };
            Err(match failure.kind() {
                Kind::Server | Kind::Missing => client::around(failure),
                _ => failure,
            })
        }
    }
}

async fn bring_up(
    settings: &Settings,
    engine: &Engine<'_>,
    before: &[Container],
    public: &[(String, String)],
    options: UpOptions<'_>,
) -> Outcome<Vec<Container>> {
    free_ports(settings, before)?;
    let slow = Limits { silence: options.wait.max(Duration::from_secs(1)) * PATIENT, deadline: None };
    engine.step(&command::build(engine.client, engine.stack), slow, "the images cannot be built").await?;
    engine.fetch(slow).await?;
    let project = before.first().map(|c| c.project.clone()).unwrap_or_default();
    let record = Record { schema: 1, stack: engine.stack.clone(), project, variables: public.to_vec() };
    record.write(settings)?;
    // From here on everything is here; what takes time now is the servers themselves.
    let patience = Patience {
        deadline: Instant::now() + options.wait,
        whole: options.wait,
        interrupted: options.interrupted,
    };
    let quick = Limits { silence: options.wait, deadline: Some(patience.deadline) };
    let started = engine.step(&command::start(engine.client, engine.stack), quick, NOT_STARTED).await;
    let containers = engine.containers().await.unwrap_or_default();
    if let Some(project) = containers.first().map(|c| c.project.clone()) {
        Record { project, ..record }.write(settings)?;
    }
    if let Err(failure) = started {
        // Compose says only that a dependency failed; the container says why. One that comes and goes is between two
        // attempts just now, and looks as if it were starting.
        let generic = failure.what() == NOT_STARTED;
        let starting = |c: &&Container| generic && c.state == State::Starting;
        let restless = || {
            let container = containers.iter().find(starting)?;
            Some(engine.blame(container, format!("{} does not become healthy", container.service)))
        };
        return Err(match containers.iter().find_map(|c| amiss(engine, c)).or_else(restless) {
            Some(better) if failure.kind() == Kind::Server => better,
            _ => failure,
        });
    }
    healthy(settings, engine, patience).await
}

/// Fails where somebody else has one of the ports. What runs already has its own.
fn free_ports(settings: &Settings, before: &[Container]) -> Outcome<()> {
    let runs = |service: &str| before.iter().any(|c| c.service == service && c.running());
    let told = &settings.serve;
    let control =
        if settings.is_set("control_listen") { told.control_listen } else { Ipv4Addr::LOCALHOST.into() };
    let ports = [
        ("nginx-rtmp", told.listen, told.ports.of(Service::Rtmp), "rtmp-port"),
        ("nginx-rtmp", control, told.ports.of(Service::Stat), "stat-port"),
        ("mediamtx", told.listen, told.ports.of(Service::Rtsp), "rtsp-port"),
        ("mediamtx", control, told.ports.of(Service::Api), "api-port"),
        ("mediamtx", control, told.ports.of(Service::Metrics), "metrics-port"),
    ];
    for (service, ip, port, flag) in ports {
        // An address of another machine's network is Docker's to judge.
        let here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        if port != 0 && here(ip) && !runs(service) {
            Listen { address: SocketAddr::new(ip, port), also: None, flag: url_flag(flag) }
                .free("the stack")?;
        }
    }
    Ok(())
}

/// The flag of `up` that moves a port.
fn url_flag(port: &str) -> &'static str {
    match port {
        "rtmp-port" => "nginx-rtmp-url",
        "stat-port" => "nginx-stat-url",
        "rtsp-port" => "rtsp-url",
        _ => "mediamtx-url",
    }
}

/// What is so wrong with a container that waiting would be in vain.
fn amiss(engine: &Engine<'_>, container: &Container) -> Option<Failure> {
    let service = &container.service;
    match container.state {
        State::Ended(0) if service == PREPARES => None,
        State::Ended(_) if service == PREPARES => {
            Some(engine.blame(
                container,
                format!("the log folders cannot be prepared: {service} {}", container.state),
            ))
        }
        State::Unhealthy | State::Flapping | State::Ended(_) => {
            Some(engine.blame(container, format!("{service} {}", container.state)))
        }
        State::Created | State::Starting | State::Well => None,
    }
}

/// Waits until every service is well and answers from here.
async fn healthy(
    settings: &Settings,
    engine: &Engine<'_>,
    patience: Patience<'_>,
) -> Outcome<Vec<Container>> {
    let limit = Duration::from_secs(2);
    let http = Http::new(HttpLimits { connect: limit, total: limit, body: 32 * 1024 * 1024 });
    let watchers: &[&str] = if engine.stack.monitoring { &WATCHERS } else { &[] };
    let wanted = || SERVERS.iter().map(|(service, _)| *service).chain(watchers.iter().copied());
    loop {
        let containers = engine.containers().await?;
        // One that ended is started again by Docker, unless it is one that never is.
        let hopeless =
            |c: &&Container| matches!(c.state, State::Unhealthy | State::Flapping) || c.service == PREPARES;
        if let Some(failure) = containers.iter().filter(hopeless).find_map(|c| amiss(engine, c)) {
            return Err(failure);
        }
        let waiting = wanted()
            .find(|service| !containers.iter().any(|c| c.service == *service && c.state == State::Well));
        let why = match waiting {
            None => match answers(settings, &http).await {
                Ok(()) => return Ok(containers),
                Err(why) => why,
            },
            Some(service) => match containers.iter().find(|c| c.service == service) {
                Some(container) => format!("{service} {}", container.state),
                None => format!("{service} has no container"),
            },
        };
        patience.check(|| {
            let what = format!("the stack did not become healthy within {}", clock::spoken(patience.whole));
            let sick = containers.iter().find(|c| Some(c.service.as_str()) == waiting);
            match sick {
                Some(container) => engine.blame(container, what).why(why),
                None => Failure::new(Kind::Server, what).why(why),
            }
            .hint(Advice::set("timeout", "3m").behind("on a slow machine"))
        })?;
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks every endpoint of the stack at the addresses of the settings.
async fn answers(settings: &Settings, http: &Http) -> Result<(), String> {
    let wanted = settings.nginx_rtmp_url.application();
    let page = status::nginx_snapshot(http, &settings.nginx_stat_url)
        .await
        .map_err(|e| format!("{}: {e}", settings.nginx_stat_url))?;
    if !page.applications.iter().any(|a| a.name == wanted && a.live) {
        return Err(format!("{} shows no application '{wanted}'", settings.nginx_stat_url));
    }
    let (hello, greeting, paths) = tokio::join!(
        hello::rtmp(&settings.nginx_rtmp_url, Duration::from_secs(2)),
        rtsp_describe::greet(&settings.rtsp_url),
        mediamtx::paths(http, &settings.mediamtx_url),
    );
    hello.map_err(|e| format!("{}: {e}", settings.nginx_rtmp_url))?;
    if greeting != Verdict::Plays {
        return Err(format!("{}: no RTSP ({greeting:?})", settings.rtsp_url));
    }
    paths.map(|_| ()).map_err(|e| format!("{}: {e}", settings.mediamtx_url))
}

/// Ends the stack that `up` brought up, or the one of the project in the working folder; with `volumes` also what its
/// services stored. Empty if there is none.
///
/// # Errors
/// Missing or Server, if a stack was brought up and Docker cannot be asked to end it.
pub async fn down(
    settings: &Settings,
    environment: &Environment,
    install: &Install,
    volumes: bool,
    wait: Duration,
) -> Outcome<Vec<Down>> {
    let record = Record::read(settings);
    let wanted = settings.backend == crate::config::choices::Backend::Docker;
    if record.is_none() && !wanted {
        return Ok(Vec::new());
    }
    let prefix = settings.paths.docker();
    belongs_to_us(&prefix)?;
    let owner = Owner { uid: environment.uid, gid: nix::unistd::getegid().as_raw() };
    let (stack, variables) = match record {
        Some(record) => (record.stack, record.variables),
        None => (Stack::choose(settings, environment, false)?, variables::variables(settings, owner)?),
    };
    let found = match look(install) {
        Ok(found) => found,
        // Nothing was brought up from here that would need it.
        Err(_) if Record::read(settings).is_none() => return Ok(Vec::new()),
        Err(failure) => return Err(failure.during("the stack cannot be ended")),
    };
    let never = CancellationToken::new();
    let patience = Patience { deadline: Instant::now() + wait, whole: wait, interrupted: &never };
    let _turn = Turn::take(settings, patience).await?;
    stack.write()?;
    let begun = Instant::now();
    let engine = Engine {
        client: &found.client,
        stack: &stack,
        variables: &variables,
        progress: &|_| {},
        interrupted: &never,
    };
    let before = engine.containers().await?;
    engine.remove(volumes).await?;
    Record::forget(settings);
    forget_copy(settings, volumes)?;
    let took_s = begun.elapsed().as_secs_f64();
    let ended = |(service, name): &(&str, &'static str)| {
        let container = before.iter().find(|c| c.service == *service && c.running());
        let outcome = if container.is_some() { Ended::Stopped } else { Ended::NotRunning };
        Down { name, outcome, pid: container.and_then(|c| c.pid), took_s }
    };
    // Readers first, as compose ends them.
    Ok(SERVERS.iter().rev().map(ended).collect())
}

/// Removes what stands under the home, but Grafana's password as long as Grafana remembers it.
fn forget_copy(settings: &Settings, volumes: bool) -> Outcome<()> {
    if volumes || !grafana::file(settings).exists() {
        return clear(&settings.paths.docker());
    }
    clear(&settings.paths.docker().join("stack"))
}

/// The servers of a stack that was brought up from this home. Changes nothing.
pub fn status(settings: &Settings) -> Vec<Server> {
    let Some(record) = Record::read(settings) else { return Vec::new() };
    let containers = containers_of(&record).unwrap_or_default();
    SERVERS
        .iter()
        .map(|(service, name)| {
            let container = containers.iter().find(|c| c.service == *service).cloned().unwrap_or_default();
            describe(settings, name, &container, false)
        })
        .collect()
}

/// The containers of a recorded stack, without compose; `None` if Docker does not say.
fn containers_of(record: &Record) -> Option<Vec<Container>> {
    let docker = crate::process::locate::locate(None, "docker")?;
    let client = Client { docker, compose: Compose::Plugin };
    if record.project.is_empty() {
        return None;
    }
    let line = command::of_project(&client, &record.project);
    let output = crate::process::spawn::run(&line, client::ANSWER, 64 * 1024).ok()?;
    engine::inspect(&client, &engine::ids(&String::from_utf8_lossy(&output.stdout))).ok()
}

fn describe(settings: &Settings, name: &'static str, container: &Container, started: bool) -> Server {
    let running = container.running();
    let age = container.started_at_ms.filter(|_| running);
    let (urls, log) = super::reached(settings, name);
    Server {
        name,
        running,
        pid: container.pid.filter(|_| running),
        started,
        uptime_s: age.map(|at| clock::now_ms().saturating_sub(at).max(0) as u64 / 1000),
        urls,
        log: log.display().to_string(),
    }
}
