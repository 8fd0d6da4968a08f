//! Which rung the source is copied into instead of being encoded, if any: the one that it already is.
//!
//! Encoding the largest rung is more than half of all work, so where the source is what the rung asks for it goes
//! through as it is, bit for bit, and the other rungs take their keyframes from it. Only where nobody can tell the
//! difference to an encoded rung: the same shape, an even rate, no more bits than the rung has, a keyframe often enough.
//! B-frames are no hindrance by default, though encoded renditions have none: copying saves more than they cost, and a
//! note says what they mean. Whoever wants none at all says `b_frames = false`.

use super::capability::Capability;
use super::frame_rate::Rate;
use super::ladder_plan::PlannedRung;
use super::packets::Packets;
use super::plan::Request;
use super::report::{Report, Transfer, VideoTrack};
use crate::model::{BFrames, Passthrough, Source};

/// Longest time without a keyframe, in seconds; also never more than twice the wanted interval.
const LONGEST_GAP: f64 = 4.0;
/// By how much the highest 2 s may pass the rung's bitrate.
const HIGHEST: f64 = 1.5;
/// How far apart video and audio of a repeated file may begin and end, in seconds: a copied round keeps every hole.
const APART: f64 = 0.05;

/// The rung that the source may be copied into as far as its description tells; the reason if there is none.
///
/// # Errors
/// Why every rung has to be encoded, as a clause: `it is hevc`.
pub fn candidate(
    request: &Request,
    report: &Report,
    capability: &Capability,
    rungs: &[PlannedRung],
    rate: Rate,
) -> Result<usize, String> {
    match (&request.source, request.passthrough) {
        (_, Passthrough::Never) => return Err("copying is switched off".into()),
        (Source::File(_), _) | (Source::Url(_), Passthrough::Always) => {}
        (Source::Url(_), Passthrough::Auto) => return Err("it is live".into()),
        (Source::Device { .. } | Source::Test, _) => return Err("it is not encoded yet".into()),
    }
    // `-force_key_frames source` is younger than 4.2; Debian's and Ubuntu's oldest in use is 4.4.
    if !capability.at_least(4, 4) {
        return Err(format!("ffmpeg {} is too old for it", capability.version_text));
    }
    let Some(video) = &report.video else { return Err("it has no picture".into()) };
    fits(video, rate, request.b_frames)?;
    if !request.once && matches!(request.source, Source::File(_)) {
        together(report)?;
    }
    let size = (video.coded_width, video.coded_height);
    let same = |rung: &&PlannedRung| !rung.enlarged && rung.size == size;
    let index = rungs.iter().position(|rung| same(&rung));
    index.ok_or_else(|| format!("no variant has its size of {}x{}", size.0, size.1))
}

/// Whether every player of the ladder can show this picture, at the rate of the others.
fn fits(video: &VideoTrack, rate: Rate, b_frames: BFrames) -> Result<(), String> {
    let refuse = |is: bool, why: &str| if is { Err(why.to_string()) } else { Ok(()) };
    refuse(video.codec != "h264", "it is not H.264")?;
    refuse(video.pix_fmt != "yuv420p" || video.bit_depth != 8, "it is not 8 bit 4:2:0")?;
    refuse(video.full_range || video.transfer != Transfer::Sdr, "its colours are not the usual ones")?;
    refuse(video.interlaced, "it is interlaced")?;
    refuse(!video.square || video.rotation != 0, "its picture is stretched or turned")?;
    refuse(!b_frames.copied() && video.b_frames > 0, "it has B-frames")?;
    refuse(video.timing.variable(), "its frame rate varies")?;
    let own = video.timing.constant().map(Rate::value);
    let same = own.is_some_and(|own| (own - rate.value()).abs() <= 0.005 * rate.value());
    refuse(!same, "its frame rate is not the wanted one")
}

/// Whether a round of a repeated file has no hole.
fn together(report: &Report) -> Result<(), String> {
    let (Some(video), Some(audio)) = (&report.video, &report.audio) else { return Ok(()) };
    let begins = (video.start.unwrap_or(0.0), audio.start.unwrap_or(0.0));
    let ends = (video.duration.map(|d| begins.0 + d), audio.duration.map(|d| begins.1 + d));
    match ends {
        (Some(picture), Some(audio))
            if (begins.0 - begins.1).abs() <= APART && (picture - audio).abs() <= APART =>
        {
            Ok(())
        }
        _ => Err("its video and audio do not begin and end together, and it is repeated".into()),
    }
}

/// Whether a [`candidate`]'s packets keep what its description promised; `None` where they could not be read to the end.
///
/// # Errors
/// Why it has to be encoded.
pub fn settled(request: &Request, rung: &PlannedRung, packets: Option<&Packets>) -> Result<(), String> {
    let Some(packets) = packets else {
        return match request.passthrough {
            Passthrough::Always => Ok(()),
            _ => Err("it is too long to be checked".into()),
        };
    };
    let most = rung.rung.bitrate_bps;
    if packets.damaged || !packets.even {
        return Err("its frames do not come evenly from the first one on".into());
    }
    if !request.b_frames.copied() && packets.reordered {
        return Err("it has B-frames".into());
    }
    if packets.open_groups {
        return Err("nobody can begin cleanly at its keyframes (open groups)".into());
    }
    let longest = LONGEST_GAP.min(2.0 * request.keyframe_interval.as_secs_f64());
    if packets.longest_gap > longest + 0.001 {
        return Err(format!("{:.1} s pass between two of its keyframes", packets.longest_gap));
    }
    if packets.average_bps > most {
        return Err(format!(
            "its {} kbit/s are above the variant's {}",
            packets.average_bps / 1000,
            most / 1000
        ));
    }
    if packets.highest_bps as f64 > most as f64 * HIGHEST {
        return Err(format!(
            "its peak of {} kbit/s is far above the variant's {}",
            packets.highest_bps / 1000,
            most / 1000
        ));
    }
    Ok(())
}
