//! Floor 2: child processes, locks and the supervisor. Knows neither ffmpeg nor a protocol.

pub mod identity;
pub mod locate;
pub mod pid_file;
pub mod run_record;
pub mod spawn;
pub mod stream_lock;
pub mod sys;
