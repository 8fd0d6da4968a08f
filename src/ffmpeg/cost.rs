//! What a publish costs in CPU time, worked out beforehand: from the pixels that are decoded, scaled and encoded, and from
//! how fast this machine is. Pure; the numbers are measured.
//!
//! Measured with ffmpeg 5.1.9 on 1080p film: each step alone, user and system time, divided by the millions of
//! pixels that pass it. What a film costs depends on what is in it, by a third to either side; whoever decides by these
//! figures keeps some room, and watches.

use super::encoder::Making;
use super::ladder_plan::PlannedRung;
use super::report::{Report, Transfer, VideoTrack};
use crate::base::CommandLine;
use crate::model::Quality;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Milliseconds for a million pixels of decoded H.264.
const DECODE: f64 = 5.8;
/// The same for frames that are deinterlaced, mapped from HDR, scaled by zscale or by swscale.
const DEINTERLACE: f64 = 9.0;
const TONE_MAP: f64 = 55.0;
const ZSCALE: f64 = 1.5;
const SWSCALE: f64 = 5.0;
/// Audio, queues and the rest, CPU-seconds a second.
const REST: f64 = 0.03;
/// What is left of the encoder's work where a card does it.
const HARDWARE: f64 = 0.15;
/// CPU-seconds of [`calibration`] on the machine on which all of this was measured.
const REFERENCE: f64 = 0.27;
/// Size and frames of the calibration.
const TRIAL: &str = "testsrc2=size=1280x720:rate=24:duration=1,format=yuv420p";

/// What a machine can give to a new stream, in CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// CPU time of this machine for a second of the one that the figures are from.
    pub slowness: f64,
    /// CPUs that are free for this stream right now, room for surprises taken off.
    pub free: f64,
    /// CPUs that it could get if what others do were over, at least as many: what others do now is no reason to leave
    /// variants out for good.
    pub most: f64,
}

/// The command that shows how fast this machine encodes; a quarter of a second.
pub fn calibration(ffmpeg: &Path) -> CommandLine {
    let mut command = CommandLine::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "info", "-nostats", "-benchmark"]);
    command.args(["-f", "lavfi", "-i", TRIAL, "-c:v", "libx264", "-preset", "veryfast", "-f", "null", "-"]);
    command
}

/// How slow the machine is by what [`calibration`] wrote on standard error: 1.0 as fast as the reference, 2.0 half as
/// fast; `None` if it does not say. Between 0.05 and 50.
pub fn slowness(said: &str) -> Option<f64> {
    let line = said.lines().rev().find_map(|line| line.split_once("bench: utime=").map(|(_, rest)| rest))?;
    let seconds =
        |text: &str| text.trim_end_matches('s').parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
    let mut words = line.split_ascii_whitespace();
    let user = seconds(words.next()?)?;
    let system = words.next()?.strip_prefix("stime=").and_then(seconds)?;
    Some(((user + system) / REFERENCE).clamp(0.05, 50.0))
}

/// What is encoded, for [`estimate`].
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The source.
    pub report: &'a Report,
    /// The rungs and how each is made.
    pub rungs: &'a [PlannedRung],
    /// See `rungs`.
    pub making: &'a [Making],
    /// Frames a second.
    pub rate: f64,
    /// Whether zscale is there.
    pub zscale: bool,
}

/// CPU-seconds a second on the reference machine.
pub fn estimate(work: &Work<'_>, quality: Quality) -> f64 {
    let Some(video) = &work.report.video else { return REST };
    if work.making.iter().all(|making| *making == Making::Copied) {
        return REST;
    }
    let pixels = |width: u32, height: u32| f64::from(width) * f64::from(height) / 1e6;
    let source = pixels(video.coded_width, video.coded_height);
    let own_rate = video.timing.constant().map_or(work.rate, |rate| rate.value());
    let mut ms = 1000.0 * decoding(video, work.rate);
    if video.interlaced {
        ms += source * own_rate * DEINTERLACE;
    }
    let largest = work.rungs.iter().map(|r| pixels(r.size.0, r.size.1)).fold(0.0, f64::max);
    if video.transfer != Transfer::Sdr {
        ms += largest * work.rate * if work.zscale { TONE_MAP } else { 0.0 };
    }
    for (rung, making) in work.rungs.iter().zip(work.making) {
        let Making::Encoded(encoder) = making else { continue };
        let own = pixels(rung.size.0, rung.size.1);
        if rung.size != (video.coded_width, video.coded_height) {
            ms += own * work.rate * if work.zscale { ZSCALE } else { SWSCALE };
        }
        let share = if encoder.in_hardware() { HARDWARE } else { 1.0 };
        ms += own * work.rate * encoding(quality, own) * share;
    }
    ms / 1000.0 + REST
}

/// CPU-seconds a second on the reference machine for decoding alone; `rate` is for a picture that does not tell its own.
pub fn decoding(video: &VideoTrack, rate: f64) -> f64 {
    let pixels = f64::from(video.coded_width) * f64::from(video.coded_height) / 1e6;
    let own_rate = video.timing.constant().map_or(rate, |rate| rate.value());
    pixels * own_rate * DECODE * codec(&video.codec, video.bit_depth) / 1000.0
}

/// How much dearer than 8 bit H.264 a codec is to decode.
fn codec(name: &str, bit_depth: u8) -> f64 {
    let by_name = match name {
        "hevc" | "vp9" => 1.4,
        "av1" => 1.7,
        "mpeg2video" | "mpeg4" | "mjpeg" | "mpeg1video" => 0.6,
        "rawvideo" => 0.1,
        _ => 1.0,
    };
    if bit_depth > 8 { by_name * 1.4 } else { by_name }
}

/// Milliseconds for a million pixels; small frames are encoded with more care.
fn encoding(quality: Quality, megapixels: f64) -> f64 {
    let small = megapixels <= 0.24;
    match (quality, small) {
        (Quality::Fastest, _) => 5.2,
        (Quality::Auto | Quality::Fast, false) => 7.0,
        (Quality::Auto | Quality::Fast, true) => 9.4,
        (Quality::Balanced, false) => 9.8,
        (Quality::Balanced, true) => 10.7,
        (Quality::Best, _) => 28.0,
    }
}

/// The efforts, most work first.
pub const EFFORTS: [Quality; 4] = [Quality::Best, Quality::Balanced, Quality::Fast, Quality::Fastest];

/// The best effort that keeps up; `None` if none does. The dearest is taken only where as much is left for others, and
/// has little to give to a card.
pub fn best_that_keeps_up(work: &Work<'_>, power: Power) -> Option<Quality> {
    let card = work.making.iter().filter_map(Making::encoder).any(super::encoder::Encoder::in_hardware);
    EFFORTS.into_iter().filter(|quality| !(card && *quality == Quality::Best)).find(|quality| {
        let room = if *quality == Quality::Best { power.free / 2.0 } else { power.free };
        estimate(work, *quality) * power.slowness <= room
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::encoder::Encoder;
    use crate::ffmpeg::frame_rate::{Rate, Timing};
    use crate::ffmpeg::ladder_plan;
    use crate::ffmpeg::report::VideoTrack;

    fn film() -> Report {
        let rate = Rate::new(24, 1);
        let timing = Timing { average: rate, real: rate, interlaced: false };
        let video = VideoTrack {
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            coded_width: 1920,
            coded_height: 1080,
            timing,
            ..VideoTrack::default()
        };
        Report { video: Some(video), ..Report::default() }
    }

    #[test]
    fn a_film_costs_what_was_measured() {
        let (report, rungs) = (film(), ladder_plan::choose((1920, 1080), None).rungs);
        let x264 = vec![Making::Encoded(Encoder::named("x264")); 4];
        let of = |making: &[Making], quality| {
            estimate(&Work { report: &report, rungs: &rungs, making, rate: 24.0, zscale: true }, quality)
        };
        // CPU-seconds for a second of the film, each step measured alone and added.
        for (quality, measured) in [
            (Quality::Fastest, 0.80),
            (Quality::Fast, 1.00),
            (Quality::Balanced, 1.29),
            (Quality::Best, 2.71),
        ] {
            let cost = of(&x264, quality);
            assert!((cost / measured - 1.0).abs() < 0.12, "{quality:?}: {cost:.2} {measured}");
        }
        let mut copied = x264;
        copied[0] = Making::Copied;
        assert!(of(&copied, Quality::Fast) < 0.7 * 1.03);
        copied.fill(Making::Copied);
        assert!(of(&copied, Quality::Best) < 0.05);
        let card = vec![Making::Encoded(Encoder::named("nvenc")); 4];
        assert!(of(&card, Quality::Balanced) < 0.7);
    }

    #[test]
    fn the_best_that_keeps_up_is_taken() {
        let (report, rungs) = (film(), ladder_plan::choose((1920, 1080), None).rungs);
        let making = vec![Making::Encoded(Encoder::named("x264")); 4];
        let work = Work { report: &report, rungs: &rungs, making: &making, rate: 24.0, zscale: true };
        let best = |slowness, free| best_that_keeps_up(&work, Power { slowness, free, most: free });
        assert_eq!(best(1.0, 16.0), Some(Quality::Best));
        assert_eq!(best(1.0, 4.0), Some(Quality::Balanced), "best would take more than half");
        assert_eq!(best(1.0, 1.1), Some(Quality::Fast));
        assert_eq!(best(1.0, 0.9), Some(Quality::Fastest));
        assert_eq!(best(3.0, 1.8), None);
    }

    #[test]
    fn the_machine_is_read_from_ffmpegs_own_words() {
        let said = "frame= 24\nbench: utime=0.236s stime=0.034s rtime=0.2s\nbench: maxrss=9kB\n";
        assert!((slowness(said).unwrap() - 1.0).abs() < 0.01);
        for wrong in ["", "bench: utime=xs stime=1s", "bench: utime=1s", "bench: utime=NaNs stime=0s"] {
            assert_eq!(slowness(wrong), None, "{wrong}");
        }
        assert!((slowness("bench: utime=999s stime=1s rtime=1s").unwrap() - 50.0).abs() < 0.1);
    }
}
