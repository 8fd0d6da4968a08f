//! What this machine can do: its ffmpeg, encoders, decoders, processors and screen, and how to install what is missing.

pub mod decoding;
pub mod encoders;
pub mod ffmpeg_fit;
pub mod install_line;
pub mod power;
pub mod remembered;
pub mod screen;
