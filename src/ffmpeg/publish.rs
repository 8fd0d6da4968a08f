//! stub
use super::{capability::Capability, encoder::Quality, probe::Report};
use crate::base::{CommandLine, Outcome, command_line::file_url};
use crate::model::{Ladder, Rendition, RenditionName, RtmpUrl, Source, StreamKey};
use std::{ffi::OsString, path::Path, time::Duration};
#[derive(Clone, Debug)]
pub struct Request {
    pub key: StreamKey,
    pub source: Source,
    pub original: bool,
    pub ladder: Option<Ladder>,
    pub once: bool,
    pub quality: Quality,
    pub encoder: String,
    pub fps: Option<f64>,
    pub keyframe_interval: Duration,
    pub audio_bitrate_bps: u64,
    pub output_args: Vec<OsString>,
    pub endpoint: RtmpUrl,
}
#[derive(Clone, Debug)]
pub struct PlannedRendition {
    pub rendition: Rendition,
    pub name: RenditionName,
    pub size: (u32, u32),
    pub bitrate_bps: u64,
}
#[derive(Clone, Debug)]
pub struct Plan {
    pub renditions: Vec<PlannedRendition>,
    pub summary: String,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    source: Source,
    base: RtmpUrl,
    once: bool,
    original: bool,
}
pub fn plan(request: &Request, _report: &Report, _c: &Capability) -> Outcome<Plan> {
    let mut renditions = vec![];
    if request.original {
        renditions.push(PlannedRendition {
            rendition: Rendition::Original,
            name: RenditionName::new(&request.key, &Rendition::Original),
            size: (1, 1),
            bitrate_bps: 0,
        });
    } else {
        for r in request.ladder.clone().unwrap_or_default().rungs() {
            let rendition = Rendition::Rung(r.label.clone());
            renditions.push(PlannedRendition {
                name: RenditionName::new(&request.key, &rendition),
                rendition,
                size: (r.width, r.height),
                bitrate_bps: r.bitrate_bps,
            });
        }
    }
    Ok(Plan {
        summary: format!("in {} variants with x264", renditions.len()),
        renditions,
        notes: vec![],
        warnings: vec![],
        source: request.source.clone(),
        base: request.endpoint.clone(),
        once: request.once,
        original: request.original,
    })
}
impl Plan {
    pub fn command_line(&self, ffmpeg: &Path, _p: Option<i32>) -> CommandLine {
        let mut c = CommandLine::new(ffmpeg);
        c.args([
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "level+warning",
            "-nostats",
            "-progress",
            "pipe:1",
            "-stats_period",
            "1",
            "-re",
        ]);
        if !self.once {
            c.args(["-stream_loop", "-1"]);
        }
        if let Source::File(p) = &self.source {
            c.arg("-i").arg(file_url(p));
        }
        if let Source::Url(u) = &self.source {
            c.args(["-rw_timeout", "10000000"]).arg("-i").arg(u.reveal());
        }
        if self.original {
            c.args(["-c", "copy", "-map", "0:v", "-map", "0:a?"]);
        } else {
            let n = self.renditions.len();
            let mut g = format!("[0:v:0]split={n}");
            for i in 0..n {
                g.push_str(&format!("[s{i}]"));
            }
            for (i, r) in self.renditions.iter().enumerate() {
                g.push_str(&format!(";[s{i}]scale={}:{},setsar=1,format=yuv420p[v{i}]", r.size.0, r.size.1));
            }
            c.arg("-filter_complex").arg(g);
            for i in 0..n {
                c.arg("-map").arg(format!("[v{i}]"));
            }
            c.args([
                "-map",
                "0:a?",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-crf",
                "30",
                "-force_key_frames",
                "expr:gte(t,n_forced*2)",
                "-sc_threshold",
                "0",
                "-c:a",
                "aac",
                "-b:a",
                "128k",
                "-ac",
                "2",
            ]);
        }
        c.args(["-flags", "+global_header", "-f", "tee"]);
        let fo = "attempt_recovery=1\\\\:recover_any_error=1\\\\:recovery_wait_time=1\\\\:drop_pkts_on_overflow=1\\\\:restart_with_keyframe=1\\\\:queue_size=1024";
        let t = self.renditions.iter().enumerate().map(|(i, r)| format!("[select=\\'v:{i},a\\':f=flv:onfail=ignore:use_fifo=1:fifo_options={fo}:rw_timeout=10000000]{}", self.base.name_url(r.name.as_str()))).collect::<Vec<_>>().join("|");
        c.arg(t);
        c
    }
}
