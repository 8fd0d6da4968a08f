//! Floor 2, pure: what to ask of ffmpeg and how to read its answers. Never starts it.

pub mod capability;
