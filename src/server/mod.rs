//! The embedded server: listeners, the hub, the protocols and the control faces, put together.

pub mod face;
pub mod view;
