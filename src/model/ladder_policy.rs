//! What ladder the server makes of what others publish: none, the usual one, or these rungs.

use super::ladder::{self, Ladder};
use std::fmt;
use std::str::FromStr;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LadderPolicy {
    /// None.
    #[default]
    Off,
    /// The one that `publish` makes: as the settings say, and as this machine carries it.
    Auto,
    /// These rungs.
    Rungs(Ladder),
}

impl FromStr for LadderPolicy {
    type Err = ladder::Error;

    fn from_str(text: &str) -> Result<LadderPolicy, ladder::Error> {
        Ok(match text {
            "off" => LadderPolicy::Off,
            "auto" => LadderPolicy::Auto,
            rungs => LadderPolicy::Rungs(rungs.parse()?),
        })
    }
}

impl fmt::Display for LadderPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LadderPolicy::Off => f.write_str("off"),
            LadderPolicy::Auto => f.write_str("auto"),
            LadderPolicy::Rungs(rungs) => rungs.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["off", "auto", "720p:2500k:1280:720,360p:600k:640:360"] {
            assert_eq!(text.parse::<LadderPolicy>().unwrap().to_string(), text);
        }
        assert!("on".parse::<LadderPolicy>().is_err());
        assert_eq!(LadderPolicy::default(), LadderPolicy::Off);
    }
}
