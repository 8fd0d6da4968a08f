//! AAC and G.711 to Opus inside the process: the share of a core that one stream takes, and the delay that it adds. Run by
//! `scripts/bench.sh audio`; never part of the tests. The audio is a minute of film music or, without a film, of noise and
//! tones; CPU is that of this thread, from its scheduler statistics; the delay is worked out from times, not measured.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

use msconv::media::codec::aac;
use msconv::media::transcoding::to_opus;
use msconv::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const SECONDS: i64 = 60;

/// One kind of source.
struct Source {
    name: &'static str,
    track: AudioTrack,
    frames: Vec<Frame>,
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let sources = [
        aac_source("AAC 48 kHz stereo", folder.path(), 48_000, 2),
        aac_source("AAC 48 kHz mono", folder.path(), 48_000, 1),
        aac_source("AAC 44.1 kHz stereo", folder.path(), 44_100, 2),
        aac_source("AAC 22.05 kHz stereo", folder.path(), 22_050, 2),
        telephone(),
    ];
    println!(
        "| source | % of a core (goal 1) | longest frame | kb/s | added delay, median and most (goal 25 ms) |"
    );
    println!("|---|---|---|---|---|");
    for source in &sources {
        measure(source);
    }
}

fn aac_source(name: &'static str, folder: &Path, rate: u32, channels: u8) -> Source {
    let path = folder.join(format!("{rate}-{channels}.aac"));
    let film = std::env::var_os("MSCONV_TEST_FILM").filter(|film| Path::new(film).exists());
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
    match film {
        Some(film) => ffmpeg.args(["-stream_loop", "-1", "-i"]).arg(film),
        None => ffmpeg.args(["-f", "lavfi", "-i"]).arg(format!(
            "anoisesrc=c=pink:a=0.2:d={SECONDS},aeval=val(0)+0.1*sin(2*PI*440*t)|val(0)+0.1*sin(2*PI*660*t)"
        )),
    };
    let (seconds, rate_text, channels_text) = (SECONDS.to_string(), rate.to_string(), channels.to_string());
    ffmpeg.args(["-t", &seconds, "-vn", "-ar", &rate_text, "-ac", &channels_text]);
    ffmpeg.args(["-c:a", "aac", "-b:a", "128k", "-f", "adts"]).arg(&path).stdin(Stdio::null());
    assert!(ffmpeg.status().unwrap().success());
    let adts = aac::adts(&std::fs::read(&path).unwrap().into()).unwrap();
    let frames = adts.packets.into_iter().enumerate();
    let frames = frames.map(|(i, unit)| frame(MediaTime::from_clock(i as i64 * 1024, rate), unit)).collect();
    Source { name, track: AudioTrack::aac(adts.config).unwrap(), frames }
}

fn telephone() -> Source {
    let mut noise = 1_u32;
    let frames = (0..SECONDS * 50).map(|i| {
        let bytes: Vec<u8> = (0..160)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            })
            .collect();
        frame(MediaTime::from_millis(i * 20), bytes.into())
    });
    let frames = frames.collect();
    Source { name: "G.711, 8 kHz mono", track: AudioTrack::plain(AudioCodec::G711A, 8000, 1), frames }
}

fn frame(pts: MediaTime, payload: bytes::Bytes) -> Frame {
    Frame { track: TrackId::AUDIO, dts: pts, pts, keyframe: true, payload }
}

/// What this thread has had of the processors.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn measure(source: &Source) {
    let (mut shares, mut longest, mut bytes, mut waits) = (Vec::new(), Vec::new(), 0, Vec::new());
    for _ in 0..ROUNDS {
        let mut opus = to_opus(&source.track, None).unwrap();
        let (mut out, mut slowest) = (Vec::new(), Duration::ZERO);
        (bytes, waits) = (0, Vec::new());
        let before = cpu();
        for frame in &source.frames {
            let began = Instant::now();
            opus.push(frame, &mut out);
            slowest = slowest.max(began.elapsed());
            for packet in out.drain(..) {
                bytes += packet.payload.len();
                // A frame could be played when it came; this packet only now, and by its own time.
                waits.push((frame.pts - packet.pts).nanos() as f64 / 1e6);
            }
        }
        shares.push((cpu() - before).as_secs_f64() / SECONDS as f64 * 100.0);
        longest.push(slowest.as_secs_f64() * 1e3);
    }
    let [share, longest] = [&mut shares, &mut longest].map(|values| median(values));
    let most = waits.iter().copied().fold(f64::MIN, f64::max);
    println!(
        "| {} | {share:.2} | {longest:.1} ms | {} | {:.1} ms, {most:.1} ms |",
        source.name,
        bytes * 8 / 1000 / SECONDS as usize,
        median(&mut waits),
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
