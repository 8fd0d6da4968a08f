//! Bounds of the protocol.

/// The name of the WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "msconv.chat.v1";
/// The most bytes of a frame or body of a client.
pub const FRAME_BYTES: usize = 4 << 10;
/// The most characters of a message.
pub const MAX_CHARS: u32 = 500;
/// The messages that a viewer gets when he comes.
pub const SHOWN: usize = 50;
