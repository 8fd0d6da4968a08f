//! RTMP (Adobe's specification 1.0 of 2012, and Enhanced RTMP v2 of the Veovera group).

pub mod egress;
pub mod ingest;
pub mod server;
pub mod session;
pub mod wire;
