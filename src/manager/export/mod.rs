//! Units for service managers: systemd.

pub mod systemd;
mod unit_text;
