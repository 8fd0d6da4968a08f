//! A viewer by WebSocket: what the room tells goes out, what he sends is done, one thing after the other. He is never
//! waited for: a socket that takes nothing for a while is closed.

use super::feed::Feed;
use super::open_room::Joined;
use super::refused;
use super::service::{Chat, Entered, Held};
use crate::base::clock::Now;
use crate::platform::chat::{
    ClientFrame, FRAME_BYTES, Meter, Rate, Refusal, SUBPROTOCOL, ServerFrame, state,
};
use crate::protocol::web_access::Connection;
use crate::server::endpoint::http::asked_to_end;
use crate::server::web::rest::origin;
use crate::server::web::socket::SendBuffer;
use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
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
/// Bytes that are read at once. The default would be 128 KB for each viewer.
const READ_BUFFER: usize = 1 << 10;

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
    let socket = match WebSocketUpgrade::from_request_parts(&mut head, &()).await {
        Ok(socket) => socket.protocols([SUBPROTOCOL]),
        Err(_) => return refused::bad(&path, "this address is for WebSockets; others read chat/events"),
    };
    if socket.requested_protocols().next().is_some() && socket.selected_protocol().is_none() {
        return refused::bad(&path, "the subprotocol is msconv.chat.v1");
    }
    let (room, who, cookie) = match chat.enter(&id, &head, ends).await {
        Ok(Entered { room, who, cookie }) => (room, who, cookie),
        Err(answer) => return answer,
    };
    let Some(held) = chat.hold(ends) else { return refused::full(&path) };
    if let Some(buffer) = head.extensions.get::<SendBuffer>() {
        buffer.shrink(SEND_BUFFER);
    }
    let socket = socket
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_frame_size(FRAME_BYTES)
        .max_message_size(FRAME_BYTES);
    let answer = socket.on_upgrade(move |socket| {
        let viewer = Viewer { chat, entered: Entered { room, who, cookie: None }, _held: held, socket };
        // On its own, since what made it would be kept as long.
        tokio::spawn(viewer.run());
        std::future::ready(())
    });
    Entered::with_cookie(cookie, answer.into_response())
}

struct Viewer {
    chat: Arc<Chat>,
    entered: Entered,
    socket: WebSocket,
    _held: Held,
}

/// Why a viewer is let go.
enum End {
    /// He has left, or takes nothing.
    Gone,
    /// He is told why.
    Closed(u16, &'static str),
}

impl Viewer {
    async fn run(mut self) {
        let _here = self.entered.room.count();
        if let End::Closed(code, reason) = self.talk().await {
            let last = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            let _ = timeout(Duration::from_secs(1), self.socket.send(last)).await;
        }
    }

    async fn talk(&mut self) -> End {
        // What is done seldom is no part of every viewer's memory.
        let mut feed = match Box::pin(self.welcome()).await {
            Ok(feed) => feed,
            Err(end) => return end,
        };
        let mut shutdown = self.chat.shutdown();
        let (mut meter, mut bad, mut heard) = (Meter::default(), 0_u32, Instant::now());
        let mut ping = std::pin::pin!(sleep(PING));
        loop {
            let step = tokio::select! {
                frame = feed.next(&self.entered.room) => match frame {
                    Some(text) => self.send(Message::Text(text)).await,
                    None => Err(End::Closed(close_code::AWAY, "the room is closed")),
                },
                received = self.socket.recv() => {
                    heard = Instant::now();
                    Box::pin(self.receive(received, &mut meter, &mut bad)).await
                }
                () = &mut ping => {
                    ping.as_mut().reset(Instant::now() + PING);
                    if heard.elapsed() > SILENT { Err(End::Gone) } else { self.send(Message::Ping(Default::default())).await }
                }
                () = asked_to_end(&mut shutdown) => Err(End::Closed(close_code::AWAY, "the server ends")),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// The first frame, and the feed of what comes after it.
    async fn welcome(&mut self) -> Result<Feed, End> {
        let (room, who) = (&self.entered.room, self.entered.who);
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
        self.send(Message::Text(frame.text().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(STALLED, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn receive(
        &mut self,
        received: Option<Result<Message, axum::Error>>,
        meter: &mut Meter,
        bad: &mut u32,
    ) -> Result<(), End> {
        let text = match received {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            // Whatever it is, the socket cannot go on; most of them learn it only here.
            Some(Err(error)) if error.to_string().contains("too long") => {
                return Err(End::Closed(close_code::SIZE, "a frame has at most 4096 bytes"));
            }
            Some(Err(_)) => return Err(End::Closed(close_code::PROTOCOL, "this is no WebSocket frame")),
            Some(Ok(Message::Binary(_))) => {
                return Err(End::Closed(close_code::UNSUPPORTED, "frames are text"));
            }
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                return meter.take(FRAMES, Now::read().mono).map_err(|_| flood());
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
                    Err(End::Closed(close_code::POLICY, "too many frames that are none"))
                } else {
                    Ok(())
                };
            }
        };
        // Its answer is what everybody sees, so it is enough to say why there is none.
        let acted: Result<_, Refusal> = self.entered.room.act(self.entered.who, &frame, now).await;
        match acted {
            Ok(_) => Ok(()),
            Err(refusal) => self.tell(&ServerFrame::refused(refusal, frame.reference())).await,
        }
    }
}

fn flood() -> End {
    End::Closed(close_code::POLICY, "too many frames")
}
