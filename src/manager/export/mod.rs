//! What others shall run for us, written in their forms: units of systemd.

pub mod systemd;
mod unit_text;
