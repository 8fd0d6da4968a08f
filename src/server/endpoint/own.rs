//! Our own form of the API, beside MediaMTX's: what supervisors tell and ask the server.

use super::answer::{Request, Response};
use crate::base::clock::Now;
use crate::hub::{self, Hub};
use crate::model::ladder_fact::MOST_RENDITIONS;
use crate::model::stream_counts::{MOST_NAMES, StreamCounts, StreamList};
use crate::model::stream_name::is_name;
use crate::model::{LadderFact, StreamName};
use serde::Serialize;

const JSON: &str = "application/json; charset=utf-8";
/// Where this form begins.
pub const PREFIX: &str = "/msconv/v1/";
/// The whole server in one look.
pub const SERVER: &str = "/msconv/v1/server";

/// The answer to a request below [`PREFIX`].
pub fn answer(hub: &Hub, applications: &[String], question: &Request, body: &[u8], now: Now) -> Response {
    match (question.method.as_str(), question.path.strip_prefix(PREFIX).unwrap_or_default()) {
        ("GET", "streams") => streams(hub, applications, question, now),
        ("POST", "ladders") => match fact(applications, body) {
            Ok(fact) => {
                hub.tell(fact, now);
                Response { status: 204, content_type: JSON, body: String::new() }
            }
            Err(why) => error(400, &why),
        },
        (_, "streams" | "ladders" | "server") => error(405, "the method is not allowed here"),
        _ => error(404, "there is nothing here"),
    }
}

fn streams(hub: &Hub, applications: &[String], question: &Request, now: Now) -> Response {
    let names: Vec<&str> =
        question.query.iter().filter(|(n, _)| n == "name").map(|(_, v)| v.as_str()).collect();
    if names.len() > MOST_NAMES {
        return error(400, &format!("at most {MOST_NAMES} names"));
    }
    let views: Vec<hub::View> = if names.is_empty() {
        hub.snapshot()
    } else {
        let usual = applications.first().map_or("", String::as_str);
        let wanted = names.iter().map(|name| {
            let (application, name) = name.rsplit_once('/').unwrap_or((usual, name));
            StreamName::new(application, name)
        });
        wanted.filter_map(|name| hub.view(&name)).collect()
    };
    let list = StreamList { streams: views.iter().map(|view| counts(view, now)).collect() };
    json(200, &list)
}

fn counts(view: &hub::View, now: Now) -> StreamCounts {
    let silent = view.last_frame.map(|at| now.mono.saturating_duration_since(at).as_millis());
    StreamCounts {
        application: view.name.application.clone(),
        name: view.name.name.clone(),
        ladder: view.ladder.key.clone(),
        label: view.label.clone(),
        run: view.run,
        published: view.publisher.is_some(),
        ready: view.publisher.is_some() && view.ready_ms.is_some(),
        bytes_in: view.bytes_in,
        bytes_out: view.bytes_out,
        readers: view.readers.len() as u64,
        silent_ms: silent.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
    }
}

/// Reads what a supervisor tells of its ladder.
///
/// # Errors
/// A sentence for the peer.
pub fn fact(applications: &[String], body: &[u8]) -> Result<LadderFact, String> {
    let fact: LadderFact =
        serde_json::from_slice(body).map_err(|e| format!("the ladder cannot be read: {e}"))?;
    if !applications.contains(&fact.application) {
        return Err("there is no such application".into());
    }
    if fact.renditions.is_empty() || fact.renditions.len() > MOST_RENDITIONS {
        return Err(format!("a ladder has 1 to {MOST_RENDITIONS} renditions"));
    }
    let words = fact.renditions.iter().flat_map(|r| [r.label.as_str(), r.name.as_str()]);
    if !std::iter::once(fact.key.as_str()).chain(words).all(is_name) {
        return Err("a name is 1 to 128 letters, digits, dots, dashes, underscores or tildes, a letter or digit first".into());
    }
    Ok(fact)
}

/// An answer in JSON.
pub fn json(status: u16, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => Response { status, content_type: JSON, body },
        Err(_) => Response::text(500, "the answer cannot be written"),
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
}

fn error(status: u16, why: &str) -> Response {
    json(status, &Refused { error: why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Limits, Registry};

    fn told(body: &str) -> Result<LadderFact, String> {
        fact(&["live".into()], body.as_bytes())
    }

    const CAM: &str = r#"{"application":"live","key":"cam","run":3,"aligned":true,
        "renditions":[{"label":"720p","name":"cam_720p","width":1280,"height":720,"bitrate_bps":2600000},
                      {"label":"audio","name":"cam_audio"}]}"#;

    #[test]
    fn a_ladder_is_told_and_its_streams_are_asked_for() {
        let hub = Hub::new(Registry::default(), Limits::default());
        let applications = ["live".to_string()];
        let ask = |method: &str, target: &str, body: &str| {
            answer(&hub, &applications, &Request::new(method, target), body.as_bytes(), Now::read())
        };
        assert_eq!(ask("POST", "/msconv/v1/ladders", CAM).status, 204);
        let now = Now::read();
        let client = hub.registry().enter(crate::protocol::RTMP, "127.0.0.1:1".parse().unwrap(), now.mono, 0);
        let publisher = hub.publish(&StreamName::new("live", "cam_audio"), &client, now).unwrap();
        let list = ask("GET", "/msconv/v1/streams?name=cam_audio&name=live/other&name=tv/cam_audio", "");
        let list: StreamList = serde_json::from_str(&list.body).unwrap();
        assert_eq!(list.streams.len(), 1);
        let StreamCounts { ladder, label, published, ready, .. } = &list.streams[0];
        assert_eq!((ladder.as_str(), label.as_str(), *published, *ready), ("cam", "audio", true, false));
        drop(publisher);
        assert_eq!(ask("GET", "/msconv/v1/ladders", "").status, 405);
        assert_eq!(ask("GET", "/msconv/v1/else", "").status, 404);
        assert_eq!(ask("GET", &format!("/msconv/v1/streams?{}", "name=a&".repeat(65)), "").status, 400);
    }

    #[test]
    fn what_is_no_ladder_is_refused_with_a_reason() {
        assert_eq!(told(CAM).unwrap().renditions.len(), 2);
        for (from, to) in [
            ("\"live\"", "\"tv\""),
            ("cam_720p", "cam 720p"),
            ("\"key\":\"cam\"", "\"key\":\"\""),
            ("\"run\":3", "\"run\":-3"),
            ("\"renditions\"", "\"others\""),
        ] {
            assert!(told(&CAM.replace(from, to)).is_err(), "{to}");
        }
        assert!(told("").is_err());
    }
}
