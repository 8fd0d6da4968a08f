//! WebSockets (RFC 6455) from the server's end, without I/O: how one is asked for, what its clients send, and frames that are
//! made once for all who get them.

mod frame;
mod handshake;
mod reader;

pub use frame::{CloseCode, TextFrame, close, ping, pong};
pub use handshake::{Asked, Unfit};
pub use reader::{Incoming, Reader, Wrong};
