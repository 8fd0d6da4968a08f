//! A viewer by server-sent events: the same frames, with the number of the last entry as the event's id, so that a client
//! that lost its connection goes on where it was.

use super::feed::Feed;
use super::open_room::{Joined, OpenRoom};
use super::refused;
use super::service::{Chat, Entered, Held};
use crate::base::clock::Now;
use crate::base::percent::argument;
use crate::platform::chat::{ServerFrame, state};
use crate::protocol::web_access::Connection;
use crate::server::endpoint::http::asked_to_end;
use crate::server::web::rest::sse::{self, Sse};
use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A peer may take nothing for so long.
const STALLED: Duration = Duration::from_secs(10);
/// Entries that are asked for at once, and the most that are given to one who comes back; what is between is a gap.
const SOME: usize = 200;
const MOST: usize = 1000;

/// The events of a room, after the number that the client names, or from now on.
#[utoipa::path(get, path = "/api/v1/streams/{id}/chat/events", tag = "chat",
    params(("after" = Option<u64>, Query, description = "As `Last-Event-ID`: the number to go on from")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400), (status = 401),
              (status = 403), (status = 404), (status = 503)))]
pub async fn events(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path().to_string();
    let field = head.headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_string);
    let after = field.or_else(|| argument(head.uri.query().unwrap_or_default(), "after"));
    let Ok(after) = after.filter(|text| !text.is_empty()).map(|text| text.parse::<u64>()).transpose() else {
        return refused::bad(&path, "the id of the last event is a whole number");
    };
    let Entered { room, who, cookie } = match chat.enter(&id, &head, ends).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let Some(held) = chat.hold(ends) else { return refused::full(&path) };
    let joined = room.join(who, Now::read());
    let (send, answer) = sse::channel();
    let reader = Reader { chat, room, send, _held: held };
    tokio::spawn(reader.run(joined, after));
    Entered::with_cookie(cookie, answer)
}

struct Reader {
    chat: Arc<Chat>,
    room: Arc<OpenRoom>,
    send: Sse,
    _held: Held,
}

/// He is gone, or takes nothing.
struct Gone;

impl Reader {
    async fn run(self, joined: Joined, after: Option<u64>) {
        let _here = self.room.count();
        let mut shutdown = self.chat.shutdown();
        tokio::select! {
            _ = self.tell(joined, after) => {}
            () = self.send.gone() => {}
            () = asked_to_end(&mut shutdown) => {}
        }
    }

    async fn tell(&self, joined: Joined, after: Option<u64>) -> Result<(), Gone> {
        let Joined { frames, author, settings, history, seq, banned } = joined;
        let mut feed = Feed::new(frames, author.id, seq);
        match after {
            // A number of another life of the room: it begins anew.
            Some(after) if after <= seq => self.missed(after, seq).await?,
            _ => {
                let viewers = self.room.viewers();
                let state = state(self.chat.is_live(&self.room.name));
                let hello = ServerFrame::Hello { you: author, room: settings, history, seq, viewers, state };
                self.event(seq, &hello.text()).await?;
            }
        }
        if let Some(until) = banned {
            self.event(seq, &ServerFrame::banned(until).text()).await?;
        }
        loop {
            match feed.next(&self.room).await {
                Some(text) => self.event(feed.seen, &text).await?,
                None => return Ok(()),
            }
        }
    }

    /// What happened after a number, up to the one that the feed goes on from.
    async fn missed(&self, mut after: u64, seq: u64) -> Result<(), Gone> {
        let mut told = 0_usize;
        while after < seq && told < MOST {
            let Ok(entries) = self.chat.log().after(&self.room.name, after, SOME).await else { break };
            let last = entries.len() < SOME;
            for entry in entries.iter().filter(|entry| entry.seq <= seq) {
                after = entry.seq;
                told = told.saturating_add(1);
                if let Some(frame) = ServerFrame::of(entry) {
                    self.event(entry.seq, &frame.text()).await?;
                }
            }
            if last {
                return Ok(());
            }
        }
        if after < seq {
            let gap = ServerFrame::Gap { from: after.saturating_add(1), to: seq };
            self.event(seq, &gap.text()).await?;
        }
        Ok(())
    }

    /// JSON has no line breaks outside of its escapes, so a frame is one line.
    async fn event(&self, id: u64, text: &str) -> Result<(), Gone> {
        let sent = timeout(STALLED, self.send.send(Some(&id.to_string()), None, text)).await;
        sent.ok().flatten().ok_or(Gone)
    }
}
