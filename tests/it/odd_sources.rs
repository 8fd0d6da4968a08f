//! Whatever people have lying about: each source is live with the right shape in every rendition, as readers decode it,
//! or refused with the reason and a next step. The sources are made by ffmpeg, once, and are a few seconds long.

use crate::live::{SOON, ready};
use crate::stage::{Nginx, Stage, made};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What shall become of a source.
enum Want {
    /// Frames of these sizes by label, at this rate; channels of the audio, 0 without.
    Live(&'static [(&'static str, u32, u32)], f64, u32),
    /// Audio alone, with so many channels.
    Audio(u32),
    /// Exit code 7 and these words.
    Refused(&'static str),
}
use Want::{Audio, Live, Refused};

/// A source: its name, how it is made, what becomes of it.
struct Odd {
    path: PathBuf,
    want: Want,
}

/// The size of most sources: only the smallest rung carries it.
const SMALL: &[(&str, u32, u32)] = &[("360p", 192, 108)];
const TONE: [&str; 4] = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"];
const H264: [&str; 6] = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/// A moving picture, its tone, and how they are coded.
fn film(name: &str, picture: &str, coding: &[&str]) -> PathBuf {
    let picture = if picture.is_empty() { "size=192x108:rate=25:duration=2" } else { picture };
    let picture = format!("testsrc2={picture}");
    let mut args = vec!["-f", "lavfi", "-i", &picture];
    args.extend(TONE);
    args.extend(coding);
    made(name, &args)
}

/// As [`film`], in H.264 and AAC.
fn usual(name: &str, picture: &str, more: &[&str]) -> PathBuf {
    let mut coding = H264.to_vec();
    coding.extend(more);
    film(name, picture, &coding)
}

/// A file of bytes that no encoder makes.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The bytes of another source, changed.
fn spoilt(name: &str, of: &Path, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(of).unwrap();
    change(&mut bytes);
    written(name, &bytes)
}

/// A copy of a file that is turned by a quarter, as phones write it.
fn turned(name: &str, of: &Path, degrees: &str) -> PathBuf {
    let version = std::process::Command::new("ffmpeg").arg("-version").output().unwrap();
    let old = String::from_utf8_lossy(&version.stdout).contains("ffmpeg version 5");
    let tag = format!("rotate={degrees}");
    let of = of.to_str().unwrap();
    if old {
        made(name, &["-i", of, "-c", "copy", "-metadata:s:v:0", &tag])
    } else {
        made(name, &["-display_rotation:v:0", degrees, "-i", of, "-c", "copy"])
    }
}

/// Shapes, sizes and turns.
fn shapes() -> Vec<Odd> {
    let plain = usual("plain.mp4", "", &[]);
    let odd = |path, want| Odd { path, want };
    vec![
        odd(
            usual("portrait.mov", "size=108x192:rate=25:duration=2", &[]),
            Live(&[("360p", 108, 192)], 25.0, 1),
        ),
        odd(turned("quarter.mp4", &plain, "90"), Live(&[("360p", 108, 192)], 25.0, 1)),
        odd(turned("half.mp4", &plain, "180"), Live(SMALL, 25.0, 1)),
        odd(
            usual("anamorphic.mkv", "size=180x144:rate=25:duration=2", &["-vf", "setsar=16/15"]),
            Live(&[("360p", 192, 144)], 25.0, 1),
        ),
        odd(
            usual("narrow.mkv", "size=192x108:rate=25:duration=2", &["-vf", "setsar=1/2"]),
            Live(&[("360p", 192, 216)], 25.0, 1),
        ),
        odd(film("odd-size.mkv", "size=193x109:rate=25:duration=2", &["-c:v", "ffv1"]), Live(SMALL, 25.0, 1)),
        odd(usual("tiny.mp4", "size=16x16:rate=25:duration=2", &[]), Live(&[("360p", 16, 16)], 25.0, 1)),
        odd(
            film("crumb.avi", "size=8x6:rate=25:duration=2", &["-c:v", "rawvideo"]),
            Live(&[("360p", 16, 16)], 25.0, 1),
        ),
        odd(
            usual("wide.mp4", "size=1000x48:rate=25:duration=2", &[]),
            Live(&[("720p", 1000, 48), ("480p", 854, 40), ("360p", 640, 30)], 25.0, 1),
        ),
        odd(
            usual("huge.mp4", "size=3840x2160:rate=5:duration=1", &["-shortest"]),
            Live(
                &[("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)],
                10.0,
                1,
            ),
        ),
        odd(
            usual("between.mp4", "size=960x540:rate=10:duration=2", &[]),
            Live(&[("720p", 960, 540), ("480p", 854, 480), ("360p", 640, 360)], 10.0, 1),
        ),
        odd(plain, Live(SMALL, 25.0, 1)),
    ]
}

/// Samples, colours, fields and rates.
fn frames() -> Vec<Odd> {
    let odd = |path, want| Odd { path, want };
    let x265 = |name: &str, transfer: &str| {
        let colours = format!("log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc");
        let coding =
            ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", &colours];
        film(name, "", &coding)
    };
    let fields = ["-vf", "setfield=tff", "-flags", "+ilme+ildct", "-x264-params", "tff=1"];
    let rate = |fps: &str| format!("size=192x108:rate={fps}:duration=2");
    vec![
        odd(usual("444.mp4", "", &["-pix_fmt", "yuv444p"]), Live(SMALL, 25.0, 1)),
        odd(usual("422.mkv", "", &["-pix_fmt", "yuv422p"]), Live(SMALL, 25.0, 1)),
        odd(usual("10-bit.mp4", "", &["-pix_fmt", "yuv420p10le"]), Live(SMALL, 25.0, 1)),
        odd(film("rgb.mkv", "", &["-c:v", "ffv1", "-pix_fmt", "bgr0"]), Live(SMALL, 25.0, 1)),
        odd(film("alpha.mov", "", &["-c:v", "qtrle", "-pix_fmt", "argb"]), Live(SMALL, 25.0, 1)),
        odd(film("grey.mkv", "", &["-c:v", "ffv1", "-pix_fmt", "gray"]), Live(SMALL, 25.0, 1)),
        odd(film("full-range.avi", "", &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]), Live(SMALL, 25.0, 1)),
        odd(x265("hdr10.mp4", "smpte2084"), Live(SMALL, 25.0, 1)),
        odd(x265("hlg.mkv", "arib-std-b67"), Live(SMALL, 25.0, 1)),
        odd(usual("interlaced.ts", "", &fields), Live(SMALL, 25.0, 1)),
        odd(usual("1-fps.mp4", &rate("1"), &[]), Live(SMALL, 8.0, 1)),
        odd(usual("5-fps.mp4", &rate("5"), &[]), Live(SMALL, 10.0, 1)),
        odd(usual("23.976-fps.mp4", &rate("24000/1001"), &[]), Live(SMALL, 23.976, 1)),
        odd(usual("59.94-fps.mp4", &rate("60000/1001"), &[]), Live(SMALL, 29.97, 1)),
        odd(usual("120-fps.mp4", &rate("120"), &[]), Live(SMALL, 30.0, 1)),
        odd(
            usual("variable.mp4", &rate("30"), &["-vf", "select='not(eq(mod(n,5),1))'", "-vsync", "vfr"]),
            Live(SMALL, 30.0, 1),
        ),
        odd(
            usual("scene.mp4", "", &["-bf", "3", "-g", "250", "-x264-params", "open-gop=1"]),
            Live(SMALL, 25.0, 1),
        ),
        odd(
            made(
                "still.png",
                &["-f", "lavfi", "-i", "testsrc2=size=192x108:duration=0.04:rate=25", "-frames:v", "1"],
            ),
            Live(SMALL, 25.0, 0),
        ),
        odd(
            made("moving.gif", &["-f", "lavfi", "-i", "testsrc2=size=192x108:duration=2:rate=10"]),
            Live(SMALL, 10.0, 0),
        ),
    ]
}

/// Audio, and how they lie beside frames.
fn audio_sources() -> Vec<Odd> {
    let odd = |path, want| Odd { path, want };
    let tone = |name: &str, sine: &str, coding: &[&str]| {
        let sine = format!("sine=frequency=440:{sine}");
        let mut args = vec!["-f", "lavfi", "-i", &sine];
        args.extend(coding);
        made(name, &args)
    };
    let cover = made(
        "cover.png",
        &["-f", "lavfi", "-i", "testsrc2=size=64x64:duration=0.04:rate=25", "-frames:v", "1"],
    );
    let song = tone("song.mp3", "duration=3", &["-ac", "2"]);
    let covered =
        ["-i", song.to_str().unwrap(), "-i", cover.to_str().unwrap(), "-map", "0", "-map", "1", "-c", "copy"];
    let covered: Vec<&str> = covered.into_iter().chain(["-disposition:v", "attached_pic"]).collect();
    let surround = "aevalsrc=exprs=sin(440*t)|sin(441*t)|sin(442*t)|sin(443*t)|sin(444*t)|sin(445*t):channel_layout=5.1:duration=2";
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=2"];
    let with = |name: &str, audio: &str, coding: &[&str]| {
        let mut args = picture.to_vec();
        args.extend(["-f", "lavfi", "-i", audio]);
        args.extend(H264);
        args.extend(coding);
        made(name, &args)
    };
    let two =
        ["-map", "0:v", "-map", "1:a", "-map", "1:a", "-disposition:a:0", "0", "-disposition:a:1", "default"];
    let silent: Vec<&str> = picture.into_iter().chain(H264).collect();
    vec![
        odd(made("silent.mp4", &silent), Live(SMALL, 25.0, 0)),
        odd(song.clone(), Audio(2)),
        odd(made("covered.mp3", &covered), Audio(2)),
        odd(tone("telephone.wav", "duration=3:sample_rate=8000", &[]), Audio(1)),
        odd(tone("studio.flac", "duration=3:sample_rate=96000", &["-ac", "2"]), Audio(2)),
        odd(tone("voice.ogg", "duration=3", &["-c:a", "libvorbis"]), Audio(1)),
        odd(with("stereo.mp4", "sine=duration=2,aformat=channel_layouts=stereo", &[]), Live(SMALL, 25.0, 2)),
        odd(with("surround.mkv", surround, &["-c:a", "ac3"]), Live(SMALL, 25.0, 2)),
        odd(with("96-khz.mkv", "sine=duration=2:sample_rate=96000", &["-c:a", "flac"]), Live(SMALL, 25.0, 1)),
        odd(with("two-audio.mkv", "sine=duration=2", &two), Live(SMALL, 25.0, 1)),
        odd(with("short-audio.mp4", "sine=duration=0.7", &[]), Live(SMALL, 25.0, 1)),
        odd(with("long-audio.mp4", "sine=duration=4", &[]), Live(SMALL, 25.0, 1)),
        odd(
            with("late-audio.mkv", "sine=duration=1.5", &["-af", "asetpts=PTS+0.5/TB"]),
            Live(SMALL, 25.0, 1),
        ),
    ]
}

/// Containers and codecs.
fn containers() -> Vec<Odd> {
    let odd = |path, want| Odd { path, want };
    let film = |name: &str, coding: &[&str]| film(name, "", coding);
    let cif = |name: &str, coding: &[&str]| self::film(name, "size=176x144:rate=25:duration=2", coding);
    let vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"];
    vec![
        odd(film("vp9.webm", &vp9), Live(SMALL, 25.0, 1)),
        odd(film("old.avi", &["-c:v", "mpeg4", "-c:a", "mp3"]), Live(SMALL, 25.0, 1)),
        odd(film("flash.flv", &["-c:v", "flv", "-ar", "44100", "-c:a", "mp3"]), Live(SMALL, 25.0, 1)),
        odd(film("broadcast.ts", &["-c:v", "mpeg2video", "-c:a", "mp2"]), Live(SMALL, 25.0, 1)),
        odd(film("disc.mpg", &["-c:v", "mpeg2video", "-c:a", "mp2"]), Live(SMALL, 25.0, 1)),
        odd(film("windows.wmv", &["-c:v", "wmv2", "-c:a", "wmav2"]), Live(SMALL, 25.0, 1)),
        odd(film("studio.mxf", &["-c:v", "mpeg2video", "-c:a", "pcm_s16le"]), Live(SMALL, 25.0, 1)),
        odd(film("house.nut", &H264), Live(SMALL, 25.0, 1)),
        odd(film("theora.ogv", &["-c:v", "libtheora", "-c:a", "libvorbis"]), Live(SMALL, 25.0, 1)),
        odd(cif("phone.3gp", &["-c:v", "h263", "-c:a", "aac"]), Live(&[("360p", 176, 144)], 25.0, 1)),
        odd(film("edit.mov", &["-c:v", "prores", "-c:a", "pcm_s16le"]), Live(SMALL, 25.0, 1)),
        odd(
            film("late.ts", &["-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", "5000"]),
            Live(SMALL, 25.0, 1),
        ),
        odd(
            film("fragmented.mp4", &["-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov"]),
            Live(SMALL, 25.0, 1),
        ),
        odd(film("short.mp4", &["-c:v", "mpeg4", "-t", "0.2"]), Live(SMALL, 25.0, 1)),
    ]
}

/// Names that programs take for something else.
fn names() -> Vec<Odd> {
    [
        "a film.mp4",
        "100%d%03d.mp4",
        "b:c.mp4",
        "-x.mp4",
        "фильм ü 日本.mp4",
        "it's \"quoted\" \\.mp4",
        "a|b;$(c).mp4",
    ]
    .into_iter()
    .map(|name| Odd { path: usual(name, "", &["-g", "25"]), want: Live(SMALL, 25.0, 1) })
    .collect()
}

/// Broken files, and such as only pretend to be films.
fn broken() -> Vec<Odd> {
    let odd = |path, want| Odd { path, want };
    let plain = usual("plain.mp4", "", &[]);
    let front = usual("front.mp4", "", &["-movflags", "+faststart", "-g", "25"]);
    let matroska = usual("to-break.mkv", "", &["-g", "10"]);
    let middle = |bytes: &mut Vec<u8>| {
        let from = bytes.len() / 2;
        bytes.iter_mut().skip(from).take(900).enumerate().for_each(|(n, byte)| *byte = (n * 37) as u8);
    };
    vec![
        odd(spoilt("half-of-it.mp4", &front, |b| b.truncate(b.len() * 7 / 10)), Live(SMALL, 25.0, 1)),
        odd(spoilt("corrupted.mkv", &matroska, middle), Live(SMALL, 25.0, 1)),
        odd(spoilt("no-index.mp4", &plain, |b| b.truncate(b.len() / 2)), Refused("cannot read")),
        odd(
            spoilt("noise.mp4", &plain, |b| {
                b.iter_mut().enumerate().for_each(|(n, b)| *b = (n * 7919 % 251) as u8)
            }),
            Refused("cannot"),
        ),
        odd(
            written("playlist.mp4", b"#EXTM3U\n#EXTINF:2,\n/etc/passwd\n#EXT-X-ENDLIST\n"),
            Refused("a playlist that names other files"),
        ),
        odd(
            written("list.mkv", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
            Refused("a playlist that names other files"),
        ),
        odd(written("page.mp4", b"<!DOCTYPE html><html><body>404</body></html>"), Refused("a web page")),
        odd(written("words.mp4", "Only words, many of them. ".repeat(400).as_bytes()), Refused("")),
        odd(written("titles.srt", b"1\n00:00:00,000 --> 00:00:02,000\nHello\n"), Refused("")),
        odd(written("empty.mp4", b""), Refused("it is empty")),
        odd(Path::new(env!("CARGO_TARGET_TMPDIR")).join("made"), Refused("it is a folder")),
        odd(Path::new("no-such-film.mp4").into(), Refused("there is no such file")),
    ]
}

/// Publishes one source and holds what becomes of it against what shall.
fn judge(stage: &Stage, nginx: &Nginx, key: &str, odd: &Odd) -> Result<(), String> {
    let film = odd.path.to_str().unwrap();
    // A keyframe every half second, so that a reader sees its first picture soon.
    let asked = [
        "publish",
        "-s",
        key,
        "-f",
        film,
        "--quality",
        "fastest",
        "--keyframe-interval",
        "0.5s",
        "--wait",
        "45s",
    ];
    let mut asked = asked.to_vec();
    if film.ends_with("corrupted.mkv") {
        // Damage inside a picture shows only when it is decoded: copied, it would go out as it is.
        asked.push("--no-passthrough");
    }
    let run = stage.spawn_msconv(&asked).wait(SOON);
    if let Refused(words) = odd.want {
        let tried = run.stderr.contains("try: ") && run.stderr.contains("why: ");
        let right = run.code == 7 && run.stderr.contains(words) && tried;
        return if right { Ok(()) } else { Err(format!("was to be refused with '{words}': {run}")) };
    }
    if run.code != 0 {
        return Err(format!("was to be live: {run}\n{}", stage.read(&format!("logs/ffmpeg/{key}.log"))));
    }
    let outcome = decoded(stage, nginx, key, &odd.want);
    let stopped = stage.msconv(&["stop", "-s", key]);
    outcome?;
    if stopped.code == 0 { Ok(()) } else { Err(stopped.to_string()) }
}

/// Reads every rendition as a player does, and looks at the frames that come out.
fn decoded(stage: &Stage, nginx: &Nginx, key: &str, want: &Want) -> Result<(), String> {
    let mine = |name: &String| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('_'));
    let mut live: Vec<String> = nginx.names().into_iter().filter(mine).collect();
    live.sort();
    let mut names: Vec<String> = match want {
        Live(rungs, ..) => rungs.iter().map(|(label, ..)| format!("{key}_{label}")).collect(),
        _ => vec![format!("{key}_audio")],
    };
    names.sort();
    if live != names {
        return Err(format!("live are {live:?}, not {names:?}"));
    }
    let readers: Vec<_> = names.iter().map(|name| (name, reader(stage, nginx, name))).collect();
    for (name, reader) in readers {
        let run = reader.wait(SOON);
        if run.code != 0 || !run.stderr.trim().is_empty() {
            return Err(format!("{name}: {run}"));
        }
        let seen = run.json();
        shape(name, key, want, &seen).map_err(|why| format!("{name}: {why}\n{seen:#}"))?;
    }
    Ok(())
}

fn reader(stage: &Stage, nginx: &Nginx, name: &str) -> crate::stage::Running {
    let url = format!("{}/{name}", nginx.rtmp_url());
    let entries = "stream=codec_type,codec_name,channels,sample_rate:\
                   frame=media_type,pts_time,width,height,pix_fmt,sample_aspect_ratio,interlaced_frame,color_range";
    let mut args =
        vec!["-v", "error", "-rw_timeout", "40000000", "-read_intervals", "%+1.5", "-show_entries", entries];
    args.extend(["-print_format", "json", &url]);
    stage.spawn("ffprobe", &args)
}

fn shape(name: &str, key: &str, want: &Want, seen: &serde_json::Value) -> Result<(), String> {
    let all = |list: &str, kind: &str, field: &str| -> Vec<serde_json::Value> {
        let of = |v: &&serde_json::Value| v[field] == kind;
        seen[list].as_array().into_iter().flatten().filter(of).cloned().collect()
    };
    let (frames, audio) = (all("streams", "video", "codec_type"), all("streams", "audio", "codec_type"));
    let (rungs, rate, channels): (&[_], f64, u32) = match want {
        Live(rungs, rate, channels) => (rungs, *rate, *channels),
        Audio(channels) => (&[], 0.0, *channels),
        Refused(_) => return Err("is live".into()),
    };
    let is = |what: &str, ok: bool| if ok { Ok(()) } else { Err(what.to_string()) };
    is("number of audio tracks", audio.len() == usize::from(channels > 0))?;
    if let Some(audio) = audio.first() {
        is("codec of the audio", audio["codec_name"] == "aac" && audio["sample_rate"] == "48000")?;
        is("channels", audio["channels"] == channels)?;
        is("decoded audio", !all("frames", "audio", "media_type").is_empty())?;
    }
    is("number of video tracks", frames.len() == usize::from(!rungs.is_empty()))?;
    let Some(picture) = frames.first() else { return Ok(()) };
    let label = name.trim_start_matches(key).trim_start_matches('_');
    let (_, width, height) = rungs.iter().find(|(l, ..)| *l == label).ok_or("no such rung")?;
    is("codec of the picture", picture["codec_name"] == "h264")?;
    let frames = all("frames", "video", "media_type");
    is("decoded frames", frames.len() > 4)?;
    // What was decoded, since nginx-rtmp tells its readers a rounded rate.
    let time = |frame: &serde_json::Value| frame["pts_time"].as_str().and_then(|t| t.parse::<f64>().ok());
    let times: Vec<f64> = frames.iter().filter_map(time).collect();
    let length = times.last().zip(times.first()).map_or(0.0, |(last, first)| last - first);
    let fps = (times.len() as f64 - 1.0) / length;
    is(&format!("{fps} frames a second, not {rate}"), (fps - rate).abs() < 0.03 * rate)?;
    for frame in frames {
        is("size", frame["width"] == *width && frame["height"] == *height)?;
        is("samples", frame["pix_fmt"] == "yuv420p" && frame["color_range"] != "pc")?;
        is("squareness", matches!(frame["sample_aspect_ratio"].as_str(), Some("1:1") | None))?;
        is("fields", frame["interlaced_frame"] != 1)?;
    }
    Ok(())
}

/// Judges all of `sources`, two at a time, and tells everything that is wrong at once.
fn all_of(name: &str, sources: Vec<Odd>) {
    let stage = Stage::new(name);
    let nginx = Nginx::start(&stage);
    let next = AtomicUsize::new(0);
    let work = |worker: usize| {
        let mut wrong = Vec::new();
        while let Some(odd) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = judge(&stage, &nginx, &format!("odd{worker}"), odd) {
                wrong.push(format!("{}: {why}", odd.path.display()));
            }
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|n| scope.spawn(move || work(n))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), sources.len(), wrong.join("\n\n"));
}

#[test]
fn shapes_and_turns() {
    if ready() {
        all_of("odd-shapes", shapes());
    }
}

#[test]
fn samples_colours_fields_and_rates() {
    if ready() {
        all_of("odd-frames", frames());
    }
}

#[test]
fn audio_files_that_lie() {
    if ready() {
        all_of("odd-audio", audio_sources());
    }
}

#[test]
fn containers_and_names() {
    if ready() {
        all_of("odd-containers", containers().into_iter().chain(names()).collect());
    }
}

#[test]
fn broken_files_and_pretenders() {
    if ready() {
        all_of("odd-broken", broken());
    }
}
