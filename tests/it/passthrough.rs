//! The rung that the source fits is copied, and the others take their keyframes from it.

use crate::live::{Air, SOON, ready};
use crate::stage::{Stage, made};
use std::path::Path;

/// A rung of the film's own size, and a smaller one.
const FITTING: &str = "240p:3M:426:240,120p:150k:214:120";
/// What a reader watches: the seam of the repeated film and some groups more.
const WATCHED: &str = "9";

/// Six seconds with B-frames, closed groups of 1.2 s and a tone; other arguments come last.
fn source(name: &str, more: &[&str]) -> std::path::PathBuf {
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=size=426x240:rate=25:duration=6"];
    args.extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=6"]);
    args.extend(["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "30", "-pix_fmt", "yuv420p"]);
    args.extend(["-b:v", "800k", "-c:a", "aac", "-b:a", "96k"]);
    args.extend(more);
    made(name, &args)
}

/// A packet of a picture: when it is shown, whether one can begin there, and the hash of its bytes.
#[derive(Clone, Debug)]
struct Packet {
    shown: f64,
    key: bool,
    hash: String,
}

/// Starts to list the packets of the picture in a file or stream.
fn list(stage: &Stage, url: &str) -> crate::stage::Running {
    let mut args = vec!["-v", "error", "-select_streams", "v:0", "-show_data_hash", "md5"];
    args.extend(["-show_entries", "packet=pts_time,flags,data_hash", "-print_format", "compact=p=0"]);
    let interval = format!("%+{WATCHED}");
    if url.starts_with("rtmp") {
        args.extend(["-rw_timeout", "30000000", "-read_intervals", &interval]);
    }
    args.push(url);
    stage.spawn("ffprobe", &args)
}

fn packets(running: crate::stage::Running) -> Vec<Packet> {
    let run = running.wait(SOON).expect(0);
    let field = |line: &str, name: &str| {
        line.split('|').find_map(|f| f.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_string()
    };
    run.stdout
        .lines()
        .filter(|line| line.contains("pts_time"))
        .map(|line| Packet {
            shown: field(line, "pts_time").parse().expect(line),
            key: field(line, "flags").contains('K'),
            hash: field(line, "data_hash"),
        })
        .collect()
}

fn keyframes(packets: &[Packet]) -> Vec<f64> {
    packets.iter().filter(|p| p.key).map(|p| p.shown).collect()
}

/// Publishes `film` as `a`; the copied packets are those of the file, in its order, and all keyframes agree.
fn copied_as_it_is(air: &Air, film: &Path) {
    let film = film.to_str().unwrap();
    let run = air.stage.msconv(&["publish", "-s", "a", "-f", film, "--variants", FITTING, "--wait", "50s"]);
    run.expect(0).prints("in 2 variants, 240p copied, the other with x264");
    let names = ["a_240p", "a_120p"].map(|name| format!("{}/{name}", air.nginx.rtmp_url()));
    let readers = names.each_ref().map(|url| list(&air.stage, url));
    let [copied, encoded] = readers.map(packets);
    let original = packets(list(&air.stage, film));

    let first = original.iter().position(|p| p.hash == copied[0].hash).expect("the source's packet");
    assert!(copied.len() > original.len(), "more than a round: {} of {}", copied.len(), original.len());
    for (index, packet) in copied.iter().enumerate() {
        assert_eq!(packet.hash, original[(first + index) % original.len()].hash, "packet {index} of {film}");
    }
    let (leading, following) = (keyframes(&copied), keyframes(&encoded));
    // Readers come at different moments; what both have seen has to be the same.
    let (from, to) =
        (leading[0].max(following[0]), copied.last().unwrap().shown.min(encoded.last().unwrap().shown));
    let both =
        |keys: Vec<f64>| keys.into_iter().filter(|k| (from..=to - 0.5).contains(k)).collect::<Vec<_>>();
    let (leading, following) = (both(leading), both(following));
    assert!(leading.len() >= 5, "{leading:?}");
    assert_eq!(leading, following, "keyframes of {film}");
    air.stop();
}

#[test]
fn copied_packets_are_the_sources_and_keyframes_agree() {
    if !ready() {
        return;
    }
    let air = Air::new("passthrough");
    copied_as_it_is(&air, &source("copied.mp4", &["-movflags", "+faststart"]));
    copied_as_it_is(&air, &source("copied.mkv", &[]));
    // No B-frames: the copied rung begins at another time stamp than x264 makes of it.
    copied_as_it_is(&air, &source("copied-plain.mp4", &["-bf", "0"]));
}

#[test]
fn what_does_not_fit_or_is_not_wanted_is_encoded() {
    if !ready() {
        return;
    }
    let air = Air::new("encoded");
    let fitting = source("copied.mp4", &["-movflags", "+faststart"]);
    let rare = source("rare-keyframes.mp4", &["-g", "150", "-keyint_min", "150"]);
    let summary = |film: &Path, more: &[&str]| {
        let mut args = vec!["publish", "-s", "a", "-f", film.to_str().unwrap(), "--variants", FITTING];
        args.extend(["--dry-run", "--json"]);
        args.extend(more);
        let run = air.stage.msconv(&args).expect(0);
        (run.json()["argv"].to_string().contains("\"copy\""), run.stderr.clone())
    };
    assert!(summary(&fitting, &[]).0);
    assert!(!summary(&fitting, &["--no-passthrough"]).0);
    assert!(!summary(&fitting, &["--passthrough", "never"]).0);
    assert!(!summary(&fitting, &["--no-b-frames"]).0);
    assert!(!summary(&fitting, &["--fps", "12"]).0);
    let (copied, said) = summary(&rare, &["--passthrough", "always"]);
    assert!(
        !copied && said.contains("the source is not copied: 6.0 s pass between two of its keyframes"),
        "{said}"
    );
    air.stage.set("MSCONV_PASSTHROUGH", "never");
    assert!(!summary(&fitting, &[]).0);
}

#[test]
fn a_live_source_is_copied_when_asked() {
    if !ready() {
        return;
    }
    let air = Air::new("live-copy");
    let film = source("copied.mp4", &["-movflags", "+faststart"]);
    air.stage
        .msconv(&["publish", "-s", "source", "-f", film.to_str().unwrap(), "-o", "--wait", "50s"])
        .expect(0);
    let url = format!("{}/source", air.nginx.rtmp_url());
    let args = ["publish", "-s", "a", "-r", &url, "--variants", FITTING, "--wait", "50s"];
    air.stage.msconv(&args).expect(0).prints("in 2 variants with x264");
    air.stage.msconv(&["stop", "-s", "a"]).expect(0);
    let asked: Vec<&str> = args.into_iter().chain(["--passthrough", "always"]).collect();
    air.stage.msconv(&asked).expect(0).prints("240p copied").says("copied without a look at its packets");
    let hashes: Vec<String> =
        packets(list(&air.stage, film.to_str().unwrap())).into_iter().map(|p| p.hash).collect();
    let copied = packets(list(&air.stage, &format!("{}/a_240p", air.nginx.rtmp_url())));
    assert!(copied.len() > 100 && copied.iter().all(|p| hashes.contains(&p.hash)));
    air.stage.msconv(&["stop", "--all"]).expect(0);
}
