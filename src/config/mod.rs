//! Floor 2: what was asked for, from every layer: flag > `MSCONV_*` environment > `./msconv.toml` > the user's file >
//! `/etc/msconv/config.toml` > default. The only module that reads the environment.

pub mod environment;
pub mod keys;
pub mod layers;
pub mod paths;
pub mod resolved;
pub mod serve;
pub mod template;

pub use environment::Environment;
pub use layers::{Layer, Origin};
pub use paths::Paths;
pub use resolved::Settings;
pub use serve::Serve;
