//! Which encoder encodes the video, and with what settings.

use super::capability::Capability;
use super::frame_rate::Rate;
use super::ladder_plan::PlannedRung;
use crate::base::next::Advice;
use crate::base::printable::printable;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::model::Quality;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// An encoder as ffmpeg names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoder {
    /// `libx264`, `h264_nvenc`, ...
    pub name: String,
    /// What people call it: `x264`, `nvenc`.
    pub called: String,
}

/// What people type, and ffmpeg's name of it.
const CALLED: [(&str, &str); 9] = [
    ("x264", "libx264"),
    ("nvenc", "h264_nvenc"),
    ("qsv", "h264_qsv"),
    ("vaapi", "h264_vaapi"),
    ("amf", "h264_amf"),
    ("v4l2m2m", "h264_v4l2m2m"),
    ("videotoolbox", "h264_videotoolbox"),
    ("mediacodec", "h264_mediacodec"),
    ("openh264", "libopenh264"),
];
/// Where VAAPI's device is on Linux unless a machine has several.
const VAAPI_DEVICE: &str = "/dev/dri/renderD128";

impl Encoder {
    /// The encoder that `typed` means: `auto` and `x264` are x264; other names may be short or ffmpeg's own.
    pub fn named(typed: &str) -> Encoder {
        let lower = typed.trim().to_ascii_lowercase();
        if lower.is_empty() || lower == "auto" {
            return Encoder { name: "libx264".into(), called: "x264".into() };
        }
        match CALLED.iter().find(|(called, name)| *called == lower || *name == lower) {
            Some((called, name)) => Encoder { name: (*name).into(), called: (*called).into() },
            None => Encoder { name: lower.clone(), called: lower },
        }
    }

    /// As [`Encoder::named`], if this ffmpeg has it and it makes H.264.
    ///
    /// # Errors
    /// Usage (2) for an encoder of something else; missing (5) for one that this ffmpeg lacks.
    pub fn find(typed: &str, capability: &Capability) -> Outcome<Encoder> {
        let encoder = Encoder::named(typed);
        if !encoder.name.contains("264") {
            return Err(Failure::usage(format!("{} does not make H.264", printable(&encoder.name)))
                .why("the ladder is H.264, which every server and player reads")
                .hint(Advice::set("encoder", "auto")));
        }
        if capability.encoders.contains(&encoder.name) {
            return Ok(encoder);
        }
        let failure =
            Failure::new(Kind::Missing, format!("this ffmpeg has no encoder {}", printable(&encoder.name)));
        Err(if encoder.name == "libx264" {
            failure.hint(
                Advice::Examine { fix: false }.in_column("prints the line that installs a complete ffmpeg"),
            )
        } else {
            failure.hint(Advice::set("encoder", "auto"))
        })
    }

    /// Whether a card or a part of the processor does the work, whose driver may be missing.
    pub fn in_hardware(&self) -> bool {
        !self.name.starts_with("lib")
    }

    /// Options that stand before every input.
    pub fn globals(&self) -> Vec<&'static str> {
        match self.name.as_str() {
            "h264_vaapi" => vec!["-vaapi_device", VAAPI_DEVICE],
            _ => Vec::new(),
        }
    }

    /// Filters that its frames pass last.
    pub fn finish(&self) -> Option<&'static str> {
        match self.name.as_str() {
            "h264_vaapi" => Some("format=nv12,hwupload"),
            "h264_qsv" => Some("format=nv12"),
            _ => None,
        }
    }

    /// How many frames it holds back before the first comes out, at most.
    pub fn delay(&self, quality: Quality, rate: Rate, live: bool) -> u32 {
        if self.name == "libx264" { lookahead(quality, rate, live) + 8 } else { 16 }
    }
}

/// The hardware encoders of this ffmpeg that `auto` may take, best first. Those of small boards (`v4l2m2m`,
/// `mediacodec`) are left to people who ask for them: some of them put keyframes where they like.
pub fn hardware(capability: &Capability) -> Vec<Encoder> {
    ["nvenc", "qsv", "vaapi", "videotoolbox", "amf"]
        .into_iter()
        .map(Encoder::named)
        .filter(|encoder| capability.encoders.contains(&encoder.name))
        .collect()
}

/// The size at which an encoder is tried; some cards refuse less than 256.
pub const TRIAL_SIZE: (u32, u32) = (640, 360);

/// A command that encodes five frames of each of these sizes, all at once, and ends with 0 if the encoder works here.
/// Being listed says nothing: the driver or the device may be missing, or all its sessions be taken.
pub fn trial(ffmpeg: &Path, encoder: &Encoder, sizes: &[(u32, u32)]) -> CommandLine {
    let mut command = CommandLine::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "level+warning"]);
    command.args(encoder.globals());
    command.args(["-f", "lavfi", "-i", "color=black:size=640x360:rate=25,format=yuv420p"]);
    for (width, height) in sizes {
        let finish = encoder.finish().map(|f| format!(",{f}")).unwrap_or_default();
        command.args(["-map", "0:v", "-vf"]).arg(format!("scale={width}:{height}{finish}"));
        command.args(["-frames:v", "5", "-c:v"]);
        command.arg(encoder.name.clone());
        command.args(["-f", "null", "-"]);
    }
    command
}

/// Where a rung's picture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Making {
    /// The source's own packets.
    Copied,
    /// This encoder.
    Encoded(Encoder),
}

impl Making {
    /// The encoder, if there is one.
    pub fn encoder(&self) -> Option<&Encoder> {
        match self {
            Making::Copied => None,
            Making::Encoded(encoder) => Some(encoder),
        }
    }
}

/// What decides where keyframes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyframes {
    /// The clock: one each time this has passed.
    Every(Duration),
    /// The source, whose packets one rendition carries.
    Source,
}

/// What all renditions of a publish are encoded with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The effort.
    pub quality: Quality,
    /// Frames per second.
    pub rate: Rate,
    /// Where keyframes are.
    pub keyframes: Keyframes,
    /// Whether B-frames may be used.
    pub b_frames: bool,
    /// Whether what is shown happens at this moment: then each frame that is held back counts.
    pub live: bool,
}

type Options = Vec<(&'static str, String)>;

/// The encoding arguments of all renditions, in the order of `rungs` with the `making` of each. Options that are equal
/// for all stand once.
pub fn arguments(settings: &Settings, rungs: &[PlannedRung], making: &[Making]) -> Vec<String> {
    let options: Vec<Options> =
        rungs.iter().zip(making).map(|(rung, making)| rung_options(settings, rung, making)).collect();
    let names: Vec<&'static str> = options.iter().flatten().fold(Vec::new(), |mut names, (name, _)| {
        if !names.contains(name) {
            names.push(name);
        }
        names
    });
    let mut args = Vec::new();
    for name in names {
        let value = |rung: &Options| rung.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let values: Vec<Option<String>> = options.iter().map(value).collect();
        match values.first() {
            Some(Some(first)) if values.iter().all(|v| v.as_ref() == Some(first)) => {
                args.extend([format!("-{name}:v"), first.clone()]);
            }
            _ => {
                for (index, value) in values.iter().enumerate() {
                    if let Some(value) = value {
                        args.extend([format!("-{name}:v:{index}"), value.clone()]);
                    }
                }
            }
        }
    }
    args
}

fn rung_options(settings: &Settings, rung: &PlannedRung, making: &Making) -> Options {
    let Making::Encoded(encoder) = making else {
        // The tag of another container (`avc1` of MP4) is refused behind a queue (5.1); 7 is FLV's own for H.264.
        return vec![("c", "copy".into()), ("tag", "7".into())];
    };
    let most = rung.rung.bitrate_bps;
    let mut options = vec![("c", encoder.name.clone())];
    options.extend(match encoder.name.as_str() {
        "libx264" => x264(settings, rung),
        "h264_nvenc" => nvenc(settings.quality),
        _ => vec![("b", bits(most)), ("bf", "0".into())],
    });
    if encoder.name == "libx264" && !settings.b_frames {
        options.push(("bf", "0".into()));
    }
    options.extend([("maxrate", bits(most)), ("bufsize", bits(most.saturating_mul(2)))]);
    options.extend(keyframes(settings, encoder));
    options
}

/// Keyframes at the same moments in every rendition, so that a player can change between them.
fn keyframes(settings: &Settings, encoder: &Encoder) -> Options {
    // The encoder's own limit only has to lie above: one that is reached would set the renditions apart.
    let (rule, seconds) = match settings.keyframes {
        Keyframes::Every(interval) => {
            let seconds = interval.as_secs_f64();
            (format!("expr:gte(t,n_forced*{})", short(seconds)), seconds * 2.0)
        }
        Keyframes::Source => ("source".to_string(), 60.0),
    };
    let limit = (settings.rate.value() * seconds).ceil().clamp(2.0, 100_000.0) as u32;
    let mut options = vec![("force_key_frames", rule), ("g", limit.to_string())];
    match encoder.name.as_str() {
        "libx264" => options.push(("sc_threshold", "0".into())),
        "h264_nvenc" | "h264_qsv" => options.push(("forced-idr", "1".into())),
        _ => {}
    }
    if settings.keyframes == Keyframes::Source {
        // Frames keep the times of the packets that are copied, finer than one picture.
        options.push(("enc_time_base", "1:90000".into()));
    }
    options
}

/// Variable bitrate at a constant quality, capped. No B-frames, asked for or not: their gain is small there and not every
/// card has them.
fn nvenc(quality: Quality) -> Options {
    let preset = match quality {
        Quality::Auto | Quality::Fast => "p3",
        Quality::Fastest => "p1",
        Quality::Balanced => "p4",
        Quality::Best => "p6",
    };
    [("preset", preset), ("rc", "vbr"), ("cq", "24"), ("b", "0"), ("bf", "0")]
        .map(|(n, v)| (n, v.to_string()))
        .to_vec()
}

/// Capped constant quality. The recipes are measured on real film in four renditions, all 30 s of it, ffmpeg 5.1.9,
/// against the plain command (four scalers, four encoders at `fast`, crf 23, the same keyframes): user and system time of
/// the whole publish (0.03 more or less from run to run), and VMAF of each rendition at its own size; more in
/// docs/performance.md.
///
/// | | time | VMAF 1080p, 720p, 480p, 360p | bits of the four |
/// |---|---|---|---|
/// | plain command | 1.00 | 93.8 93.7 93.2 92.0 | 1.00 |
/// | the same without B-frames | 0.93 | -0.7 -0.7 -1.1 -1.2 | 1.04 |
/// | fastest | 0.23 | -7.5 -6.7 -6.6 -7.0 | 1.11 |
/// | fast, auto | 0.33 | -1.5 -1.2 -1.2 -1.0 | 1.05 |
/// | balanced | 0.40 | -1.0 -1.0 -0.9 -0.8 | 1.05 |
/// | best | 1.02 | 0.0 +0.1 -0.1 -0.1 | 1.09 |
///
/// There are no B-frames unless somebody asks for them. What they would save is bought back by finer motion search and,
/// in small frames, by a second reference. Trellis costs a twentieth of the plain command's time and adds a VMAF of one.
/// At 1080p a crf above 21 is better, not only smaller: bits that are not spent where it is easy are there when the cap is
/// reached. Flat areas get less than x264 gives them by itself (`aq-strength`), which is better by VMAF.
///
/// `ultrafast` looks far better for its bits with a short look ahead, which it leaves out by default and which costs next
/// to nothing.
fn x264(settings: &Settings, rung: &PlannedRung) -> Options {
    let area = u64::from(rung.size.0) * u64::from(rung.size.1);
    // Small frames are cheap, their bits rarely reach their cap, and their loss shows most.
    let (small, middle) = (area <= 640 * 368, area <= 860 * 484);
    // Below a copied picture the small ones would be better than they must be.
    let beside_copied = settings.keyframes == Keyframes::Source;
    let ahead = lookahead(settings.quality, settings.rate, settings.live);
    let ahead = match (settings.live, threads(settings, area)) {
        (false, _) => ahead.to_string(),
        (true, None) => format!("{ahead}:sync-lookahead=0"),
        (true, Some(threads)) => format!("{ahead}:sync-lookahead=0:threads={threads}"),
    };
    let crf = match (settings.quality, small, middle) {
        (Quality::Fastest, true, _) => "20",
        (Quality::Fastest, _, true) => "21",
        (Quality::Best, ..) => "21",
        (_, true, _) => "20.5",
        (_, _, true) => "21",
        _ => "22",
    };
    let (preset, params) = match settings.quality {
        Quality::Fastest => ("ultrafast", format!("cabac=1:aq-mode=1:mbtree=1:rc-lookahead={ahead}")),
        Quality::Best => ("medium", format!("aq-strength=0.6:rc-lookahead={ahead}")),
        Quality::Auto | Quality::Fast | Quality::Balanced => {
            let balanced = settings.quality == Quality::Balanced;
            let steps = match (balanced, beside_copied) {
                (_, _) if small && settings.b_frames => "3",
                (_, _) if small => "4",
                (true, true) if middle => "2",
                (true, false) if !settings.b_frames => "4",
                _ => "1",
            };
            let references =
                if balanced && middle && !beside_copied && !settings.b_frames { ":ref=2" } else { "" };
            // Each B-frame is searched twice: with them the same work goes less deep.
            let trellis = if settings.b_frames && !balanced && !small { 0 } else { 1 };
            let rest = "me=dia:partitions=i8x8,i4x4";
            let spread = "aq-strength=0.6";
            (
                "veryfast",
                format!("trellis={trellis}:{spread}:rc-lookahead={ahead}:{rest}:subme={steps}{references}"),
            )
        }
    };
    [("preset", preset.to_string()), ("crf", crf.to_string()), ("x264-params", params)].to_vec()
}

/// Frames that x264 looks ahead: bounded in time, since each is delay, and at one frame a second twenty would be twenty
/// seconds. Without B-frames it holds back three fewer beside them. Where people talk to each other across it, two frames
/// are enough: of 720p film at a capped constant quality they gave the same SSIM within 0.002 for fewer bits, and took 0.3 s
/// less from the camera to the screen.
fn lookahead(quality: Quality, rate: Rate, live: bool) -> u32 {
    let (most, seconds) = match quality {
        Quality::Best if live => (10, 0.4),
        _ if live => (2, 0.1),
        Quality::Fastest => (10, 0.5),
        Quality::Auto | Quality::Fast | Quality::Balanced => (12, 0.6),
        Quality::Best => (40, 1.7),
    };
    ((rate.value() * seconds).ceil() as u32).min(most)
}

/// Threads of a live rendition of so many pixels; as many as x264 likes if none. Each but the first holds a frame back, and
/// by itself x264 takes one and a half for each processor: a third of a second on eight. All renditions are encoded at once,
/// so processors have enough to do; one thread alone carries 1080p30 at `veryfast`.
fn threads(settings: &Settings, area: u64) -> Option<u32> {
    let full_hd = area as f64 * settings.rate.value() / (1920.0 * 1088.0 * 30.0);
    let needed = if settings.quality == Quality::Best { 2.0 * full_hd } else { full_hd };
    match needed {
        needed if needed <= 1.02 => Some(2),
        needed if needed <= 2.04 => Some(4),
        _ => None,
    }
}

fn bits(bps: u64) -> String {
    crate::model::rung::bitrate_text(bps)
}

/// Seconds without needless zeros.
fn short(seconds: f64) -> String {
    let text = format!("{seconds:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::ladder_plan;

    fn encoded(encoder: &str, quality: Quality) -> String {
        made(
            quality,
            Keyframes::Every(Duration::from_secs(2)),
            vec![Making::Encoded(Encoder::named(encoder)); 4],
        )
    }

    fn made(quality: Quality, keyframes: Keyframes, making: Vec<Making>) -> String {
        let rungs = ladder_plan::choose((1920, 1080), None).rungs;
        let (rate, b_frames, live) = (Rate::new(30, 1).unwrap(), false, false);
        let settings = Settings { quality, rate, keyframes, b_frames, live };
        arguments(&settings, &rungs, &making).join(" ")
    }

    #[test]
    fn a_copied_rung_leads_the_keyframes_of_the_others() {
        let x264 = Making::Encoded(Encoder::named("x264"));
        let args =
            made(Quality::Fast, Keyframes::Source, vec![Making::Copied, x264.clone(), x264.clone(), x264]);
        assert!(
            args.starts_with("-c:v:0 copy -c:v:1 libx264 -c:v:2 libx264 -c:v:3 libx264 -tag:v:0 7"),
            "{args}"
        );
        assert!(args.contains("-force_key_frames:v:3 source -g:v:1 1800"), "{args}");
        assert!(
            !args.contains("crf:v:0")
                && !args.contains("-g:v:0")
                && args.contains("-enc_time_base:v:1 1:90000")
        );
    }

    #[test]
    fn b_frames_come_only_where_they_are_asked_for() {
        let rungs = ladder_plan::choose((640, 360), None).rungs;
        let with = |encoder: &str, quality, b_frames| {
            let keyframes = Keyframes::Every(Duration::from_secs(2));
            let (rate, live) = (Rate::new(30, 1).unwrap(), false);
            let settings = Settings { quality, rate, keyframes, b_frames, live };
            arguments(&settings, &rungs, &[Making::Encoded(Encoder::named(encoder))]).join(" ")
        };
        for quality in [Quality::Auto, Quality::Fastest, Quality::Fast, Quality::Balanced, Quality::Best] {
            for (encoder, _) in CALLED {
                let args = with(encoder, quality, false);
                assert!(args.contains("-bf:v 0"), "{args}");
            }
            assert!(!with("x264", quality, true).contains("-bf:v"));
        }
        assert!(with("nvenc", Quality::Fast, true).contains("-bf:v 0"));
    }

    #[test]
    fn equal_options_stand_once_and_others_per_rung() {
        let args = encoded("auto", Quality::Balanced);
        assert!(args.starts_with("-c:v libx264 -preset:v veryfast -crf:v:0 22"), "{args}");
        assert!(args.contains("partitions=i8x8,i4x4:subme=4:ref=2 -bf:v 0 -maxrate"), "{args}");
        assert!(args.contains("-maxrate:v:0 4000k") && args.contains("-bufsize:v:3 1200k"));
        assert!(
            args.ends_with("-force_key_frames:v expr:gte(t,n_forced*2) -g:v 120 -sc_threshold:v 0"),
            "{args}"
        );
        assert!(encoded("x264", Quality::Best).contains("-preset:v medium "));
    }

    #[test]
    fn names_are_understood() {
        assert_eq!(Encoder::named("auto").name, "libx264");
        assert_eq!(Encoder::named("NVENC").name, "h264_nvenc");
        assert_eq!(Encoder::named("h264_nvenc").called, "nvenc");
        assert_eq!(Encoder::named("h264_rkmpp").name, "h264_rkmpp");
        let none = Capability::default();
        assert_eq!(Encoder::find("libx265", &none).unwrap_err().kind(), Kind::Usage);
        assert_eq!(Encoder::find("nvenc", &none).unwrap_err().kind(), Kind::Missing);
    }

    #[test]
    fn hardware_gets_its_frames_and_a_bitrate() {
        let args = encoded("vaapi", Quality::Auto);
        assert!(args.contains("-c:v h264_vaapi -b:v:0 4000k"), "{args}");
        assert_eq!(Encoder::named("vaapi").finish(), Some("format=nv12,hwupload"));
        let sizes = [TRIAL_SIZE, (320, 180)];
        let line = trial(Path::new("ffmpeg"), &Encoder::named("vaapi"), &sizes).shell_line();
        assert!(line.contains("-vaapi_device /dev/dri/renderD128"), "{line}");
        assert_eq!(line.matches("-frames:v 5 -c:v h264_vaapi -f null").count(), 2, "{line}");
        assert!(line.contains("scale=320:180,format=nv12,hwupload"), "{line}");
        assert!(Encoder::named("v4l2m2m").in_hardware() && !Encoder::named("openh264").in_hardware());
        let both = ["h264_vaapi", "h264_nvenc", "libx264"].map(String::from).into();
        let found = hardware(&Capability { encoders: both, ..Capability::default() });
        assert_eq!(found.iter().map(|e| e.called.as_str()).collect::<Vec<_>>(), ["nvenc", "vaapi"]);
    }

    #[test]
    fn looking_ahead_is_bounded_in_time() {
        let [thirty, one] = [30, 1].map(|rate| Rate::new(rate, 1).unwrap());
        assert_eq!(lookahead(Quality::Balanced, thirty, false), 12);
        assert_eq!(lookahead(Quality::Balanced, one, false), 1);
        assert_eq!(lookahead(Quality::Balanced, thirty, true), 2);
        assert_eq!(lookahead(Quality::Best, thirty, true), 10);
        let threads_at = |quality, rate, (width, height): (u64, u64)| {
            let keyframes = Keyframes::Every(Duration::from_secs(2));
            threads(&Settings { quality, rate, keyframes, b_frames: false, live: true }, width * height)
        };
        let sixty = Rate::new(60, 1).unwrap();
        assert_eq!(threads_at(Quality::Fast, thirty, (1920, 1080)), Some(2));
        assert_eq!(threads_at(Quality::Best, thirty, (1920, 1080)), Some(4));
        assert_eq!(threads_at(Quality::Fast, sixty, (1920, 1080)), Some(4));
        assert_eq!(threads_at(Quality::Fast, sixty, (3840, 2160)), None);
    }
}
