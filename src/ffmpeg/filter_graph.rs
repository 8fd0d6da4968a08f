//! The filter graph of a publish: one decode, one preparation, one cascade of sizes, one audio.
//!
//! Each size is made from the next larger one, which costs less than half of scaling each from the source; `zscale`,
//! where this ffmpeg has it, halves that again. Every label is produced once and used once, as ffmpeg demands.

use super::encoder::{Encoder, Making};
use super::frame_rate::Rate;
use super::head_start::HeadStart;
use super::ladder_plan::PlannedRung;
use super::report::{AudioTrack, Report, Transfer, VideoTrack};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What the graph is made from.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The source.
    pub report: &'a Report,
    /// Sizes, one for each output.
    pub rungs: &'a [PlannedRung],
    /// The frame rate of all of them; `None` leaves each picture its own time.
    pub rate: Option<Rate>,
    /// The audio, and the number of the input it is on.
    pub audio: Option<(&'a AudioTrack, usize)>,
    /// The filters this ffmpeg has.
    pub filters: &'a BTreeSet<String>,
    /// How each is made, in the order of `rungs`: a copied one needs no picture of its own, and encoders may want
    /// theirs to pass filters last (`format=nv12,hwupload`).
    pub making: &'a [Making],
    /// Whether the source may change its shape while it runs, which encoders must not notice.
    pub steady: bool,
    /// Filters that turn the picture, where ffmpeg does not.
    pub turning: Option<&'static str>,
    /// How its first second is read.
    pub head_start: HeadStart,
}

/// Label of the picture of output `index`.
pub fn video_label(index: usize) -> String {
    format!("v{index}")
}

/// Label of the audio.
pub const AUDIO_LABEL: &str = "a";

/// The graph's text for `-filter_complex`.
pub fn graph(wanted: &Wanted<'_>) -> String {
    let mut chains = Vec::new();
    if let Some(video) = &wanted.report.video
        && wanted.making.iter().any(|making| *making != Making::Copied)
    {
        video_chains(wanted, video, &mut chains);
    }
    if let Some((track, input)) = wanted.audio {
        chains.push(format!(
            "[{input}:{}]{}[{AUDIO_LABEL}]",
            wanted.report.audio_specifier(track),
            audio(track, wanted.head_start)
        ));
    }
    chains.join(";")
}

/// The audio: 48 kHz, mono stays mono, everything else becomes stereo; holes filled with silence, and pulled along
/// the time stamps so that repeated files do not drift.
///
/// Nothing says where it begins (`first_pts`): ffmpeg builds the graph anew whenever a source changes its size, rate or
/// channels, and would fill all the time up to there with silence. `flags=res` builds the resampler from the start, not at
/// the first correction.
pub fn audio(track: &AudioTrack, head_start: HeadStart) -> String {
    let layout = if track.channels == 1 { "mono" } else { "stereo" };
    let moved = head_start.audio().map(|filter| format!("{filter},")).unwrap_or_default();
    format!("{moved}aresample=48000:async=1000:flags=res,aformat=sample_fmts=fltp:channel_layouts={layout}")
}

/// Sizes as a tree: each rung hangs from the smallest picture that is not smaller, be it a rung or the source.
fn video_chains(wanted: &Wanted<'_>, video: &VideoTrack, chains: &mut Vec<String>) {
    let zscale = wanted.filters.contains("zscale");
    let parents = parents(wanted.rungs);
    let copied = |index: usize| wanted.making.get(index) == Some(&Making::Copied);
    let born = |of: Option<usize>| parents.iter().enumerate().filter(move |(_, parent)| **parent == of);
    // A copied rung stands in the cascade only for what hangs from it.
    let needed = |index: usize| !copied(index) || born(Some(index)).next().is_some();
    let children = |of: Option<usize>| -> Vec<usize> {
        born(of).map(|(index, _)| index).filter(|index| needed(*index)).collect()
    };
    let mut head =
        format!("[0:{}]{}", wanted.report.video_specifier(video), preparation(wanted, video, zscale));
    part(&mut head, None, &children(None));
    chains.push(head);
    for (index, rung) in wanted.rungs.iter().enumerate().filter(|(index, _)| needed(*index)) {
        let from = parents.get(index).copied().flatten();
        // Only what has passed a first scaler is surely 8 bit 4:2:0 with even sides, which zscale insists on.
        let clean = from.is_some() || (evenly_coded(video) && is_plain(video));
        let mut chain = format!("[s{index}]");
        let same_size = from.and_then(|i| wanted.rungs.get(i)).is_some_and(|parent| parent.size == rung.size);
        chain.push_str(&scaler(
            rung.size,
            zscale && clean,
            same_size || (from.is_none() && is_ready(video, rung.size)),
        ));
        // Scalers answer a rounded size with samples that are not quite square.
        chain.push_str(if from.is_none() { ",setsar=1,format=yuv420p" } else { ",setsar=1" });
        let finish = wanted.making.get(index).and_then(Making::encoder).and_then(Encoder::finish);
        let own = match finish {
            Some(_) => format!("u{index}"),
            None => video_label(index),
        };
        part(&mut chain, (!copied(index)).then_some(own.as_str()), &children(Some(index)));
        chains.push(chain);
        if let Some(finish) = finish {
            chains.push(format!("[{own}]{finish}[{}]", video_label(index)));
        }
    }
}

/// Ends a chain in `own`, if it has an output of its own, and in the inputs of `children`.
fn part(chain: &mut String, own: Option<&str>, children: &[usize]) {
    let ends = children.len() + usize::from(own.is_some());
    if ends > 1 {
        let _ = write!(chain, ",split={ends}");
    }
    if let Some(own) = own {
        let _ = write!(chain, "[{own}]");
    }
    children.iter().for_each(|child| {
        let _ = write!(chain, "[s{child}]");
    });
}

/// For each rung the rung it is made from; `None` is the source. Rungs that enlarge are made from the source and
/// nothing is made from them.
fn parents(rungs: &[PlannedRung]) -> Vec<Option<usize>> {
    let area = |r: &PlannedRung| u64::from(r.size.0) * u64::from(r.size.1);
    let covers = |a: &PlannedRung, b: &PlannedRung| a.size.0 >= b.size.0 && a.size.1 >= b.size.1;
    rungs
        .iter()
        .enumerate()
        .map(|(index, rung)| {
            if rung.enlarged {
                return None;
            }
            rungs
                .iter()
                .enumerate()
                // Of two rungs of one size the later one hangs from the earlier, so that there is no circle.
                .filter(|(i, r)| {
                    *i != index && !r.enlarged && covers(r, rung) && (r.size != rung.size || *i < index)
                })
                .min_by_key(|(i, r)| (area(r), std::cmp::Reverse(*i)))
                .map(|(i, _)| i)
        })
        .collect()
}

/// What is done once, before the sizes part: deinterlacing, the frame rate, tone mapping.
fn preparation(wanted: &Wanted<'_>, video: &VideoTrack, zscale: bool) -> String {
    let has = |name: &str| wanted.filters.contains(name);
    let mut steps = Vec::new();
    steps.extend(wanted.head_start.video().map(String::from));
    steps.extend(wanted.turning.map(String::from));
    if wanted.steady {
        steps.push(steady(video));
    }
    if video.interlaced {
        if has("bwdif") {
            steps.push("bwdif=mode=send_frame".to_string());
        } else if has("yadif") {
            steps.push("yadif=mode=send_frame".to_string());
        }
    }
    // Also for a rate that is constant already: repeated files have holes at their seams.
    if let Some(rate) = wanted.rate {
        steps.push(format!("fps={}", rate.argument()));
    }
    if zscale {
        // Frames that are wrongly marked as interlaced would be scaled field by field, or refused.
        steps.push("setfield=prog".to_string());
    }
    if let Some(mapping) = tone_mapping(video, largest(wanted.rungs), zscale && has("tonemap")) {
        steps.push(mapping);
    }
    if steps.is_empty() { "null".into() } else { steps.join(",") }
}

/// Holds the picture at the size that was planned for: a source that changes in flight is fitted into it, with bars
/// where its shape is another, until the stream is started again. Unchanged frames pass as they are. Without it a
/// changed picture is stretched, or reaches an encoder that was set up for another size.
fn steady(video: &VideoTrack) -> String {
    let (mut width, mut height) = (video.coded_width, video.coded_height);
    if matches!(video.rotation, 90 | 270) {
        std::mem::swap(&mut width, &mut height);
    }
    format!(
        "scale={width}:{height}:flags=bicubic:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1"
    )
}

/// From PQ or HLG to BT.709, in linear light. What the stream is said to be is said again, since half of all files
/// leave a part of it out and zscale then refuses. Done at the largest size that is wanted, since it is the dearest
/// step of all.
fn tone_mapping(video: &VideoTrack, size: Option<(u32, u32)>, able: bool) -> Option<String> {
    let transfer = match video.transfer {
        Transfer::Sdr => return None,
        Transfer::Pq => "smpte2084",
        Transfer::Hlg => "arib-std-b67",
    };
    let size = size.map(|(width, height)| format!("w={width}:h={height}:")).unwrap_or_default();
    able.then(|| {
        format!(
            "zscale={size}tin={transfer}:pin=bt2020:min=bt2020nc:rin=tv:t=linear:npl=203,format=gbrpf32le,\
             zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv:p=bt709,format=yuv420p"
        )
    })
}

/// The largest size that does not enlarge.
fn largest(rungs: &[PlannedRung]) -> Option<(u32, u32)> {
    let area = |r: &&PlannedRung| u64::from(r.size.0) * u64::from(r.size.1);
    rungs.iter().filter(|r| !r.enlarged).max_by_key(area).map(|r| r.size)
}

fn scaler(size: (u32, u32), zscale: bool, nothing_to_do: bool) -> String {
    let (width, height) = size;
    if nothing_to_do {
        "null".to_string()
    } else if zscale {
        // The parameters of swscale's bicubic. zscale's own default is a bilinear filter, which costs 8 VMAF at 720p and
        // 20 at 360p; its own bicubic is softer, which costs 1 to 3.
        format!("zscale={width}:{height}:filter=bicubic:param_a=0:param_b=0.6")
    } else {
        format!("scale={width}:{height}:flags=bicubic:out_range=tv")
    }
}

/// Whether the source needs no scaler to become this size.
fn is_ready(video: &VideoTrack, size: (u32, u32)) -> bool {
    let upright = matches!(video.rotation, 0 | 180);
    let coded = if upright {
        (video.coded_width, video.coded_height)
    } else {
        (video.coded_height, video.coded_width)
    };
    video.square && coded == size && is_plain(video)
}

/// 8 bit 4:2:0 in the limited range, or made so by tone mapping.
fn is_plain(video: &VideoTrack) -> bool {
    video.transfer == Transfer::Sdr && video.pix_fmt == "yuv420p" && !video.full_range
}

fn evenly_coded(video: &VideoTrack) -> bool {
    video.coded_width.is_multiple_of(2) && video.coded_height.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::ladder_plan;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Labels of a graph: how often each is produced and used. Inputs (`0:1`) are not counted.
    fn labels(graph: &str) -> BTreeMap<String, (usize, usize)> {
        let mut count: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for chain in graph.split(';').filter(|c| !c.is_empty()) {
            let body = chain.trim_start_matches('[');
            let mut before_filter = true;
            let mut rest = chain;
            assert!(!body.is_empty());
            while let Some(open) = rest.find('[') {
                if open > 0 {
                    before_filter = false;
                }
                let close = rest[open..].find(']').unwrap() + open;
                let label = &rest[open + 1..close];
                if !label.contains(':') {
                    let entry = count.entry(label.to_string()).or_default();
                    if before_filter { entry.1 += 1 } else { entry.0 += 1 }
                }
                rest = &rest[close + 1..];
            }
        }
        count
    }

    fn sizes() -> impl Strategy<Value = Vec<(u32, u32)>> {
        proptest::collection::vec((8u32..1000, 8u32..1000).prop_map(|(w, h)| (2 * w, 2 * h)), 1..12)
    }

    proptest! {
        #[test]
        fn every_label_is_produced_once_and_used_once(
            sizes in sizes(), source in (1u32..2000, 1u32..2000), zscale: bool, interlaced: bool, audio: bool, vaapi: bool, copied: bool, steady: bool,
            pix_fmt in prop_oneof!["yuv420p", "yuv422p10le", "rgb24", ""],
        ) {
            let text: Vec<String> =
                sizes.iter().enumerate().map(|(i, (w, h))| format!("l{i}:{}k:{w}:{h}", 1000 - i)).collect();
            let ladder = text.join(",").parse().unwrap();
            let chosen = ladder_plan::choose(source, Some(&ladder));
            let video = VideoTrack {
                width: source.0, height: source.1, coded_width: source.0, coded_height: source.1,
                square: true, interlaced, pix_fmt, ..VideoTrack::default()
            };
            let report = Report { video: Some(video), ..Report::default() };
            let filters = ["zscale", "bwdif"].into_iter().filter(|_| zscale).map(String::from).collect();
            let track = AudioTrack { index: 1, channels: 2, ..AudioTrack::default() };
            let encoder = Encoder::named(if vaapi { "vaapi" } else { "x264" });
            let mut making = vec![Making::Encoded(encoder); chosen.rungs.len()];
            let own = chosen.rungs.iter().position(|r| copied && r.size == source && !r.enlarged);
            if let Some(making) = own.and_then(|index| making.get_mut(index)) {
                *making = Making::Copied;
            }
            let graph = graph(&Wanted {
                head_start: HeadStart::None,
                report: &report, rungs: &chosen.rungs, rate: (!copied).then(|| Rate::new(25, 1).unwrap()),
                audio: audio.then_some((&track, 0)), filters: &filters, making: &making, steady, turning: None,
            });
            let outputs: Vec<String> = (0..chosen.rungs.len()).filter(|i| Some(*i) != own).map(video_label).chain(audio.then(|| AUDIO_LABEL.to_string())).collect();
            for (label, (produced, used)) in labels(&graph) {
                prop_assert_eq!(produced, 1, "{} in {}", label, graph);
                prop_assert_eq!(used, usize::from(!outputs.contains(&label)), "{} in {}", label, graph);
            }
            for output in outputs {
                let end = format!("[{output}]");
                prop_assert!(graph.contains(&end));
            }
        }
    }

    #[test]
    fn a_film_becomes_a_cascade() {
        let report = Report {
            video: Some(VideoTrack {
                width: 1920,
                height: 1080,
                coded_width: 1920,
                coded_height: 1080,
                square: true,
                pix_fmt: "yuv420p".into(),
                ..VideoTrack::default()
            }),
            ..Report::default()
        };
        let chosen = ladder_plan::choose((1920, 1080), None);
        let wanted = |filters: BTreeSet<String>, making: &[Making]| {
            graph(&Wanted {
                report: &report,
                rungs: &chosen.rungs,
                rate: making.iter().all(|m| *m != Making::Copied).then(|| Rate::new(24, 1).unwrap()),
                audio: None,
                filters: &filters,
                making,
                steady: false,
                turning: None,
                head_start: HeadStart::None,
            })
        };
        let x264 = vec![Making::Encoded(Encoder::named("x264")); 4];
        assert_eq!(
            wanted(["zscale".to_string()].into(), &x264),
            "[0:0]fps=24,setfield=prog[s0];[s0]null,setsar=1,format=yuv420p,split=2[v0][s1];\
             [s1]zscale=1280:720:filter=bicubic:param_a=0:param_b=0.6,setsar=1,split=2[v1][s2];\
             [s2]zscale=854:480:filter=bicubic:param_a=0:param_b=0.6,setsar=1,split=2[v2][s3];[s3]zscale=640:360:filter=bicubic:param_a=0:param_b=0.6,setsar=1[v3]"
        );
        assert!(wanted(BTreeSet::new(), &x264).contains("[s1]scale=1280:720:flags=bicubic"));
        let mut copied = x264;
        copied[0] = Making::Copied;
        assert!(wanted(BTreeSet::new(), &copied).starts_with(
            "[0:0]null[s0];[s0]null,setsar=1,format=yuv420p[s1];[s1]scale=1280:720:flags=bicubic:out_range=tv,setsar=1,split=2[v1][s2];"
        ));
        copied.fill(Making::Copied);
        assert_eq!(wanted(BTreeSet::new(), &copied), "");
    }
}
