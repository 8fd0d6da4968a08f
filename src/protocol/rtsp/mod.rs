//! RTSP 1.0 (RFC 2326) with RTP over TCP and UDP: reading and publishing.

pub mod egress;
pub mod server;
pub mod session;
pub mod udp;
pub mod wire;
