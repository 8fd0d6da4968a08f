//! The API: `/api/v1`.

pub mod chat;
