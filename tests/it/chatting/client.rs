//! A client of a room, by a WebSocket library.

use crate::stage::{PATIENCE, Serve, wait_for};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tungstenite::http::{Request, Response};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{HandshakeError, Message, WebSocket};

/// By this name nobody is taken for the operator, though he is on this machine.
pub const OUTSIDE: &str = "chat.example";

/// A client.
pub struct Client {
    /// The socket.
    pub socket: WebSocket<TcpStream>,
    waiting: VecDeque<Value>,
    /// Who it is to the server.
    pub cookie: String,
    /// The first frame.
    pub hello: Value,
}

/// How a client comes.
#[derive(Clone, Copy)]
pub struct Coming<'a> {
    /// The name of the server.
    pub host: &'a str,
    /// Fields of the request.
    pub fields: &'a [(&'a str, &'a str)],
    /// A receive buffer of so many bytes.
    pub buffer: Option<usize>,
}

impl Default for Coming<'_> {
    fn default() -> Self {
        Coming { host: OUTSIDE, fields: &[], buffer: None }
    }
}

/// A socket, and the answer that opened it.
type Opened = (WebSocket<TcpStream>, Response<Option<Vec<u8>>>);

/// What is answered to who asks for a WebSocket: one, or the status.
pub fn ask(address: SocketAddr, id: &str, coming: Coming<'_>) -> Result<Opened, u16> {
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
    if let Some(buffer) = coming.buffer {
        socket.set_recv_buffer_size(buffer).unwrap();
    }
    socket.connect(&address.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = format!("{}:{}", coming.host, address.port());
    let mut request = Request::builder()
        .uri(format!("ws://{host}/api/v1/streams/{id}/chat/ws"))
        .header("Host", &host)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key())
        .header("Sec-WebSocket-Protocol", "msconv.chat.v1");
    for (name, value) in coming.fields {
        request = request.header(*name, value.replace("HOST", &host));
    }
    match tungstenite::client(request.body(()).unwrap(), socket) {
        Ok(opened) => Ok(opened),
        Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

impl Client {
    /// Somebody from elsewhere.
    #[track_caller]
    pub fn viewer(serve: &Serve, id: &str) -> Client {
        Client::come(serve, id, Coming::default())
    }

    /// The same who was there before.
    #[track_caller]
    pub fn again(&self, serve: &Serve, id: &str) -> Client {
        Client::come(serve, id, Coming { fields: &[("Cookie", &self.cookie)], ..Coming::default() })
    }

    /// Somebody at this machine.
    #[track_caller]
    pub fn moderator(serve: &Serve, id: &str) -> Client {
        Client::come(serve, id, Coming { host: "localhost", ..Coming::default() })
    }

    /// As told.
    #[track_caller]
    pub fn come(serve: &Serve, id: &str, coming: Coming<'_>) -> Client {
        let (socket, answer) = ask(serve.address("web"), id, coming).expect("a WebSocket");
        assert_eq!(answer.headers()["sec-websocket-protocol"], "msconv.chat.v1");
        let cookie = answer.headers().get("set-cookie").map_or("", |cookie| cookie.to_str().unwrap());
        let cookie = cookie.split(';').next().unwrap().to_string();
        let mut client = Client { socket, waiting: VecDeque::new(), cookie, hello: Value::Null };
        client.hello = client.next();
        assert_eq!(client.hello["type"], "hello", "{}", client.hello);
        client
    }

    /// Who it is.
    pub fn id(&self) -> &str {
        self.hello["you"]["id"].as_str().unwrap()
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).unwrap();
    }

    /// Says something.
    pub fn say(&mut self, text: &str) {
        self.send(&json!({ "type": "say", "text": text }));
    }

    /// Says something when it may, and hears it.
    #[track_caller]
    pub fn said(&mut self, text: &str) -> Value {
        loop {
            self.say(text);
            let answer = self.answered(text);
            match answer["retry_after_ms"].as_u64() {
                Some(wait) => std::thread::sleep(Duration::from_millis(wait + 1)),
                None => return answer,
            }
        }
    }

    /// The message with this text, or an error.
    fn answered(&mut self, text: &str) -> Value {
        loop {
            let frame = self.next();
            if frame["type"] == "error" || frame["text"] == text {
                return frame;
            }
        }
    }

    /// The next frame.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        self.heard().unwrap_or_else(|code| panic!("closed: {code:?}"))
    }

    /// The next frame, or why there is none.
    #[track_caller]
    pub fn heard(&mut self) -> Result<Value, Option<CloseCode>> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Ok(frame);
            }
            match self.socket.read() {
                Ok(Message::Text(text)) => match serde_json::from_str(&text).unwrap() {
                    Value::Array(frames) => self.waiting.extend(frames),
                    frame => self.waiting.push_back(frame),
                },
                Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code)),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came in time")
                }
                Err(_) => return Err(None),
            }
        }
    }

    /// The next frame of a type; others are passed over.
    #[track_caller]
    pub fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next();
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The next message's text.
    #[track_caller]
    pub fn text(&mut self) -> String {
        self.until("message")["text"].as_str().unwrap().to_string()
    }

    /// The code of the next error.
    #[track_caller]
    pub fn refused(&mut self) -> String {
        self.until("error")["code"].as_str().unwrap().to_string()
    }

    /// With what the server closes.
    #[track_caller]
    pub fn closed(&mut self) -> Option<CloseCode> {
        loop {
            if let Err(code) = self.heard() {
                return code;
            }
        }
    }

    /// Leaves.
    pub fn leave(mut self) -> String {
        self.socket.close(None).unwrap();
        while self.socket.read().is_ok() {}
        self.cookie
    }
}

/// Waits until so many are in a room.
pub fn until_viewers(serve: &Serve, id: &str, count: u64) {
    wait_for("as many viewers", PATIENCE, || {
        let seen = Client::viewer(serve, id);
        let viewers = seen.hello["viewers"].as_u64().unwrap();
        seen.leave();
        if viewers == count + 1 { Ok(()) } else { Err(format!("{viewers}")) }
    });
}
