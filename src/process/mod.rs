//! Floor 2: child processes, locks and the supervisor. Knows neither ffmpeg nor a protocol.

pub mod blocking;
pub mod budget;
pub mod child_log;
pub mod cpu;
pub mod device_users;
pub mod identity;
pub mod index;
pub mod listener;
pub mod load;
pub mod locate;
pub mod notify;
pub mod pid_file;
pub mod player_run;
pub mod reading;
pub mod restart;
pub mod run_record;
pub mod server;
pub mod sockets;
pub mod spawn;
pub mod stream_lock;
pub mod stream_place;
pub mod supervisor;
pub mod sys;
pub mod talk;
pub mod watchdog;
pub mod yielding;
