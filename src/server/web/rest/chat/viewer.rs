//! A viewer by WebSocket: what the room tells goes out, what he sends is done, one thing after the other. He is never
//! waited for: a socket that takes nothing for a while is closed.

use super::feed::Feed;
use super::open_room::{Joined, OpenRoom};
use super::refused;
use super::service::{Chat, Entered, Held};
use super::socket::{Ended, WebSocket};
use crate::base::clock::Now;
use crate::platform::chat::{
    ClientFrame, FRAME_BYTES, Meter, Rate, Refusal, SUBPROTOCOL, ServerFrame, Speaker, state,
};
use crate::protocol::web_access::Connection;
use crate::protocol::websocket::{Asked, CloseCode, Incoming, TextFrame, Unfit, Wrong, ping, pong};
use crate::server::endpoint::http::asked_to_end;
use crate::server::web::rest::origin;
use crate::server::web::socket::SendBuffer;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A peer may take nothing for so long.
const STALLED: Duration = Duration::from_secs(10);
/// Between two pings, which keep what stands between from closing an idle connection.
const PING: Duration = Duration::from_secs(25);
/// A peer from which nothing has come for so long is gone.
const SILENT: Duration = Duration::from_secs(70);
/// Frames of one client, moderators too.
const FRAMES: Rate = Rate { times: 60, within: Duration::from_secs(10) };
/// Frames that are none before a client is closed.
const BAD: u32 = 10;
/// What the kernel may hold for one viewer (it doubles the number): some hundred frames.
const SEND_BUFFER: usize = 16 << 10;

/// A WebSocket in the place of a request.
#[utoipa::path(get, path = "/api/v1/streams/{id}/chat/ws", tag = "chat",
    responses((status = 101, description = "Frames, both ways: docs/reference/chat.md"), (status = 400), (status = 401),
              (status = 403), (status = 404), (status = 503)))]
pub async fn upgrade(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let (mut head, _) = request.into_parts();
    let path = head.uri.path().to_string();
    if origin::is_foreign(&head) {
        return refused::foreign(&path);
    }
    let asked = match Asked::read(&head, SUBPROTOCOL) {
        Ok(asked) => asked,
        Err(Unfit::Protocol) => return refused::bad(&path, "the subprotocol is msconv.chat.v1"),
        Err(Unfit::Request) => return not_for_others(&path),
    };
    let Some(connection) = head.extensions.remove::<OnUpgrade>() else { return not_for_others(&path) };
    let (room, who, cookie) = match chat.enter(&id, &head, ends).await {
        Ok(Entered { room, who, cookie }) => (room, who, cookie),
        Err(answer) => return answer,
    };
    let Some(held) = chat.hold(ends) else { return refused::full(&path) };
    if let Some(buffer) = head.extensions.get::<SendBuffer>() {
        buffer.shrink(SEND_BUFFER);
    }
    tokio::spawn(async move {
        // Who leaves before the answer never was here.
        let Ok(connection) = connection.await else { return };
        let viewer = Viewer { chat, room, who, socket: WebSocket::new(connection, FRAME_BYTES), held };
        viewer.run().await;
    });
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    asked.answer(answer.headers_mut());
    Entered::with_cookie(cookie, answer)
}

fn not_for_others(path: &str) -> Response {
    refused::bad(path, "this address is for WebSockets; others read chat/events")
}

struct Viewer {
    chat: Arc<Chat>,
    room: Arc<OpenRoom>,
    who: Speaker,
    socket: WebSocket,
    held: Held,
}

/// Why a viewer is let go.
enum End {
    /// He has left, or takes nothing.
    Gone,
    /// He is told why.
    Closed(CloseCode, &'static str),
}

impl Viewer {
    async fn run(mut self) {
        let here = self.room.count();
        let end = self.talk().await;
        let Viewer { socket, held, .. } = self;
        drop(here);
        if let End::Closed(code, reason) = end {
            Box::pin(socket.close(code, reason)).await;
        }
        drop(held);
    }

    async fn talk(&mut self) -> End {
        // What is done seldom is no part of every viewer's memory.
        let mut feed = match Box::pin(self.welcome()).await {
            Ok(feed) => feed,
            Err(end) => return end,
        };
        let mut shutdown = self.chat.shutdown();
        let (mut meter, mut bad, mut heard) = (Meter::default(), 0_u32, Instant::now());
        let mut due = std::pin::pin!(sleep(PING));
        loop {
            let step = tokio::select! {
                frame = feed.next(&self.room) => match frame {
                    Some(frame) => self.send(frame.bytes()).await,
                    None => Err(End::Closed(CloseCode::Away, "the room is closed")),
                },
                received = self.socket.receive() => {
                    heard = Instant::now();
                    Box::pin(self.receive(received, &mut meter, &mut bad)).await
                }
                () = &mut due => {
                    due.as_mut().reset(Instant::now() + PING);
                    if heard.elapsed() > SILENT { Err(End::Gone) } else { self.send(ping()).await }
                }
                () = asked_to_end(&mut shutdown) => Err(End::Closed(CloseCode::Away, "the server ends")),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// The first frame, and the feed of what comes after it.
    async fn welcome(&mut self) -> Result<Feed, End> {
        let (room, who) = (&self.room, self.who);
        let Joined { frames, author, settings, history, seq, banned } = room.join(who, Now::read());
        let hello = ServerFrame::Hello {
            you: author,
            room: settings,
            history,
            seq,
            viewers: room.viewers(),
            state: state(self.chat.is_live(&room.name)),
        };
        let feed = Feed::new(frames, who.id, seq);
        self.tell(&hello).await?;
        if let Some(until) = banned {
            self.tell(&ServerFrame::banned(until)).await?;
        }
        Ok(feed)
    }

    async fn tell(&mut self, frame: &ServerFrame) -> Result<(), End> {
        self.send(TextFrame::from(frame.text()).bytes()).await
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), End> {
        match timeout(STALLED, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn receive(
        &mut self,
        received: Result<Incoming, Ended>,
        meter: &mut Meter,
        bad: &mut u32,
    ) -> Result<(), End> {
        let text = match received {
            Err(Ended::Gone) => return Err(End::Gone),
            Err(Ended::Wrong(wrong)) => return Err(End::Closed(wrong.code(), why(wrong))),
            Ok(Incoming::Close) => return Err(End::Closed(CloseCode::Normal, "")),
            Ok(Incoming::Binary) => return Err(End::Closed(CloseCode::Unsupported, "frames are text")),
            Ok(Incoming::Text(text)) => text,
            Ok(Incoming::Pong) => return meter.take(FRAMES, Now::read().mono).map_err(|_| flood()),
            Ok(Incoming::Ping(carried)) => {
                meter.take(FRAMES, Now::read().mono).map_err(|_| flood())?;
                return self.send(&pong(&carried)).await;
            }
        };
        let now = Now::read();
        meter.take(FRAMES, now.mono).map_err(|_| flood())?;
        let frame = match ClientFrame::read(&text) {
            Ok(frame) => frame,
            Err(code) => {
                *bad = bad.saturating_add(1);
                self.tell(&ServerFrame::refused(code.into(), None)).await?;
                return if *bad >= BAD {
                    Err(End::Closed(CloseCode::Policy, "too many frames that are none"))
                } else {
                    Ok(())
                };
            }
        };
        // Its answer is what everybody sees, so it is enough to say why there is none.
        let acted: Result<_, Refusal> = self.room.act(self.who, &frame, now).await;
        match acted {
            Ok(_) => Ok(()),
            Err(refusal) => self.tell(&ServerFrame::refused(refusal, frame.reference())).await,
        }
    }
}

fn why(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Frame => "this is no WebSocket frame",
        Wrong::TooLong => "a frame has at most 4096 bytes",
        Wrong::NotText => "this is no UTF-8",
    }
}

fn flood() -> End {
    End::Closed(CloseCode::Policy, "too many frames")
}
