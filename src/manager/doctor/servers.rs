//! The servers, at the addresses of the settings: who listens, whether it speaks the right protocol, whether it lets
//! us in, and whether MediaMTX pulls from nginx-rtmp in the form that its version understands.

use super::check::{Check, Status};
use super::own_services;
use crate::backend::native::Version;
use crate::base::next::{Advice, Next};
use crate::base::printable::printable;
use crate::base::{Failure, Kind};
use crate::config::choices::Backend;
use crate::config::{Environment, Settings};
use crate::manager::servers::mediamtx_advice::{Setting, advice};
use crate::manager::servers::preflight;
use crate::process::listener::listener;
use crate::status::hello::{self, HelloError};
use crate::status::mediamtx;
use crate::status::rtsp_describe::{self, Verdict};
use crate::status::{self, Client, FetchError, Limits, Snapshot, SourceError};
use serde::Deserialize;
use std::time::Duration;

/// How long an RTMP server may take to greet.
const HELLO: Duration = Duration::from_secs(4);

/// Largest list of MediaMTX's configured paths that is looked at.
const MOST_PATHS: usize = 1000;

/// What brings RTSP and the API up.
fn starts_rtsp(settings: &Settings) -> Next {
    match settings.backend {
        Backend::Native => Advice::StartServers.behind("starts MediaMTX too where it is installed"),
        Backend::Embedded | Backend::Docker => Advice::StartServers.into(),
    }
}

/// What the servers said.
#[derive(Debug)]
pub struct Seen {
    /// Whether an RTMP server answers.
    pub rtmp: bool,
    /// Whether MediaMTX or another RTSP server answers.
    pub rtsp: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// Asks all of them at once.
pub async fn look(settings: &Settings, environment: &Environment) -> Seen {
    let client = Client::new(Limits::default());
    let (hello, stat, rtsp, api) = tokio::join!(
        hello::rtmp(&settings.nginx_rtmp_url, HELLO),
        status::nginx_snapshot(&client, &settings.nginx_stat_url),
        rtsp_describe::greet(&settings.rtsp_url),
        api(&client, settings),
    );
    let rtmp = hello.is_ok();
    let built_in = stat.as_ref().is_ok_and(|page| page.built_in().is_some());
    let mut checks = vec![rtmp_check(settings, &hello), stat_check(settings, rtmp, stat)];
    checks.push(rtsp_check(settings, &rtsp));
    checks.extend(api_checks(settings, environment, (rtsp == Verdict::Plays, built_in), api));
    if built_in {
        checks.extend(own_services::look(&client, settings).await);
    }
    Seen { rtmp, rtsp: rtsp == Verdict::Plays, checks }
}

/// Who listens on a port of this machine: `, nginx (pid 7)`; empty for another machine or where it cannot be seen.
fn holder(local: bool, port: u16) -> String {
    if !local {
        return String::new();
    }
    listener(port).map(|who| format!(", {who}")).unwrap_or_default()
}

fn rtmp_check(settings: &Settings, hello: &Result<(), HelloError>) -> Check {
    let url = &settings.nginx_rtmp_url;
    let name = "rtmp";
    let holder = holder(url.is_local(), url.port());
    match hello {
        Ok(()) => Check::ok(name, format!("RTMP answers at {url}{holder}")),
        Err(HelloError::Refused) if url.is_local() => {
            Check::warn(name, format!("port {} is free: nothing listens at {url}", url.port()))
                .next(Advice::StartServers)
        }
        Err(error) => {
            let failure = preflight::unusable(settings, error);
            let mut check = Check::of(name, Status::Fail, &failure);
            if !holder.is_empty() {
                check.detail.push_str(&format!("; the port is held by {}", holder.trim_start_matches(", ")));
            }
            check
        }
    }
}

fn stat_check(settings: &Settings, rtmp: bool, stat: Result<Snapshot, SourceError>) -> Check {
    let url = &settings.nginx_stat_url;
    let name = "stat";
    let holder = holder(url.is_local(), url.port());
    match stat {
        Ok(snapshot) => {
            let server = printable(&snapshot.words());
            match preflight::has_application(&settings.nginx_rtmp_url, &snapshot) {
                Ok(_) => Check::ok(
                    name,
                    format!(
                        "/stat of {server} answers at {url}{holder}; it has the application {}",
                        settings.nginx_rtmp_url.application()
                    ),
                ),
                Err(failure) => Check::of(name, Status::Fail, &failure),
            }
        }
        Err(error) if error.absent() && !rtmp => {
            Check::warn(name, format!("no /stat at {url}: {error}")).next(Advice::StartServers)
        }
        Err(error) => Check::warn(
            name,
            format!("no /stat at {url}{holder}: {error}; list and publish then know less of what arrives"),
        )
        .next("location /stat { rtmp_stat all; } in nginx.conf, or --nginx-stat-url"),
    }
}

fn rtsp_check(settings: &Settings, verdict: &Verdict) -> Check {
    let url = &settings.rtsp_url;
    let name = "rtsp";
    let holder = holder(url.is_local(), url.port());
    let other = "--rtsp-url rtsp://HOST:8554";
    match verdict {
        Verdict::Plays => Check::ok(name, format!("RTSP answers at {url}{holder}")),
        Verdict::Unreachable(why) if url.is_local() && holder.is_empty() => {
            Check::warn(name, format!("port {} is free: no RTSP server at {url}: {why}", url.port()))
                .next(starts_rtsp(settings))
        }
        Verdict::Unreachable(why) => {
            Check::warn(name, format!("no RTSP server at {url}{holder}: {why}")).next(other)
        }
        Verdict::Foreign(words) => Check::warn(
            name,
            format!("what listens at {url}{holder}, does not speak RTSP: it answers with {words}"),
        )
        .next(other),
        Verdict::Silent | Verdict::Held => {
            Check::warn(name, format!("the RTSP server at {url}{holder}, takes connections and says nothing"))
                .next(Advice::ShowServiceLog("mediamtx".into()))
        }
        Verdict::Unauthorized | Verdict::NoPath(_) | Verdict::Refused(..) => {
            Check::warn(name, format!("the RTSP server at {url}{holder}, refuses to speak")).next(other)
        }
    }
}

/// What MediaMTX's API says of itself.
struct Api {
    version: Option<Version>,
    sources: Vec<PathSource>,
}

async fn api(client: &Client, settings: &Settings) -> Result<Api, SourceError> {
    let url = &settings.mediamtx_url;
    // The list is what every version has; /v3/info came with 1.15.2.
    mediamtx::paths(client, url).await?;
    let version = mediamtx::info(client, url).await.ok().and_then(|i| Version::parse(&i.version));
    let sources = match client.get(url, "/v3/config/paths/list?itemsPerPage=500").await {
        Ok(bytes) => parse_sources(&bytes),
        Err(_) => Vec::new(),
    };
    Ok(Api { version, sources })
}

fn api_checks(
    settings: &Settings,
    environment: &Environment,
    (rtsp, built_in): (bool, bool),
    api: Result<Api, SourceError>,
) -> Vec<Check> {
    let url = &settings.mediamtx_url;
    let name = "api";
    let holder = holder(url.is_local(), url.port());
    let api = match api {
        Ok(api) => api,
        Err(error @ SourceError::Fetch(FetchError::Status(401 | 403))) => {
            let detail = format!("MediaMTX's API at {url}{holder}, does not let us in: {error}");
            return vec![Check::warn(name, detail).next(advice(Setting::Api, settings, environment))];
        }
        Err(error) if error.absent() => {
            let what = if rtsp {
                "RTSP viewers cannot be counted".to_string()
            } else {
                format!("port {} is free", url.port())
            };
            let check = Check::warn(name, format!("{what}: no API of MediaMTX at {url}: {error}"));
            return vec![if rtsp {
                check.next("api: yes in mediamtx.yml")
            } else {
                check.next(starts_rtsp(settings))
            }];
        }
        Err(error) => {
            let detail = format!("no API of MediaMTX at {url}{holder}: {error}");
            return vec![Check::warn(name, detail).next(Advice::set("mediamtx_url", "http://HOST:9997"))];
        }
    };
    let version = api.version.map(|v| format!(" {v}")).unwrap_or_default();
    let whose = if built_in {
        "the built-in server's API".to_string()
    } else {
        format!("the API of MediaMTX{version}")
    };
    let mut checks = vec![Check::ok(name, format!("{whose} answers at {url}{holder}"))];
    checks.extend(url_forms(api.version, &api.sources).map(|failure| {
        let check = Check::of("mediamtx paths", Status::Warn, &failure);
        check.next(advice(Setting::Paths, settings, environment))
    }));
    checks
}

/// A configured path and where it is pulled from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct PathSource {
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
}

fn parse_sources(bytes: &[u8]) -> Vec<PathSource> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        items: Option<Vec<PathSource>>,
    }
    let page: Option<Page> = serde_json::from_slice(bytes).ok();
    let mut sources = page.and_then(|p| p.items).unwrap_or_default();
    sources.truncate(MOST_PATHS);
    sources.retain(|s| s.source.starts_with("rtmp://") || s.source.starts_with("rtmps://"));
    sources
}

/// The known failure of versions since 1.20: with the name behind a slash they connect to an application of that
/// name, nginx-rtmp hangs up, the log says only EOF, and the viewer waits 10 s for a 400. Earlier ones do not know `#`.
fn url_forms(version: Option<Version>, sources: &[PathSource]) -> Option<Failure> {
    let version = version?;
    let new = version >= Version::NAME_BEHIND_HASH;
    let wrong = sources.iter().find(|s| s.source.contains('#') != new)?;
    let (form, sign) = if new {
        (
            "with '#' before the stream's name, as in rtmp://HOST:1935/live#$G1",
            "viewers wait 10 s and get 400, its log says EOF",
        )
    } else {
        ("with '/' before the stream's name, as in rtmp://HOST:1935/live/$G1", "viewers get nothing")
    };
    Some(
        Failure::new(
            Kind::Server,
            format!(
                "MediaMTX {version} cannot pull path {} from {}",
                wrong.name,
                crate::base::secret::redact_urls(&wrong.source)
            ),
        )
        .why(format!("this version wants the source {form}; otherwise {sign}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use proptest::prelude::*;

    fn settings() -> (Settings, Environment) {
        let environment = Environment::made(&[], std::path::Path::new("/nowhere"));
        // Another machine, so that no listener of this one is looked for.
        let flags = Layer::flags([("nginx_rtmp_url", Some("rtmp://media.example:1935/live".to_string()))]);
        (Settings::load(flags, &environment).unwrap(), environment)
    }

    #[test]
    fn the_url_form_must_fit_the_version() {
        let recorded = parse_sources(include_bytes!("../../../tests/data/mediamtx/config-paths-list.json"));
        assert_eq!(recorded.first().map(|s| s.source.as_str()), Some("rtmp://127.0.0.1:11935/live#$G1"));
        assert_eq!(url_forms(Some(Version(1, 20, 1)), &recorded), None);
        let failure = url_forms(Some(Version(1, 19, 3)), &recorded).unwrap();
        assert!(failure.to_string().contains("with '/' before"), "{failure}");
        let old = [PathSource { name: "all".into(), source: "rtmp://u:p@h/live/$G1".into() }];
        let failure = url_forms(Some(Version(1, 20, 0)), &old).unwrap();
        assert!(failure.to_string().contains("viewers wait 10 s and get 400"), "{failure}");
        assert!(!failure.to_string().contains("u:p"), "{failure}");
        assert_eq!(url_forms(Some(Version(1, 2, 1)), &old), None);
        assert_eq!(url_forms(None, &old), None, "an unknown version is not judged");
    }

    #[test]
    fn a_publisher_path_is_no_source() {
        let page = br#"{"items":[{"name":"a","source":"publisher"},{"name":"b","source":"rtsp://h/x"},{"name":"c"}]}"#;
        assert!(parse_sources(page).is_empty());
        assert!(parse_sources(b"{\"items\":null}").is_empty());
    }

    #[test]
    fn a_foreign_protocol_fails_and_an_idle_port_does_not() {
        let (settings, environment) = settings();
        let foreign = rtmp_check(&settings, &Err(HelloError::OtherProtocol(Some("HTTP".into()))));
        assert_eq!((foreign.status, foreign.kind), (Status::Fail, Kind::Server));
        assert_eq!(rtmp_check(&settings, &Ok(())).status, Status::Ok);
        let local = Settings::load(
            Layer::flags([("nginx_rtmp_url", Some("rtmp://localhost:1/live".to_string()))]),
            &environment,
        )
        .unwrap();
        let free = rtmp_check(&local, &Err(HelloError::Refused));
        assert_eq!((free.status, free.next), (Status::Warn, vec![Advice::StartServers.into()]));
        let denied = Err(SourceError::Fetch(FetchError::Status(401)));
        let checks = api_checks(&settings, &environment, (true, false), denied);
        assert!(checks.first().is_some_and(|c| {
            crate::ui::failure_text::steps(&c.next).iter().any(|n| n.contains("authInternalUsers"))
        }));
        for verdict in [Verdict::Silent, Verdict::Foreign("HTTP".into()), Verdict::Unreachable("x".into())] {
            assert_eq!(rtsp_check(&settings, &verdict).status, Status::Warn, "a publish does without RTSP");
        }
    }

    #[test]
    fn a_missing_application_fails() {
        let (settings, _) = settings();
        let check = stat_check(&settings, true, Ok(Snapshot::default()));
        assert_eq!(check.status, Status::Fail);
        assert!(check.detail.contains("no application 'live'"), "{}", check.detail);
    }

    proptest! {
        #[test]
        fn any_bytes_are_sources_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let sources = parse_sources(&bytes);
            let _ = url_forms(Some(Version(1, 20, 0)), &sources);
        }
    }
}
