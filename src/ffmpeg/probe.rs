//! stub
use crate::base::{CommandLine, command_line::file_url};
use crate::model::Source;
use std::path::Path;
#[derive(Clone, Debug, Default)]
pub struct VideoTrack {
    pub width: u32,
    pub height: u32,
    pub codec: String,
    pub fps: f64,
}
#[derive(Clone, Debug, Default)]
pub struct AudioTrack {
    pub codec: String,
}
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub video: Option<VideoTrack>,
    pub audio: Option<AudioTrack>,
    pub format: String,
}
#[derive(Debug)]
pub struct ProbeError(String);
impl std::fmt::Display for ProbeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl Report {
    pub fn test_picture() -> Report {
        Report::default()
    }
    pub fn summary(&self) -> String {
        let v =
            self.video.as_ref().map(|v| format!("{} {}x{}", v.codec, v.width, v.height)).unwrap_or_default();
        format!("{v}, {}", self.audio.as_ref().map_or("no sound", |a| a.codec.as_str()))
    }
}
pub fn command(ffprobe: &Path, source: &Source) -> CommandLine {
    let mut c = CommandLine::new(ffprobe);
    c.args(["-v", "error", "-show_streams", "-show_format", "-of", "json"]);
    match source {
        Source::File(p) => {
            c.arg("-i").arg(file_url(p));
        }
        Source::Url(u) => {
            c.arg("-rw_timeout").arg("10000000").arg("-i").arg(u.reveal());
        }
        _ => {}
    }
    c
}
pub fn parse(json: &[u8]) -> Result<Report, ProbeError> {
    let v: serde_json::Value = serde_json::from_slice(json).map_err(|e| ProbeError(e.to_string()))?;
    let mut r =
        Report { format: v["format"]["format_name"].as_str().unwrap_or("").into(), ..Default::default() };
    for s in v["streams"].as_array().into_iter().flatten() {
        let codec = s["codec_name"].as_str().unwrap_or("").to_string();
        match s["codec_type"].as_str() {
            Some("video") => {
                r.video = Some(VideoTrack {
                    width: s["width"].as_u64().unwrap_or(0) as u32,
                    height: s["height"].as_u64().unwrap_or(0) as u32,
                    codec,
                    fps: 25.0,
                })
            }
            Some("audio") => r.audio = Some(AudioTrack { codec }),
            _ => {}
        }
    }
    Ok(r)
}
