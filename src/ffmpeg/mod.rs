//! Floor 2, pure: what to ask of ffmpeg and how to read its answers. Never starts it.

pub mod capability;
pub mod diagnosis;
pub mod encoder;
pub mod probe;
pub mod progress;
pub mod publish;
