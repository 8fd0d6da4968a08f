//! The server that is built in: `msconv serve` as a child that outlives us, in a folder of its own. It is started as any
//! other program is; nothing of it is linked in here.

mod addresses;
mod command;
mod report;

use super::home::{Turn, belongs_to_us, clear, folder};
use super::place::{Ended, Place, Record};
use super::start::{Listen, Patience, Start};
use super::{Down, Server, Up};
use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::{Environment, Paths, Settings};
use crate::model::service::Service;
use crate::process::child_log;
use crate::status::fetch::{Client, Limits};
use crate::status::rtsp_describe::{self, Verdict};
use crate::status::{self, hello, mediamtx};
use report::Ready;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

// The docker stack's ports and addresses follow the same settings.
pub(super) use addresses::check as reachable;

/// The server's name in JSON, logs and files.
const NAME: &str = "serve";
/// How long one question to it may take.
const ANSWER: Duration = Duration::from_secs(2);

fn place(settings: &Settings) -> Place {
    // Without links in it, as the kernel names the working folders of processes.
    let home = settings.paths.home();
    let prefix = Paths::new(home.canonicalize().unwrap_or_else(|_| home.to_path_buf())).serve();
    Place { name: NAME, program: Environment::own_name(), prefix }
}

/// Starts the server if it does not run yet, and waits until everything of it answers.
///
/// # Errors
/// Usage (an address that is not of this machine), Server (a port is taken, no answer), Conflict (running at other
/// addresses), Interrupted.
pub async fn up(
    settings: &Settings,
    environment: &Environment,
    wait: Duration,
    interrupted: &CancellationToken,
) -> Outcome<Up> {
    let begun = Instant::now();
    addresses::check(settings)?;
    let patience = Patience { deadline: begun + wait, whole: wait, interrupted };
    let place = place(settings);
    belongs_to_us(&place.prefix)?;
    let _turn = Turn::take(settings, patience).await?;
    folder(&place.prefix, 0o700)?;
    match bring_up(settings, environment, &place, patience).await {
        Ok((pid, started)) => {
            let server = describe(settings, &place, Some(pid), started);
            Ok(Up { servers: vec![server], notes: Vec::new(), took_s: begun.elapsed().as_secs_f64() })
        }
        Err(failure) => {
            if !place.running() {
                clear(&settings.paths.serve())?;
            }
            Err(failure)
        }
    }
}

async fn bring_up(
    settings: &Settings,
    environment: &Environment,
    place: &Place,
    patience: Patience<'_>,
) -> Outcome<(i32, bool)> {
    let client = Client::new(Limits { connect: ANSWER, total: ANSWER, body: 32 * 1024 * 1024 });
    let Some(lock) = place.acquire()? else {
        return Ok((running(settings, place, &client, patience).await?, false));
    };
    // Of a server whose folder somebody removed.
    if !place.strays().is_empty() {
        place.end().await?;
    }
    let log = settings.paths.serve_log();
    if let Some(folder_of_log) = log.parent() {
        folder(folder_of_log, 0o755)?;
    }
    let output = place.prefix.join("start.log");
    let _ = std::fs::remove_file(&output);
    child_log::set_aside_large(&log).map_err(|e| Failure::io("rotate", &log, &e))?;
    let start = Start {
        place,
        line: command::line(settings, environment, &log)?,
        output: output.clone(),
        log,
        ports: ports(settings),
        variables: command::variables(settings)?,
        stack_limit: None,
        explain: report::failure,
    };
    let started = start
        .run(lock, patience, || async {
            let ready = report::ready(&output).ok_or("it has not said where it listens")?;
            ask(settings, &client, Some(&ready)).await?;
            Ok(ready)
        })
        .await;
    let (pid, ready) = match started {
        Ok(started) => started,
        Err(failure) => return Err(with_other_server(failure, settings, &client).await),
    };
    let addresses = ready.addresses();
    let program = environment.own_program()?;
    place.write_record(&Record::new(pid, &program, addresses))?;
    Ok((pid, true))
}

/// Adds that another server answers at the wanted addresses, if one does: nothing needs to be started then.
async fn with_other_server(failure: Failure, settings: &Settings, client: &Client) -> Failure {
    let wanted = settings.nginx_rtmp_url.application();
    match status::nginx_snapshot(client, &settings.nginx_stat_url).await {
        Ok(page) if page.applications.iter().any(|a| a.name == wanted && a.live) => failure.why(format!(
            "{} is a running {} with the application '{wanted}': publish can use it as it is",
            settings.nginx_stat_url,
            page.words()
        )),
        _ => failure,
    }
}

/// The ports that must be free beforehand, so that a refusal can name who has one. RTP's are tried by the server.
fn ports(settings: &Settings) -> Vec<Listen> {
    let told = &settings.serve;
    let also = |host: &str| super::native::also_v6(host);
    [
        (told.listen, told.ports.of(Service::Rtmp), also(settings.nginx_rtmp_url.host()), "rtmp-port"),
        (told.listen, told.ports.of(Service::Rtsp), also(settings.rtsp_url.host()), "rtsp-port"),
        (
            told.control_listen,
            told.ports.of(Service::Stat),
            also(settings.nginx_stat_url.host()),
            "stat-port",
        ),
        (told.control_listen, told.ports.of(Service::Api), also(settings.mediamtx_url.host()), "api-port"),
        (told.control_listen, told.ports.of(Service::Metrics), None, "metrics-port"),
        (told.listen, told.ports.of(Service::Web), None, "web-port"),
    ]
    .into_iter()
    .filter(|(_, port, _, flag)| *port != 0 && (told.web || *flag != "web-port"))
    .map(|(ip, port, also, flag)| Listen { address: (ip, port).into(), also, flag })
    .collect()
}

/// The number of our server if it runs as wanted.
async fn running(
    settings: &Settings,
    place: &Place,
    client: &Client,
    patience: Patience<'_>,
) -> Outcome<i32> {
    let record = place.record().filter(Record::alive);
    if let Some(record) = record.filter(|r| !addresses::are(settings, &r.addresses)) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("the server of this home runs already, at {}", record.addresses.join(" and ")),
        )
        .hint(Advice::StopServers.behind("then up again with the new addresses"))
        .hint(Advice::change("home", "with another folder, for a second server")));
    }
    // It may be starting at this moment, or be busy; a frozen one never answers.
    let patience = Patience {
        deadline: patience.deadline.min(Instant::now() + Duration::from_secs(5)),
        whole: patience.whole.min(Duration::from_secs(5)),
        ..patience
    };
    loop {
        let why = match (ask(settings, client, None).await, place.master()) {
            (Ok(answered), Some(pid)) if answered == Some(pid) => return Ok(pid),
            (Ok(_), _) => format!("another server answers at {}", settings.nginx_stat_url),
            (Err(why), _) => why,
        };
        patience.check(|| {
            let who = place.master().map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            Failure::new(Kind::Server, format!("the server of this home runs{who}, but not as it should"))
                .why(why)
                .hint(Advice::StopServers.behind("ends it; then msconv up"))
                .log(settings.paths.serve_log().display().to_string())
        })?;
        patience.pause().await;
    }
}

/// Asks every endpoint of it; the process that answered.
async fn ask(settings: &Settings, client: &Client, ready: Option<&Ready>) -> Result<Option<i32>, String> {
    let page = status::nginx_snapshot(client, &settings.nginx_stat_url)
        .await
        .map_err(|e| format!("{}: {e}", settings.nginx_stat_url))?;
    let pid = page.pid.and_then(|pid| i32::try_from(pid).ok());
    if ready.is_some_and(|ready| Some(ready.pid) != pid) {
        return Err(format!("another server answers at {}", settings.nginx_stat_url));
    }
    let wanted = settings.nginx_rtmp_url.application();
    if !page.applications.iter().any(|a| a.name == wanted && a.live) {
        return Err(format!("it has no application '{wanted}'"));
    }
    let (hello, greeting, paths) = tokio::join!(
        hello::rtmp(&settings.nginx_rtmp_url, ANSWER),
        rtsp_describe::greet(&settings.rtsp_url),
        mediamtx::paths(client, &settings.mediamtx_url),
    );
    hello.map_err(|e| format!("{}: {e}", settings.nginx_rtmp_url))?;
    if greeting != Verdict::Plays {
        return Err(format!("{}: no RTSP ({greeting:?})", settings.rtsp_url));
    }
    paths.map_err(|e| format!("{}: {e}", settings.mediamtx_url))?;
    if let Some(ready) = ready {
        let port = ready.address(Service::Metrics).rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let url = settings.nginx_stat_url.beside(port.ok_or("it does not say where the metrics are")?);
        client.get(&url, "/metrics").await.map_err(|e| format!("{url}/metrics: {e}"))?;
    }
    Ok(pid)
}

/// Ends the server and removes everything of it but its log.
///
/// # Errors
/// Internal, if it cannot be ended or belongs to another user.
pub async fn down(settings: &Settings, wait: Duration) -> Outcome<Vec<Down>> {
    let place = place(settings);
    if !place.prefix.exists() && place.strays().is_empty() {
        return Ok(vec![Down { name: NAME, outcome: Ended::NotRunning, pid: None, took_s: 0.0 }]);
    }
    belongs_to_us(&place.prefix)?;
    let never = CancellationToken::new();
    let patience = Patience { deadline: Instant::now() + wait, whole: wait, interrupted: &never };
    let _turn = Turn::take(settings, patience).await?;
    let begun = Instant::now();
    let pid = place.master();
    let outcome = place.end().await?;
    clear(&settings.paths.serve())?;
    Ok(vec![Down { name: NAME, outcome, pid, took_s: begun.elapsed().as_secs_f64() }])
}

/// The server, if it runs, or was started and died. Changes nothing.
pub fn status(settings: &Settings) -> Vec<Server> {
    let place = place(settings);
    if place.running() || place.record().is_some() {
        vec![describe(settings, &place, place.master(), false)]
    } else {
        Vec::new()
    }
}

fn describe(settings: &Settings, place: &Place, pid: Option<i32>, started: bool) -> Server {
    let running = place.running();
    let record = place.record();
    let port = |service| addresses::port(&record.as_ref()?.addresses, service);
    let (web, metrics) = (port(Service::Web), port(Service::Metrics));
    let alive = record.filter(|r| running && r.alive());
    let age = alive.map(|r| clock::now_ms().saturating_sub(r.started_at_ms).max(0) as u64 / 1000);
    let mut urls = vec![settings.nginx_rtmp_url.to_string(), settings.rtsp_url.to_string()];
    let web_url = |port| settings.nginx_rtmp_url.beside(port, "").over_tls(settings.serve.tls_cert.is_some());
    urls.extend(web.map(|port| web_url(port).to_string()));
    urls.extend([settings.nginx_stat_url.to_string(), settings.mediamtx_url.to_string()]);
    urls.extend(metrics.map(|port| settings.nginx_stat_url.beside(port).join("/metrics")));
    Server {
        name: NAME,
        running,
        pid: pid.filter(|_| running),
        started,
        uptime_s: age,
        urls,
        log: settings.paths.serve_log().display().to_string(),
    }
}
