//! Where a registered stream comes from, if msconv publishes it.

use crate::model::endpoint::SourceUrl;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest path, device name or address, in characters.
const LONGEST: usize = 1024;

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// A file on the server's machine, repeated without end.
    File {
        /// Its absolute path.
        path: PathBuf,
        /// Whether it is played once instead.
        #[serde(default)]
        once: bool,
    },
    /// A capture device of the server's machine, named as `publish -d` has it.
    Device {
        /// The video's.
        device: String,
        /// The audio's.
        #[serde(default)]
        audio_device: Option<String>,
    },
    /// A test picture with clock and tone.
    Test,
    /// A live stream that another machine serves.
    Pull {
        /// Its address, whose secrets are shown to nobody.
        url: SourceUrl,
    },
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What is published.
    #[serde(flatten)]
    pub origin: Origin,
    /// When it was switched on, milliseconds since 1970; nothing while it is off.
    #[serde(default)]
    pub started_ms: Option<i64>,
}

impl Origin {
    /// What of it cannot be taken.
    ///
    /// # Errors
    /// Why.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Origin::File { path, .. } => file_fits(path),
            Origin::Device { device, audio_device } => [Some(device), audio_device.as_ref()]
                .into_iter()
                .flatten()
                .try_for_each(|name| device_fits(name)),
            Origin::Test => Ok(()),
            Origin::Pull { url } if url.reaches_others() => {
                Err("http and https may lead to any other host; msconv publish --allow-http takes them"
                    .into())
            }
            Origin::Pull { url } => fits(&url.reveal()),
        }
    }
}

fn file_fits(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("the path of a file is absolute".into());
    }
    fits(&path.to_string_lossy())
}

fn device_fits(name: &str) -> Result<(), String> {
    if name.is_empty() || name.starts_with('-') {
        return Err("a device has a name, such as /dev/video0 or screen".into());
    }
    fits(name)
}

fn fits(text: &str) -> Result<(), String> {
    if text.chars().count() > LONGEST {
        return Err(format!("it has at most {LONGEST} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character".into());
    }
    Ok(())
}

/// Without secrets.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, .. } => write!(f, "{}", path.display()),
            Origin::Device { device, .. } => f.write_str(device),
            Origin::Test => f.write_str("test picture"),
            Origin::Pull { url } => write!(f, "{url}"),
        }
    }
}

impl Source {
    /// As it is stored: JSON, nothing for none. Secrets of an address stand in it.
    pub fn stored(source: Option<&Source>) -> String {
        source.and_then(|source| serde_json::to_string(source).ok()).unwrap_or_default()
    }

    /// Of what is stored; what a later version wrote is none here.
    pub fn of_stored(text: &str) -> Option<Source> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_as_it_is_read() {
        let origins = [
            Origin::File { path: "/films/a b.mp4".into(), once: true },
            Origin::Device { device: "/dev/video0".into(), audio_device: Some("hw:1".into()) },
            Origin::Test,
            Origin::Pull { url: "rtsp://me:secret@cam.local/front".parse().unwrap() },
        ];
        for origin in origins {
            assert_eq!(origin.check(), Ok(()));
            assert!(!origin.to_string().contains("secret"), "{origin}");
            for started_ms in [None, Some(5)] {
                let source = Source { origin: origin.clone(), started_ms };
                assert_eq!(Source::of_stored(&Source::stored(Some(&source))), Some(source));
            }
        }
        assert_eq!((Source::stored(None).as_str(), Source::of_stored("")), ("", None));
        assert_eq!(Source::of_stored(r#"{"type":"satellite"}"#), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let device = |name: &str| Origin::Device { device: name.into(), audio_device: None };
        let pull = |url: &str| Origin::Pull { url: url.parse().unwrap() };
        let file = |path: &str| Origin::File { path: path.into(), once: false };
        let long = format!("/{}", "a".repeat(LONGEST));
        for origin in
            [device(""), device("-f"), device("a\nb"), pull("http://a/b.m3u8"), file("a.mp4"), file(&long)]
        {
            assert!(origin.check().is_err(), "{origin:?}");
        }
    }
}
