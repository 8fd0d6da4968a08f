//! Everything that describes one stream that is published: what a command line, a request body or a row of a database
//! says, in one value. What belongs to the machine (programs, folders, the server's address) is in the settings.

use super::encoding::{AudioBitrate, EncoderName, FrameRate, KeyframeInterval};
use super::{BFrames, Ladder, LeaveOut, Passthrough, Quality, Restart, Source, StreamKey};
use crate::base::next::Advice;
use crate::base::secret::redact_urls;
use crate::base::{Failure, Outcome};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A stream as somebody wants it. Holds secrets, and is serialised with them; [`PublishSpec::shown`] has none.
///
/// As JSON: `{"key": "cam", "source": {"url": "rtsp://camera/1"}}`; everything else has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishSpec {
    /// The stream.
    pub key: StreamKey,
    /// Where it comes from. The path of a file is relative to the working folder of whoever publishes.
    pub source: Source,
    /// Whether a source over HTTP may be opened, which may lead to any host.
    #[serde(default)]
    pub allow_http: bool,
    /// Send the source on as it is; how to encode is then without meaning.
    #[serde(default)]
    pub original: bool,
    /// Play a file once instead of repeating it.
    #[serde(default)]
    pub once: bool,
    /// The variants; `None` is the default ladder, fitted to the source.
    #[serde(default)]
    pub ladder: Option<Ladder>,
    /// The effort.
    #[serde(default)]
    pub quality: Quality,
    /// Which variants go where no effort keeps up.
    #[serde(default)]
    pub leave_out: LeaveOut,
    /// The encoder.
    #[serde(default)]
    pub encoder: EncoderName,
    /// The frame rate; `None` is the source's.
    #[serde(default)]
    pub fps: Option<FrameRate>,
    /// Time between keyframes.
    #[serde(default)]
    pub keyframe_interval: KeyframeInterval,
    /// Bitrate of the audio.
    #[serde(default)]
    pub audio_bitrate: AudioBitrate,
    /// Which sources may be copied into a variant that they fit.
    #[serde(default)]
    pub passthrough: Passthrough,
    /// What may have B-frames.
    #[serde(default)]
    pub b_frames: BFrames,
    /// When an ended ffmpeg is started again.
    #[serde(default)]
    pub restart: Restart,
    /// Arguments for ffmpeg's output, after all others.
    #[serde(default)]
    pub output_args: Vec<OutputArg>,
}

impl PublishSpec {
    /// A stream of which nothing is said but its key and its source.
    pub fn new(key: StreamKey, source: Source) -> PublishSpec {
        PublishSpec {
            key,
            source,
            allow_http: false,
            original: false,
            once: false,
            ladder: None,
            quality: Quality::default(),
            leave_out: LeaveOut::default(),
            encoder: EncoderName::default(),
            fps: None,
            keyframe_interval: KeyframeInterval::default(),
            audio_bitrate: AudioBitrate::default(),
            passthrough: Passthrough::default(),
            b_frames: BFrames::default(),
            restart: Restart::default(),
            output_args: Vec::new(),
        }
    }

    /// Makes sure that its parts fit each other.
    ///
    /// # Errors
    /// Usage: a source that leads to other hosts, without the word that it may.
    pub fn check(&self) -> Outcome<()> {
        match &self.source {
            Source::Url(url) if url.reaches_others() && !self.allow_http => Err(Failure::usage(format!(
                "cannot read {url}: {} is opened only by --allow-http",
                url.scheme()
            ))
            .why("what such a URL leads to (a playlist's segments and keys, redirects) may lie on any host")
            .hint(Advice::set("allow_http", ""))),
            _ => Ok(()),
        }
    }

    /// The same for people and files: as JSON, without secrets. It cannot be published any more where there were some,
    /// which is why it is no [`PublishSpec`].
    pub fn shown(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Source::Url(url) = &self.source {
            json["source"] = serde_json::json!({ "url": url.to_string() });
        }
        let args = self.output_args.iter().map(|arg| arg.shown().into());
        json["output_args"] = serde_json::Value::Array(args.collect());
        json
    }
}

/// An argument of ffmpeg; a URL in it may hold a password. As JSON its text, or its bytes where it is not UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct OutputArg(OsString);

impl OutputArg {
    /// The argument.
    pub fn reveal(&self) -> &OsStr {
        &self.0
    }

    /// For people: what is secret in URLs is masked.
    pub fn shown(&self) -> String {
        redact_urls(&self.0.to_string_lossy())
    }
}

impl From<OsString> for OutputArg {
    fn from(text: OsString) -> OutputArg {
        OutputArg(text)
    }
}

impl fmt::Debug for OutputArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

/// The two forms of an [`OutputArg`].
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for OutputArg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self.0.to_str() {
            Some(text) => Form::Text(text.to_string()),
            None => Form::Bytes(self.0.as_bytes().to_vec()),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OutputArg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OutputArg, D::Error> {
        let bytes = match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into_bytes(),
            Form::Bytes(bytes) => bytes,
        };
        match bytes.contains(&0) {
            true => Err(serde::de::Error::custom("an argument holds a zero byte")),
            false => Ok(OutputArg(OsString::from_vec(bytes))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use std::time::Duration;

    fn parsed(json: &str) -> Result<PublishSpec, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn key_and_source_are_enough() {
        let spec = parsed(r#"{"key": "cam", "source": {"url": "rtsp://camera/1"}}"#).unwrap();
        assert_eq!(
            spec,
            PublishSpec::new("cam".parse().unwrap(), Source::Url("rtsp://camera/1".parse().unwrap()))
        );
        assert_eq!(parsed(r#"{"key": "a", "source": "test"}"#).unwrap().source, Source::Test);
        let device = parsed(r#"{"key": "a", "source": {"device": {"video": "screen"}}}"#).unwrap();
        assert_eq!(device.source, Source::Device { video: "screen".into(), audio: None });
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_reason() {
        for (field, why) in [
            (r#""key": "a b""#, "a stream key may hold only"),
            (r#""fps": 0.5"#, "0.5 frames a second is outside 1 to 240"),
            (r#""keyframe_interval": "1ms""#, "1ms is outside 0.2s to 20s"),
            (r#""audio_bitrate": "loud""#, "'loud' is not a bitrate"),
            (r#""encoder": "-x""#, "'-x' is no encoder's name"),
            (r#""ladder": "720p""#, "item 1"),
            (r#""restart": "sometimes""#, "unknown variant `sometimes`"),
            (r#""source": {"url": "file:///etc/passwd"}"#, "it must begin with rtmp://"),
            (r#""source": {"device": {"video": "screen", "vidio": 1}}"#, "unknown field `vidio`"),
            (r#""output_args": ["a\u0000b"]"#, "an argument holds a zero byte"),
            (r#""colour": 1"#, "unknown field `colour`"),
        ] {
            let mut fields = vec![r#""key": "a""#, r#""source": "test""#];
            fields.retain(|has| has.split(':').next() != field.split(':').next());
            fields.push(field);
            let error = parsed(&format!("{{{}}}", fields.join(", "))).unwrap_err();
            assert!(error.contains(why), "{field}: {error}");
        }
        assert!(parsed(r#"{"source": "test"}"#).unwrap_err().contains("missing field `key`"));
    }

    #[test]
    fn http_needs_a_word() {
        let spec = |more: &str| {
            parsed(&format!(r#"{{"key": "a", "source": {{"url": "https://host/live.m3u8"}}{more}}}"#))
                .unwrap()
        };
        assert!(spec("").check().unwrap_err().what().contains("https is opened only by --allow-http"));
        assert_eq!(spec(r#", "allow_http": true"#).check(), Ok(()));
    }

    #[test]
    fn nothing_that_is_shown_holds_a_secret() {
        let text = r#"{"key": "a", "source": {"url": "rtmp://u:hunter2@h/live/x?token=hunter2"},
            "output_args": ["-f", "flv", "rtmp://u:hunter2@h/live/y"]}"#;
        let spec = parsed(text).unwrap();
        for shown in [spec.shown().to_string(), format!("{spec:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(spec.shown()["source"]["url"], "rtmp://***@h/live/x?***");
        assert_eq!(spec.shown()["restart"], "on-failure");
    }

    fn sources() -> impl Strategy<Value = Source> {
        prop_oneof![
            "[a-zа-я /.]{1,12}".prop_map(|path| Source::File(path.into())),
            ("[a-z:/0-9]{1,9}", proptest::option::of("[a-z:]{1,9}"))
                .prop_map(|(video, audio)| Source::Device { video, audio }),
            select(vec![
                "rtmp://u:p@h/live/x?t=1",
                "srt://h:9000?streamid=a",
                "https://h/a.m3u8",
                "rtsp://[::1]/x"
            ])
            .prop_map(|url| Source::Url(url.parse().unwrap())),
            Just(Source::Test),
        ]
    }

    proptest! {
        #[test]
        fn every_spec_comes_back_from_json(
            key in "[a-z0-9][a-z0-9_-]{2,12}",
            source in sources(),
            flags in any::<[bool; 3]>(),
            ladder in proptest::option::of(select(vec![crate::model::ladder::DEFAULT, "a:300k:426:240"])),
            fps in proptest::option::of(1.0..=240.0f64),
            interval_ns in 200_000_000u64..=20_000_000_000,
            bps in 16_000u64..=200_000_000,
            encoder in "[a-z0-9_]{1,40}",
            quality in select(vec![Quality::Auto, Quality::Fastest, Quality::Best]),
            restart in select(vec![Restart::OnFailure, Restart::Always, Restart::No]),
            args in proptest::collection::vec(proptest::collection::vec(1u8..=255, 0..9), 0..4),
        ) {
            let spec = PublishSpec {
                allow_http: flags[0],
                original: flags[1],
                once: flags[2],
                ladder: ladder.map(|text| text.parse().unwrap()),
                quality,
                encoder: encoder.parse().unwrap(),
                fps: fps.map(|fps| fps.try_into().unwrap()),
                keyframe_interval: format!("{}s", Duration::from_nanos(interval_ns).as_secs_f64()).parse().unwrap(),
                audio_bitrate: bps.to_string().parse().unwrap(),
                restart,
                output_args: args.into_iter().map(|arg| OsString::from_vec(arg).into()).collect(),
                ..PublishSpec::new(key.parse().unwrap(), source)
            };
            let json = serde_json::to_string(&spec).unwrap();
            prop_assert_eq!(serde_json::from_str::<PublishSpec>(&json).unwrap(), spec);
        }
    }
}
