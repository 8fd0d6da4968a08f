//! Floor 2: what was asked for, from every layer: flag > `MSCONV_*` environment > `./msconv.toml` > the user's file >
//! `/etc/msconv/config.toml` > default. The only module that reads the environment.

pub mod admission;
pub mod choices;
pub mod environment;
pub mod from_file;
pub mod hls;
pub mod keys;
pub mod layers;
pub mod paths;
pub mod resolved;
mod resolver;
mod resolving;
mod secret_file;
pub mod serve;
pub mod template;
mod values;

pub use environment::Environment;
pub use layers::{Layer, Origin};
pub use paths::Paths;
pub use resolved::Settings;
pub use serve::Serve;
