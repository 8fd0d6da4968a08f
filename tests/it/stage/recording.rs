//! What a reader gets of a stream in some seconds: its packets with their times, and whether video and audio agree. For that,
//! clips that flash and beep at the same moments.

use super::film::made;
use super::run::Running;
use super::wait::wait_for;
use super::{PATIENCE, Stage};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A flash and a beep each second. What is left as it is comes from [`Clip::default`].
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
    /// Length in seconds.
    pub seconds: u32,
    /// Time of its first packets, in seconds; `None` is as the muxer likes it.
    pub from: Option<&'a str>,
    /// Width and height; `None` is no video.
    pub size: Option<&'a str>,
    /// Samples a second and channels; `None` is no audio.
    pub tone: Option<(u32, u8)>,
    /// The video encoder and its options.
    pub video: &'a [&'a str],
    /// The audio encoder and its options.
    pub audio: &'a [&'a str],
}

impl Default for Clip<'_> {
    fn default() -> Self {
        Clip {
            seconds: 4,
            from: None,
            size: Some("160x120"),
            tone: Some((48_000, 1)),
            video: &["libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"],
            audio: &["aac"],
        }
    }
}

impl Clip<'_> {
    /// Makes it, or takes the one made before; the name's ending is the container.
    pub fn make(self, name: &str) -> PathBuf {
        let Clip { seconds, from, size, tone, video, audio } = self;
        let mut args: Vec<String> = Vec::new();
        let mut push = |more: &[&str]| args.extend(more.iter().map(|arg| (*arg).to_string()));
        if let Some(size) = size {
            let flash = "drawbox=enable='lt(mod(t,1),0.19)':c=white:t=fill";
            let source = format!("color=black:size={size}:rate=25:duration={seconds},{flash}");
            push(&["-f", "lavfi", "-i", &source]);
        }
        if let Some((rate, channels)) = tone {
            let beep = vec!["if(lt(mod(t,1),0.2),sin(2*PI*1000*t)/2,0)"; usize::from(channels)].join("|");
            push(&["-f", "lavfi", "-i", &format!("aevalsrc='{beep}':s={rate}:d={seconds}")]);
        }
        if size.is_some() {
            push(&["-c:v"]);
            push(video);
            push(&["-pix_fmt", "yuv420p"]);
        }
        if tone.is_some() {
            push(&["-c:a"]);
            push(audio);
        }
        if let Some(from) = from {
            push(&["-output_ts_offset", from]);
        }
        made(name, &args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Files one behind the other, byte by byte, as `cat` does.
pub fn joined(stage: &Stage, name: &str, parts: &[PathBuf]) -> PathBuf {
    let whole: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
    let path = stage.file(name);
    std::fs::write(&path, whole).unwrap();
    path
}

/// FLV files one behind the other: the header of a file of its own comes once.
pub fn joined_flv(stage: &Stage, name: &str, parts: &[PathBuf]) -> PathBuf {
    let path = joined(stage, name, &parts[..1]);
    let mut whole = std::fs::read(&path).unwrap();
    parts[1..].iter().for_each(|part| whole.extend_from_slice(&std::fs::read(part).unwrap()[13..]));
    std::fs::write(&path, whole).unwrap();
    path
}

/// The times of one track's packets, in seconds.
pub struct Times(Vec<f64>);

impl std::fmt::Debug for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, span, gap) = (self.count(), self.span(), self.largest_gap());
        write!(f, "{count} packets in {span:.2} s, at most {gap:.2} s apart")
    }
}

impl Times {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// From the first to the last.
    pub fn span(&self) -> f64 {
        self.0.first().zip(self.0.last()).map_or(0.0, |(first, last)| last - first)
    }

    /// The longest time between two of them.
    pub fn largest_gap(&self) -> f64 {
        self.0.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }
}

/// A reader that records, and then what it has.
#[derive(Debug)]
pub struct Recording {
    /// Times of decoding.
    pub video: Times,
    /// The same.
    pub audio: Times,
    /// When a flash begins.
    pub flashes: Vec<f64>,
    /// When a beep begins.
    pub beeps: Vec<f64>,
}

impl Recording {
    /// Begins to record `url` for so many seconds of its own time.
    pub fn begin(stage: &Stage, url: &str, seconds: u32) -> (Running, PathBuf) {
        let path = stage.file(&format!("{}.mkv", url.rsplit('/').next().unwrap()));
        let seconds = seconds.to_string();
        let args = ["-nostdin", "-v", "error", "-y", "-rw_timeout", "30000000", "-i", url, "-t", &seconds];
        let out = ["-c", "copy", path.to_str().unwrap()];
        (stage.spawn("ffmpeg", &[&args[..], &out[..]].concat()), path)
    }

    /// Waits for its end and looks at it.
    #[track_caller]
    pub fn end((reader, path): (Running, PathBuf)) -> Recording {
        let run = reader.wait(PATIENCE * 2);
        assert!(path.exists(), "nothing was recorded: {run}");
        Recording::read(&path)
    }

    /// Looks at a file.
    pub fn read(path: &Path) -> Recording {
        let out = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).arg(path).output().expect("it starts");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let list = ["-v", "error", "-show_entries", "packet=codec_type,dts_time,pts_time", "-of", "csv=p=0"];
        let list = out("ffprobe", &list);
        let times = |kind: &str| {
            let lines = list.lines().filter(|line| line.starts_with(kind));
            Times(lines.filter_map(|line| line.split(',').find_map(|field| field.parse().ok())).collect())
        };
        let mut look = Command::new("ffmpeg");
        look.args(["-nostdin", "-hide_banner", "-i"]).arg(path);
        look.args(["-vf", "blackdetect=d=0.1:pix_th=0.3", "-af", "silencedetect=n=-25dB:d=0.1"]);
        let said = look.args(["-f", "null", "-"]).output().expect("ffmpeg starts").stderr;
        let said = String::from_utf8_lossy(&said).into_owned();
        let after = |words: &str| {
            let number = |text: &str| text.trim_start().split([' ', '\n', '\r']).next()?.parse::<f64>().ok();
            said.split(words).skip(1).filter_map(number).collect::<Vec<_>>()
        };
        Recording {
            video: times("video"),
            audio: times("audio"),
            flashes: after("black_end:"),
            beeps: after("silence_end:"),
        }
    }

    /// Beeps that have no flash beside them. What is cut off at the ends of a recording may be one.
    pub fn astray(&self) -> Vec<f64> {
        let alone = |beep: &&f64| self.flashes.iter().all(|flash| (**beep - flash).abs() > 0.2);
        self.beeps.iter().filter(alone).copied().collect()
    }

    /// It has all its video and audio, without a hole, and they agree.
    #[track_caller]
    pub fn runs_on(&self, what: &str) {
        let seconds = self.video.span();
        let frames = self.video.count() as f64 / seconds;
        assert!((24.0..=26.0).contains(&frames) && self.video.largest_gap() < 0.3, "{what}: {self:?}");
        assert!((self.audio.span() - seconds).abs() < 0.5, "{what}: {self:?}");
        assert!(self.audio.largest_gap() < 0.3, "{what}: {self:?}");
        assert!(self.flashes.len() as f64 > seconds - 2.0, "{what}: {self:?}");
        assert!(self.beeps.len() as f64 > seconds - 2.0 && self.astray().len() <= 1, "{what}: {self:?}");
    }
}

/// Publishes `args` as `key` and waits until it is live.
#[track_caller]
pub fn live(stage: &Stage, key: &str, args: &[&str]) {
    stage.msconv(&[&["publish", "-s", key, "--wait", "50s"], args].concat()).expect(0);
}

/// Waits until `key` was ended with all that belongs to it.
#[track_caller]
pub fn stopped(stage: &Stage, key: &str) {
    stage.msconv(&["stop", "-s", key]).expect(0);
    wait_for("its files to be gone", PATIENCE, || !stage.file(&format!("pids/.state/{key}.json")).exists());
}
