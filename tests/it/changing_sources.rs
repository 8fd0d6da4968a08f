//! Sources that others serve: one that comes back as another, one that changes while it runs, one that pauses, and one
//! that lies on a web server.

use crate::live::{Air, NAMES, SMALL, SOON, ready, signal};
use crate::stage::{Running, film, made, wait_for};
use msconv::model::State;
use msconv::process::identity::Identity;
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// A stage on which `a` is a ladder of the source `source`, which `file` is published as.
fn relay(name: &str, file: &Path) -> (Air, Running) {
    let air = Air::new(name);
    let publisher = air.nginx.foreign_publisher(&air.stage, file, "source");
    let url = format!("{}/source", air.nginx.rtmp_url());
    air.stage
        .msconv(&[
            "publish",
            "-s",
            "a",
            "-r",
            &url,
            "--variants",
            SMALL,
            "--keyframe-interval",
            "0.5s",
            "--wait",
            "50s",
        ])
        .expect(0);
    (air, publisher)
}

/// Sizes of the frames that a reader of `name` decodes, each once, and whether it hears something.
fn seen(air: &Air, name: &str) -> (Vec<(u64, u64)>, bool) {
    // It looks as long as it likes: ffprobe 5.1 crashes where a track joins after its look.
    let url = format!("{}/{name}", air.nginx.rtmp_url());
    let args = ["-v", "error", "-rw_timeout", "40000000", "-read_intervals", "%+2"];
    let entries = ["-show_entries", "stream=codec_type:frame=width,height", "-print_format", "json", &url];
    let json = air.stage.spawn("ffprobe", &[&args[..], &entries[..]].concat()).wait(SOON).json();
    let all = |list: &str| json[list].as_array().cloned().unwrap_or_default();
    let mut sizes: Vec<_> =
        all("frames").iter().filter_map(|f| Some((f["width"].as_u64()?, f["height"].as_u64()?))).collect();
    sizes.dedup();
    (sizes, all("streams").iter().any(|s| s["codec_type"] == "audio"))
}

/// Ends both; nothing is left.
fn end(air: &Air, publisher: Running) {
    publisher.signal(Signal::SIGTERM);
    publisher.wait(SOON);
    air.stop();
}

#[test]
fn a_source_that_comes_back_as_another_goes_on_in_its_right_shape() {
    if !ready() {
        return;
    }
    let (air, first) = relay("comes-back", &film(8, 426, 240));
    assert_eq!(seen(&air, NAMES[0]), (vec![(426, 240)], true));
    let size = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4"];
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"];
    let silent = made("another-silent.mp4", &[&size[..], &coding[..]].concat());
    let mut publisher = first;
    for (file, shape) in [(silent, (vec![(320, 240)], false)), (film(8, 426, 240), (vec![(426, 240)], true))]
    {
        let before = air.record().unwrap();
        publisher.signal(Signal::SIGTERM);
        publisher.wait(SOON);
        air.wait_record("the loss to be told", |r| !r.state.on_air());
        publisher = air.nginx.foreign_publisher(&air.stage, &file, "source");
        let now = air.wait_restarted(&before);
        assert_eq!(seen(&air, NAMES[0]), shape, "{now:#?}\n{}", air.log());
        assert_eq!(u64::from(now.renditions[0].size.0), shape.0[0].0, "the record says so as well");
    }
    end(&air, publisher);
}

#[test]
fn a_source_that_changes_while_it_runs_is_fitted_and_goes_on() {
    if !ready() {
        return;
    }
    let coding =
        ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let part = |name: &str, size: &str, from: &str| {
        let picture = format!("testsrc2=size={size}:rate=25:duration=15");
        let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=15"];
        let clock = ["-output_ts_offset", from];
        made(name, &[&["-f", "lavfi", "-i", &picture][..], &tone, &coding, &clock].concat())
    };
    let (one, two) = (part("change-1.ts", "426x240", "0"), part("change-2.ts", "240x320", "15"));
    let both: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made/change.ts");
    std::fs::write(&both, [std::fs::read(one).unwrap(), std::fs::read(two).unwrap()].concat()).unwrap();
    // The first 15 s are one, the rest are the other.
    let (air, publisher) = relay("changes", &both);
    let before = air.record().unwrap();
    let read = |name: &str| {
        let url = format!("{}/{name}", air.nginx.rtmp_url());
        let args = ["-v", "error", "-rw_timeout", "40000000", "-read_intervals", "%+16", "-show_entries"];
        let entries = ["frame=media_type,width,height", "-print_format", "json", &url];
        air.stage.spawn("ffprobe", &[&args[..], &entries[..]].concat())
    };
    for (name, reader) in NAMES.map(|name| (name, read(name))) {
        let json = reader.wait(SOON).json();
        let frames = json["frames"].as_array().unwrap();
        let frames: Vec<_> = frames.iter().filter(|f| f["media_type"] == "video").collect();
        assert!(frames.len() > 380, "{} frames\n{}", frames.len(), air.log());
        let size = &before.renditions.iter().find(|r| r.name == name).unwrap().size;
        for picture in frames {
            assert_eq!((&picture["width"], &picture["height"]), (&size.0.into(), &size.1.into()));
        }
    }
    let after = air.record().unwrap();
    assert_eq!((after.restarts, after.child), (before.restarts, before.child), "{}", air.log());
    end(&air, publisher);
}

#[test]
fn a_source_that_pauses_goes_on() {
    if !ready() {
        return;
    }
    let (air, publisher) = relay("pauses", &film(8, 426, 240));
    let frozen = Identity::of(publisher.pid());
    signal(frozen, Signal::SIGSTOP);
    air.wait_record("the pause to be told", |r| r.state != State::Live);
    signal(frozen, Signal::SIGCONT);
    // nginx-rtmp has let the silent publisher go by then; whoever publishes there again is heard.
    air.wait_record("live again", |r| r.state == State::Live);
    assert_eq!(seen(&air, NAMES[0]), (vec![(426, 240)], true));
    end(&air, publisher);
}

/// Serves the files of a folder until the test ends; HEAD and ranges are not for it.
pub fn web(folder: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let folder = folder.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.find(String::is_empty);
                let name = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_string();
                let mut out = &stream;
                let _ = match std::fs::read(folder.join(name)) {
                    Ok(body) => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())
                        .and_then(|()| out.write_all(&body)),
                    Err(_) => write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
                };
            });
        }
    });
    port
}

#[test]
fn a_playlist_on_a_web_server_goes_live_only_when_it_is_allowed() {
    if !ready() {
        return;
    }
    let air = Air::new("web");
    let folder = air.stage.file("www");
    std::fs::create_dir_all(&folder).unwrap();
    let clip = film(8, 426, 240);
    let cut = ["-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "list.m3u8"];
    let mut command = air.stage.command("ffmpeg");
    command.current_dir(&folder).args(["-nostdin", "-v", "error", "-i", clip.to_str().unwrap()]).args(cut);
    assert!(command.status().unwrap().success());
    let secret = air.stage.file("secret.ts");
    std::fs::copy(folder.join("list0.ts"), &secret).unwrap();
    let evil = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{}\n#EXT-X-ENDLIST\n",
        secret.display()
    );
    std::fs::write(folder.join("evil.m3u8"), evil).unwrap();
    let port = web(folder);
    let at = |name: &str| format!("http://127.0.0.1:{port}/{name}");
    let publish = |name: &str, more: &[&str]| {
        let url = at(name);
        let args = ["publish", "-s", "a", "-r", &url, "--variants", SMALL, "--wait", "50s"];
        air.stage.msconv(&[&args[..], more].concat())
    };
    publish("list.m3u8", &[]).expect(2).says("only by --allow-http");
    publish("evil.m3u8", &["--allow-http"]).expect(7);
    publish("none.m3u8", &["--allow-http"]).expect(7).says("404");
    publish("list.m3u8", &["--allow-http"]).expect(0).prints("240p 120p");
    assert_eq!(seen(&air, NAMES[0]), (vec![(426, 240)], true));
    // It ends; then it begins anew, as every source that is not meant to end.
    let first = air.record().unwrap();
    air.wait_restarted(&first);
    air.stop();
    wait_for("no name of it to be left", SOON, || air.nginx.names().is_empty());
}
