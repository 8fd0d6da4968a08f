//! One container of the stack, as `docker inspect` shows it. Pure.

use crate::base::clock;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most containers that are looked at.
const MOST: usize = 200;
/// Restarts after which a container that does not stay up is given up.
const FLAPS: u64 = 3;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The project it belongs to.
    pub project: String,
    /// The service it is of.
    pub service: String,
    /// How it is.
    pub state: State,
    /// Its first process as this machine numbers it, if it runs.
    pub pid: Option<i32>,
    /// When it was started, milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// What the last question after its health said.
    pub health_words: String,
}

/// How a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Made and not started.
    #[default]
    Created,
    /// It runs, and its health is not known yet.
    Starting,
    /// It runs, and is healthy or nobody asks.
    Well,
    /// It runs and is not healthy.
    Unhealthy,
    /// It comes and goes.
    Flapping,
    /// It has ended, with this exit code.
    Ended(i64),
}

impl Container {
    /// Whether it runs.
    pub fn running(&self) -> bool {
        matches!(self.state, State::Starting | State::Well | State::Unhealthy)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            State::Created => f.write_str("was not started"),
            State::Starting => f.write_str("is still starting"),
            State::Well => f.write_str("is well"),
            State::Unhealthy => f.write_str("is not healthy"),
            State::Flapping => f.write_str("ends again and again"),
            State::Ended(code) => write!(f, "ended with exit code {code}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Inspected {
    id: String,
    restart_count: u64,
    state: InspectedState,
    config: InspectedConfig,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedState {
    status: String,
    running: bool,
    restarting: bool,
    pid: i64,
    exit_code: i64,
    started_at: String,
    health: Option<InspectedHealth>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedHealth {
    status: String,
    log: Option<Vec<InspectedProbe>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedProbe {
    output: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedConfig {
    labels: Option<BTreeMap<String, String>>,
}

/// The containers in the output of `docker inspect`; `None` if it is none.
pub fn parse(bytes: &[u8]) -> Option<Vec<Container>> {
    let inspected: Vec<Inspected> = serde_json::from_slice(bytes).ok()?;
    Some(inspected.into_iter().take(MOST).map(container).collect())
}

fn container(one: Inspected) -> Container {
    let mut labels = one.config.labels.unwrap_or_default();
    let mut label = |name: &str| labels.remove(&format!("com.docker.compose.{name}")).unwrap_or_default();
    let health = one.state.health.as_ref().map(|h| h.status.as_str()).unwrap_or_default();
    let state = match (one.state.running, health) {
        _ if one.state.restarting && one.restart_count >= FLAPS => State::Flapping,
        // Between two attempts it is neither up nor given up.
        _ if one.state.restarting => State::Starting,
        (true, "" | "none" | "healthy") => State::Well,
        (true, "unhealthy") => State::Unhealthy,
        (true, _) => State::Starting,
        (false, _) if one.state.status == "created" => State::Created,
        (false, _) => State::Ended(one.state.exit_code),
    };
    let words = one.state.health.and_then(|h| h.log).and_then(|log| log.into_iter().next_back());
    Container {
        project: label("project"),
        service: label("service"),
        id: one.id,
        state,
        pid: i32::try_from(one.state.pid).ok().filter(|pid| *pid > 0 && one.state.running),
        started_at_ms: clock::parse_stamp(&one.state.started_at).filter(|ms| *ms > 0),
        health_words: words.map(|probe| probe.output).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Docker 20.10.24 says of the stack, shortened to what is read and some of what is not.
    const RECORDED: &str = include_str!("../../../tests/data/docker/inspect.json");

    #[test]
    fn reads_a_recorded_answer() {
        let containers = parse(RECORDED.as_bytes()).unwrap();
        let of = |service: &str| containers.iter().find(|c| c.service == service).unwrap();
        assert_eq!(of("nginx-rtmp").state, State::Well);
        assert!(of("nginx-rtmp").pid.is_some() && of("nginx-rtmp").started_at_ms.is_some());
        assert_eq!(of("log-folders").state, State::Ended(0));
        assert_eq!(of("log-folders").pid, None);
        assert_eq!(of("mediamtx").state, State::Starting);
        assert!(containers.iter().all(|c| c.project == "msconv" && c.id.len() == 64));
    }

    #[test]
    fn states() {
        let state = |text: &str| {
            let json = format!("[{{\"RestartCount\":4,\"State\":{text}}}]");
            parse(json.as_bytes()).unwrap().first().unwrap().state
        };
        assert_eq!(state(r#"{"Status":"created"}"#), State::Created);
        assert_eq!(state(r#"{"Status":"running","Running":true}"#), State::Well);
        assert_eq!(state(r#"{"Running":true,"Health":{"Status":"unhealthy","Log":null}}"#), State::Unhealthy);
        assert_eq!(state(r#"{"Running":true,"Restarting":true}"#), State::Flapping);
        assert_eq!(state(r#"{"Status":"exited","ExitCode":137}"#), State::Ended(137));
    }

    proptest! {
        #[test]
        fn any_bytes_are_containers_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
