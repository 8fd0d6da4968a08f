//! Coded video as an encoder makes it, taken apart, so that a test can send it in ways in which no program here does.

use super::Stage;
use super::run::Run;
use msconv::media::VideoCodec;
use msconv::media::codec::framing::start_coded;
use msconv::media::codec::nal::{Role, role};

/// One picture: whether it is a keyframe, its NAL units (H.264, H.265) or the one frame (AV1, VP9).
#[derive(Clone, Debug)]
pub struct Picture {
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Its units; keyframes bring their parameter sets.
    pub units: Vec<Vec<u8>>,
}

/// Video of one codec, 25 frames a second, every 25th a keyframe.
#[derive(Clone, Debug)]
pub struct Coded {
    /// Its codec.
    pub codec: VideoCodec,
    /// In order of decoding, which is that of showing.
    pub frames: Vec<Picture>,
}

impl Coded {
    /// Encodes `frames` frames of this size with `ffmpeg`, each of `slices` slices (H.264, H.265).
    pub fn make(
        stage: &Stage,
        ffmpeg: &str,
        codec: VideoCodec,
        size: &str,
        frames: u32,
        slices: u32,
    ) -> Coded {
        let source = format!("testsrc2=s={size}:r=25");
        let count = frames.to_string();
        let (parameters, encoder, container): (String, Vec<&str>, &str) = match codec {
            VideoCodec::H264 => (
                format!("slices={slices}:aud=1:repeat-headers=1:bframes=0:scenecut=0:annexb=1"),
                vec!["-c:v", "libx264", "-preset", "ultrafast", "-x264-params"],
                "h264",
            ),
            VideoCodec::H265 => (
                format!("slices={slices}:aud=1:repeat-headers=1:bframes=0:scenecut=0:log-level=none"),
                vec!["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"],
                "hevc",
            ),
            VideoCodec::Av1 => {
                ("8".into(), vec!["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used"], "ivf")
            }
            VideoCodec::Vp9 => {
                ("8".into(), vec!["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used"], "ivf")
            }
        };
        let path = stage.root().join(format!("coded-{codec:?}-{size}-{slices}"));
        let mut args =
            vec!["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source, "-frames:v", &count];
        args.extend(encoder);
        args.extend([parameters.as_str(), "-g", "25", "-pix_fmt", "yuv420p", "-f", container]);
        args.push(path.to_str().unwrap());
        let run: Run = stage.spawn(ffmpeg, &args).wait(super::PATIENCE);
        let run = run.expect(0);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{e}: {run}"));
        let all = match codec {
            VideoCodec::H264 | VideoCodec::H265 => by_delimiter(codec, &bytes),
            VideoCodec::Av1 | VideoCodec::Vp9 => ivf(codec, &bytes),
        };
        assert_eq!(all.len(), frames as usize, "{codec:?}");
        Coded { codec, frames: all }
    }
}

/// The access units of annex B, each of which begins with a delimiter.
fn by_delimiter(codec: VideoCodec, bytes: &[u8]) -> Vec<Picture> {
    let units: Vec<&[u8]> = start_coded_all(bytes);
    let mut frames: Vec<Picture> = Vec::new();
    for unit in units {
        if role(codec, unit) == Role::Delimiter {
            frames.push(Picture { keyframe: false, units: Vec::new() });
            continue;
        }
        let picture = frames.last_mut().expect("a delimiter comes first");
        picture.keyframe |= matches!(role(codec, unit), Role::Set(_));
        picture.units.push(unit.to_vec());
    }
    frames
}

/// All units, however many.
fn start_coded_all(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    starts.push(bytes.len());
    starts.windows(2).flat_map(|pair| start_coded(&bytes[pair[0]..pair[1]])).collect()
}

/// The frames of an IVF file.
fn ivf(codec: VideoCodec, bytes: &[u8]) -> Vec<Picture> {
    let mut rest = &bytes[32..];
    let mut frames = Vec::new();
    while let [a, b, c, d, _, _, _, _, _, _, _, _, behind @ ..] = rest {
        let (frame, behind) = behind.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        let keyframe = match codec {
            VideoCodec::Vp9 => msconv::media::codec::vp9::keyframe(frame).is_some(),
            _ => msconv::media::codec::av1::sequence_header(frame).is_some(),
        };
        frames.push(Picture { keyframe, units: vec![frame.to_vec()] });
        rest = behind;
    }
    frames
}
