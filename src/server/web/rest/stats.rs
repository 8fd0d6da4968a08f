//! `/api/v1/streams/ID/stats`: what a stream has carried.

use super::caller::Caller;
use super::input::Query;
use super::streams::found;
use super::{Api, Outcome};
use crate::base::clock::{now_ms, rfc3339};
use crate::platform::Refusal;
use crate::platform::operators::Scope;
use crate::platform::statistics::{SPAN, Step, Viewers};
use axum::extract::{Path, State};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How far back.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Seconds, 5 to 900 [default: 60]
    seconds: Option<String>,
}

/// Five seconds of a rendition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownStep {
    /// When they ended (RFC 3339)
    at: String,
    /// Bits a second received
    bitrate: u64,
    /// Video frames a second
    fps: f64,
    /// Seconds between the last two keyframes; null before there were two
    keyframe_distance: Option<f64>,
    /// Frames that slow viewers did not get
    dropped: u64,
    /// Who watched at the end
    #[schema(value_type = Object)]
    viewers: Viewers,
}

/// One rendition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownSeries {
    /// Its label; `original` for what the publisher sends
    label: String,
    /// Its name on the server
    name: String,
    /// Steps of five seconds, the oldest first
    steps: Vec<ShownStep>,
}

/// What a stream has carried.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownStats {
    /// Its id
    public_id: String,
    /// How far back it goes
    seconds: u64,
    /// Who watches now, by protocol
    #[schema(value_type = Object)]
    viewers: Viewers,
    /// Its renditions
    renditions: Vec<ShownSeries>,
}

/// What a stream has carried, for its owner and the operator.
#[utoipa::path(get, path = "/api/v1/streams/{id}/stats", tag = "streams", params(StatsQuery),
    responses((status = 200, body = ShownStats), (status = 401), (status = 404), (status = 422)))]
pub async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<StatsQuery>,
) -> Outcome<Answer<ShownStats>> {
    match api.kept().directory().find(&id) {
        Some(stream) => caller.needs_owner(&stream, Scope::Read)?,
        None => caller.needs(Scope::Read)?,
    }
    let (stream, _) = found(&api, &caller, &id)?;
    let seconds = match query.seconds.as_deref() {
        None => 60,
        Some(text) => {
            let most = SPAN.as_secs();
            let wrong = || Refusal::wrong("seconds", format!("it is a number from 5 to {most}"));
            text.parse().ok().filter(|n| (5..=most).contains(n)).ok_or_else(wrong)?
        }
    };
    let since_ms = now_ms().saturating_sub(i64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let key = stream.as_ref().map_or(id.as_str(), |stream| &stream.slug);
    let of = api.0.statistics.of(key, since_ms);
    let last = |steps: &[Step]| steps.last().map_or(Viewers::default(), |step| step.viewers);
    Ok(Answer(ShownStats {
        public_id: stream.as_ref().map_or(id.clone(), |stream| stream.public_id.clone()),
        seconds,
        viewers: of.iter().fold(Viewers::default(), |all, series| all.and(last(&series.steps))),
        renditions: of
            .into_iter()
            .map(|series| ShownSeries {
                label: series.label,
                name: series.name,
                steps: series.steps.iter().map(shown).collect(),
            })
            .collect(),
    }))
}

fn shown(step: &Step) -> ShownStep {
    ShownStep {
        at: rfc3339(step.at_ms),
        bitrate: step.bitrate,
        // As far as it can be known in five seconds.
        fps: (step.fps * 100.0).round() / 100.0,
        keyframe_distance: step.keyframes.map(|time| (time.as_secs_f64() * 1000.0).round() / 1000.0),
        dropped: step.dropped,
        viewers: step.viewers,
    }
}
