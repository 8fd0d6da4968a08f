//! What is asked of the server before anything is started, so that a publish that cannot work fails at once and says
//! why.

use crate::base::next::{Advice, Next};
use crate::base::{Failure, Kind, Outcome};
use crate::config::Settings;
use crate::config::choices::Backend;
use crate::model::RtmpUrl;
use crate::status::hello::{self, HelloError};
use crate::status::{self, Client, Limits, Snapshot};
use std::time::{Duration, Instant};

/// How long the server may take to answer the first bytes of a handshake.
const HELLO_LIMIT: Duration = Duration::from_secs(4);
/// How long bytes of a taken name must stand still to count as a ghost (a publisher that vanished without a word).
const GHOST_PROOF: Duration = Duration::from_millis(1500);

/// What the server said of itself.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// `/stat` answered and has our application.
    pub stat_known: bool,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Asks the server: does it listen, does it speak RTMP, has it the application.
///
/// # Errors
/// Server, naming what to do.
pub async fn server(settings: &Settings) -> Outcome<Server> {
    let url = &settings.nginx_rtmp_url;
    let client = Client::new(Limits::default());
    let (hello, stat) = tokio::join!(
        hello::rtmp(url, HELLO_LIMIT),
        status::nginx_snapshot(&client, &settings.nginx_stat_url)
    );
    hello.map_err(|e| unusable(settings, &e))?;
    match stat {
        Ok(snapshot) => has_application(url, &snapshot),
        Err(why) => Ok(Server {
            stat_known: false,
            notes: vec![format!(
                "{} does not answer ({why}); whether bytes arrive is judged by ffmpeg's own progress",
                settings.nginx_stat_url
            )],
        }),
    }
}

/// Makes sure that the page of a server lists the application of `url`.
///
/// # Errors
/// Server, naming the applications that it has.
pub fn has_application(url: &RtmpUrl, snapshot: &Snapshot) -> Outcome<Server> {
    // nginx-rtmp names applications without the instance that may follow a slash.
    let wanted = url.application().split('/').next().unwrap_or_default();
    if snapshot.applications.iter().any(|a| a.name == wanted) {
        return Ok(Server { stat_known: wanted == url.application(), notes: Vec::new() });
    }
    let names: Vec<&str> = snapshot.applications.iter().map(|a| a.name.as_str()).take(8).collect();
    let failure = Failure::new(Kind::Server, format!("the server at {url} has no application '{wanted}'"));
    Err(match names.first() {
        Some(first) => failure.why(format!("it has {}", names.join(", "))).hint(Advice::set(
            "nginx_rtmp_url",
            format!("{}://{}:{}/{first}", url.scheme(), url.host(), url.port()),
        )),
        None => failure.why("it has none at all").hint("add an application to the server's configuration"),
    })
}

/// The next step where no server runs.
pub fn up(settings: &Settings) -> Next {
    Advice::StartServers.in_column(match settings.backend {
        Backend::Embedded => "starts the built-in server",
        Backend::Native => "starts nginx and MediaMTX",
        Backend::Docker => "starts nginx and MediaMTX in containers",
    })
}

/// The failure of an address that is no usable RTMP server.
pub fn unusable(settings: &Settings, error: &HelloError) -> Failure {
    let url = &settings.nginx_rtmp_url;
    let server = |what: String| Failure::new(Kind::Server, what);
    let form = Advice::set("nginx_rtmp_url", "rtmp://HOST:1935/live");
    match error {
        HelloError::Refused => {
            let failure = server(format!("nothing listens at {url}")).why(error.to_string());
            if url.is_local() { failure.hint(up(settings)) } else { failure.hint(form) }
        }
        HelloError::UnknownHost => server(format!("there is no host {}", url.host())).hint(form),
        HelloError::OtherProtocol(_) => {
            server(format!("{url} is no RTMP server")).why(error.to_string()).hint(form)
        }
        HelloError::Silent(_) | HelloError::Closed => {
            server(format!("{url} does not answer as an RTMP server")).why(error.to_string()).hint(form)
        }
        HelloError::Unreachable(_) => {
            server(format!("{url} cannot be reached")).why(error.to_string()).hint(form)
        }
    }
}

/// Makes sure that none of `names` is on the air. A name whose bytes stand still is a ghost: it is waited for, up to
/// `patience`.
///
/// # Errors
/// Conflict, naming who publishes it.
pub async fn names_free(
    settings: &Settings,
    names: &[String],
    patience: Duration,
    mut waiting: impl FnMut(&str),
) -> Outcome<()> {
    let client = Client::new(Limits::default());
    let application = settings.nginx_rtmp_url.application();
    let began = Instant::now();
    let mut first_bytes: Option<(String, u64)> = None;
    loop {
        let Ok(snapshot) = status::nginx_snapshot(&client, &settings.nginx_stat_url).await else {
            return Ok(());
        };
        let taken = names.iter().find_map(|name| snapshot.stream(application, name));
        let Some(stream) = taken else { return Ok(()) };
        match &first_bytes {
            None => first_bytes = Some((stream.name.clone(), stream.bytes_in)),
            Some((name, bytes)) if *name != stream.name => {
                // Another of our names; judge it from here on.
                let _ = bytes;
                first_bytes = Some((stream.name.clone(), stream.bytes_in));
            }
            Some((_, bytes)) if stream.bytes_in != *bytes => return Err(taken_by(stream)),
            Some(_) => {}
        }
        if began.elapsed() >= GHOST_PROOF {
            waiting(&stream.name);
        }
        if began.elapsed() >= patience.max(GHOST_PROOF) {
            return Err(taken_by(stream).why("it sends nothing, but the server has not dropped it yet"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn taken_by(stream: &status::nginx_stat::StreamStat) -> Failure {
    let from = stream.publisher().map(|p| format!(" from {}", p.address)).unwrap_or_default();
    Failure::new(Kind::Conflict, format!("the name {} is already published{from}", stream.name))
        .hint(Advice::ChooseKey)
        .hint(Advice::ListStreams.in_column("shows what is live"))
}
