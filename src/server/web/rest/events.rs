//! `/api/v1/events`: what happened, as a list or as a stream of server-sent events.

use super::caller::Caller;
use super::input::{Page, Query};
use super::shown::Listed;
use super::sse::{self, Sse};
use super::{Api, Outcome};
use crate::base::clock::log_stamp;
use crate::platform::Refusal;
use crate::platform::events::{Event, Type};
use crate::platform::operators::Scope;
use crate::server::web::problem::Problem;
use crate::store::Store;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use utoipa::{IntoParams, ToSchema};

/// Events that are read at once for one who listens.
const ROWS: i64 = 200;
/// Between two looks for events of other servers.
const LOOK: Duration = Duration::from_secs(2);

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Behind this number; a negative one counts from the end. A list begins with the first one that is kept, a stream with what
    /// happens from now on
    after: Option<String>,
    /// Only these, as `stream.live,chat.*`; `viewer.joined`, `viewer.left` and `stats` only if they are named
    types: Option<String>,
    /// Events in a list, 1 to 500 [default: 50]
    limit: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownEvent {
    /// Its place among all; null if it could not be stored
    seq: Option<i64>,
    /// Its name
    id: String,
    /// What it is
    r#type: String,
    /// The stream: the id of a registered one, of any other its name
    public_id: Option<String>,
    /// When it was (RFC 3339)
    at: String,
    /// More, which depends on the type
    data: serde_json::Value,
}

impl From<Event> for ShownEvent {
    fn from(event: Event) -> ShownEvent {
        ShownEvent {
            seq: event.seq,
            id: event.id,
            r#type: event.kind,
            public_id: event.public_id,
            at: log_stamp(event.at_ms),
            data: event.data,
        }
    }
}

/// What happened, the oldest first. With `Accept: text/event-stream` it goes on with what happens; `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventsQuery),
    responses((status = 200, content((Listed<ShownEvent> = "application/json"), (String = "text/event-stream"))),
              (status = 401), (status = 422), (status = 503)))]
pub async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Outcome<Response> {
    caller.needs(Scope::Read)?;
    let types = Type::chosen(query.types.as_deref().unwrap_or_default()).map_err(|word| {
        let word = crate::base::printable::bounded(&word, 40);
        Refusal::wrong("types", format!("there is no type '{word}'"))
    })?;
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if field(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        let after = field("last-event-id").or(query.after.as_deref()).unwrap_or("-0");
        return stream(&api, types, after).await;
    }
    let store = api.kept().store()?;
    let page = Page { limit: query.limit, after: None };
    let limit = page.limit()?;
    let after = behind(store, query.after.as_deref().unwrap_or("0")).await?;
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let words: Vec<&str> = types.into_iter().map(Type::word).collect();
    let mut rows = store.events_after(after, &words, one_more).await.map_err(Refusal::from)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    let items = rows.into_iter().map(|row| Event::from(row).into()).collect();
    Ok(Answer(Listed::<ShownEvent> { items, next }).into_response())
}

/// The number behind which somebody wants events.
async fn behind(store: &Store, text: &str) -> Outcome<i64> {
    let wrong = || Refusal::wrong("after", "it is the number of an event");
    let number: i64 = text.trim().parse().map_err(|_| wrong())?;
    if number > 0 || !text.trim().starts_with('-') {
        return Ok(number);
    }
    let last = store.last_event().await.map_err(Refusal::from)?;
    Ok(last.saturating_add(number).max(0))
}

/// Opens a stream of events.
async fn stream(api: &Api, types: Vec<Type>, after: &str) -> Outcome<Response> {
    let listener = api.0.listeners.clone().try_acquire_owned().map_err(|_| {
        let why = "as many listen to events as may";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many", why).retry_after(Duration::from_secs(10))
    })?;
    // Heard from before the look at what is stored, so that nothing is missed in between.
    let heard = api.kept().events().listen();
    let after = match api.kept().store() {
        Ok(store) => behind(store, after).await?,
        // Without the database there is no past.
        Err(_) => i64::MAX,
    };
    let (sse, body) = sse::channel();
    let mut shutdown = api.0.shutdown.clone();
    let listening = Listening { api: api.clone(), types, after, sse, _listener: listener };
    tokio::spawn(async move {
        tokio::select! {
            _ = listening.run(heard) => {}
            // Nobody who would say so: the command line, which does not stream.
            Ok(_) = shutdown.wait_for(|down| *down) => {}
        }
    });
    Ok(body)
}

/// One who listens.
struct Listening {
    api: Api,
    types: Vec<Type>,
    /// Everything up to here was sent.
    after: i64,
    sse: Sse,
    _listener: OwnedSemaphorePermit,
}

impl Listening {
    /// Sends until the other end is gone.
    async fn run(mut self, mut heard: broadcast::Receiver<Arc<Event>>) -> Option<()> {
        let _asking = self.api.kept().events().ask(&self.types);
        self.catch_up().await?;
        loop {
            let event = tokio::select! {
                event = heard.recv() => event,
                () = tokio::time::sleep(LOOK) => {
                    self.catch_up().await?;
                    continue;
                }
                () = self.sse.gone() => return None,
            };
            match event.as_deref() {
                Ok(event) => match event.seq {
                    None => self.send(event).await?,
                    Some(seq) if Some(seq) == self.after.checked_add(1) => {
                        self.send(event).await?;
                        self.after = seq;
                    }
                    // Something of another server's is between them.
                    Some(seq) if seq > self.after => self.catch_up().await?,
                    Some(_) => {}
                },
                Err(broadcast::error::RecvError::Lagged(_)) => self.catch_up().await?,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Sends what is stored and was not sent yet.
    async fn catch_up(&mut self) -> Option<()> {
        // A fault shows in what is reachable; it is tried again.
        let api = self.api.clone();
        let Ok(store) = api.kept().store() else { return Some(()) };
        let Ok(last) = store.last_event().await else { return Some(()) };
        // It could not be asked at first.
        if self.after == i64::MAX {
            self.after = last;
        }
        let words: Vec<&str> = self.types.iter().map(|of| of.word()).collect();
        while self.after < last {
            let Ok(rows) = store.events_after(self.after, &words, ROWS).await else { return Some(()) };
            let whole = rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX);
            for row in rows {
                let event = Event::from(row);
                self.send(&event).await?;
                self.after = event.seq.unwrap_or(self.after);
            }
            if whole {
                self.after = self.after.max(last);
            }
        }
        Some(())
    }

    async fn send(&self, event: &Event) -> Option<()> {
        if !self.types.iter().any(|of| of.word() == event.kind) {
            return Some(());
        }
        let id = event.seq.map(|seq| seq.to_string());
        let json = serde_json::to_string(&ShownEvent::from(event.clone())).ok()?;
        self.sse.send(id.as_deref(), Some(&event.kind), &json).await
    }
}
