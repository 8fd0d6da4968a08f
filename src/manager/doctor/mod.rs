//! `doctor`: looks at everything a publish and a viewing need, and says for each thing whether it is right and what
//! to do if not.

pub mod ffmpeg_fit;

pub use ffmpeg_fit::{FfmpegFound, fit_ffmpeg};
