//! Floor 6: the use cases, called by the command line and later by REST. No terminal, no HTTP of its own.

mod decoding;
pub mod devices;
pub mod doctor;
pub mod encoders;
pub mod export;
pub mod exporter;
pub mod install_line;
pub mod list;
mod listed_urls;
pub mod logs;
pub mod mediamtx_advice;
pub mod merge;
pub mod ours;
pub mod owners;
pub mod play;
pub mod power;
pub mod preflight;
pub mod publish;
pub mod remembered;
mod replanning;
pub mod samples;
pub mod servers;
pub mod source;
pub mod status;
pub mod stop;
pub mod stream_facts;
pub mod supervise;
