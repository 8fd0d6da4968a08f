//! The control endpoints: what nginx-rtmp and MediaMTX would answer, written from a [`View`](super::view::View). Pure, but
//! for `http`, which carries them.

pub mod answer;
pub mod api;
pub mod client_items;
pub mod http;
pub mod items;
pub mod kinds;
pub mod listing;
pub mod metrics;
pub mod own;
pub mod permission;
pub mod stat;
