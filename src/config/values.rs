//! Values of settings out of their text.

use super::choices::{Color, Protocol};
use crate::model::{BFrames, LeaveOut, Passthrough, Quality, Restart};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(super) const COLORS: [(&str, Color); 3] =
    [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
pub(super) const QUALITIES: [(&str, Quality); 5] = [
    ("auto", Quality::Auto),
    ("fastest", Quality::Fastest),
    ("fast", Quality::Fast),
    ("balanced", Quality::Balanced),
    ("best", Quality::Best),
];
pub(super) const LEAVE_OUT: [(&str, LeaveOut); 3] =
    [("top", LeaveOut::Top), ("bottom", LeaveOut::Bottom), ("none", LeaveOut::None)];
pub(super) const PASSTHROUGHS: [(&str, Passthrough); 3] =
    [("auto", Passthrough::Auto), ("always", Passthrough::Always), ("never", Passthrough::Never)];
pub(super) const RESTARTS: [(&str, Restart); 3] =
    [("on-failure", Restart::OnFailure), ("always", Restart::Always), ("no", Restart::No)];
pub(super) const PROTOCOLS: [(&str, Protocol); 4] = [
    ("rtsp", Protocol::Rtsp),
    ("rtmp", Protocol::Rtmp),
    ("hls", Protocol::Hls),
    ("webrtc", Protocol::WebRtc),
];

pub(super) fn absolute(path: &Path, base: &Path) -> PathBuf {
    let joined = base.join(path);
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

pub(super) fn b_frames(text: &str) -> Result<BFrames, String> {
    match (text.to_ascii_lowercase().as_str(), truth(text)) {
        ("auto", _) => Ok(BFrames::Auto),
        (_, Ok(true)) => Ok(BFrames::Allowed),
        (_, Ok(false)) => Ok(BFrames::Never),
        _ => Err(format!("'{text}' is not one of true, false, auto")),
    }
}

pub(super) fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            format!("'{text}' is not one of {}", words.join(", "))
        })
    }
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no address with a port, as 127.0.0.1:9781 or [::1]:9781"))
}

/// A text that is parsed as its type says.
pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}
