//! How renditions reach the server: each through a queue of its own, so that a server that freezes, refuses or drops
//! one of them costs the others not a single frame, and a lost one comes back by itself.
//!
//! Measured with nginx-rtmp: four renditions through one `tee` with a queue for each. Dropping one by `/control`,
//! freezing the server for 20 s, starting it late: all are on the air again within 1.2 s of the cure, and a rendition
//! that was not touched misses no frame. `tee` rather than four outputs with `-f fifo`, because only so the audio is
//! encoded once.
//!
//! With a server that has been frozen for long one SIGTERM ends ffmpeg only after its queues have been tried to the
//! end, half a minute; a second one, 0.3 s later, ends it at once. In every other state,
//! with the server gone altogether too, the first one takes under 1.3 s.

use super::tee::{self, Slave};
use crate::base::command_line::Argument;
use crate::model::{RenditionName, RtmpUrl};

/// A write that hangs for this long is given up and the connection made anew, in microseconds.
const PATIENCE_US: u32 = 4_000_000;
/// What a queue holds, in seconds: longer than [`PATIENCE_US`], so that a short freeze loses nothing.
const QUEUE_SECONDS: f64 = 5.0;
/// Smallest queue in packets; ffmpeg's own default of 60 is not a second of video and audio.
const SMALLEST_QUEUE: f64 = 150.0;

/// What the packets of an output look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Frames a second; 0 without video.
    pub video: f64,
    /// Audio packets a second; 0 without audio.
    pub audio: f64,
}

impl Flow {
    fn queue(self) -> String {
        let packets = ((self.video + self.audio) * QUEUE_SECONDS).clamp(SMALLEST_QUEUE, 20_000.0);
        format!("{}", packets.ceil() as u32)
    }
}

/// One rendition and the tracks it is made of.
#[derive(Clone, Debug)]
pub struct Delivered<'a> {
    /// Its name on the server.
    pub name: &'a RenditionName,
    /// ffmpeg's choice of tracks: `v:0,a:0`.
    pub select: String,
}

/// `-f tee` and its argument: every rendition over its own connection.
pub fn tee(renditions: &[Delivered<'_>], endpoint: &RtmpUrl, flow: Flow) -> Vec<Argument> {
    let text = |reveal: bool| {
        let slaves: Vec<Slave> = renditions.iter().map(|r| slave(r, endpoint, flow, reveal)).collect();
        tee::argument(&slaves)
    };
    vec!["-f".into(), "tee".into(), secret(endpoint, text(true), text(false))]
}

fn slave(rendition: &Delivered<'_>, endpoint: &RtmpUrl, flow: Flow, reveal: bool) -> Slave {
    let name = rendition.name.as_str();
    Slave {
        options: vec![
            ("select", rendition.select.clone()),
            ("f", "flv".into()),
            // A live stream has neither length nor end to write back into a header.
            ("flvflags", "no_duration_filesize".into()),
            ("rw_timeout", PATIENCE_US.to_string()),
            ("onfail", "ignore".into()),
            ("use_fifo", "1".into()),
            ("fifo_options", tee::options(&[&queue_options(flow)[..], &[passed_on()]].concat())),
        ],
        url: if reveal { endpoint.name_url(name) } else { endpoint.shown_name_url(name) },
    }
}

fn queue_options(flow: Flow) -> Vec<(&'static str, String)> {
    vec![
        ("queue_size", flow.queue()),
        ("drop_pkts_on_overflow", "1".into()),
        ("attempt_recovery", "1".into()),
        ("recover_any_error", "1".into()),
        ("recovery_wait_time", "1".into()),
        ("restart_with_keyframe", "1".into()),
    ]
}

/// What comes to a queue of the tee has been put in order before it. Without this the queue would wait another 10 s for a
/// track that is away.
fn passed_on() -> (&'static str, String) {
    ("max_interleave_delta", "100000".into())
}

/// `-f fifo` and the URL: one rendition alone, for tracks that are copied.
pub fn fifo(name: &RenditionName, endpoint: &RtmpUrl, flow: Flow) -> Vec<Argument> {
    let mut args: Vec<Argument> = vec!["-f".into(), "fifo".into(), "-fifo_format".into(), "flv".into()];
    args.push("-format_opts".into());
    args.push(format!("flvflags=no_duration_filesize:rw_timeout={PATIENCE_US}").into());
    for (option, value) in queue_options(flow) {
        args.push(format!("-{option}").into());
        args.push(value.into());
    }
    let name = name.as_str();
    args.push(secret(endpoint, endpoint.name_url(name), endpoint.shown_name_url(name)));
    args
}

fn secret(endpoint: &RtmpUrl, text: String, shown: String) -> Argument {
    if endpoint.has_secrets() { Argument::masked(text, shown) } else { Argument::plain(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_what_is_shown() {
        let endpoint: RtmpUrl = "rtmp://u:pw@h/live?token=1".parse().unwrap();
        let key = "k".parse().unwrap();
        let name = RenditionName::new(&key, &crate::model::Rendition::Original);
        let flow = Flow { video: 30.0, audio: 46.9 };
        for args in [
            fifo(&name, &endpoint, flow),
            tee(&[Delivered { name: &name, select: "v:0".into() }], &endpoint, flow),
        ] {
            let last = args.last().unwrap();
            assert!(last.text().to_str().unwrap().ends_with("rtmp://u:pw@h/live/k?token=1"));
            assert!(last.shown().ends_with("rtmp://***@h/live/k?***"));
        }
    }

    #[test]
    fn queues_hold_seconds() {
        assert_eq!(Flow { video: 30.0, audio: 46.875 }.queue(), "385");
        assert_eq!(Flow { video: 1.0, audio: 0.0 }.queue(), "150");
    }
}
