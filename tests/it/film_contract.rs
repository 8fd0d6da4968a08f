//! The contract of the command line, word for word, with a real film of 1080p and audio.

use crate::live::{SOON, ready};
use crate::stage::{Nginx, Run, Stage, bunny, needs, wait_for};
use std::time::Duration;

/// Decoding ten seconds takes as long, and longer where the encoder is slower than real time.
const DECODING: Duration = Duration::from_secs(240);

/// Decodes video and audio of each name for ten seconds; ffmpeg must not say a word.
fn decode(stage: &Stage, nginx: &Nginx, names: &[&str]) {
    let readers: Vec<_> = names
        .iter()
        .map(|name| {
            let url = format!("{}/{name}", nginx.rtmp_url());
            let args = [
                "-nostdin",
                "-hide_banner",
                "-loglevel",
                "error",
                "-xerror",
                "-rw_timeout",
                "60000000",
                "-i",
                &url,
                "-map",
                "0:v:0",
                "-map",
                "0:a:0",
                "-t",
                "10",
                // A reader that guesses half the frame rate counts frames in steps too coarse for them.
                "-enc_time_base:v",
                "1:90000",
                "-f",
                "null",
                "-",
            ];
            stage.spawn("ffmpeg", &args)
        })
        .collect();
    for reader in readers {
        let run = reader.wait(DECODING).expect(0);
        assert_eq!(run.stderr.trim(), "", "{run}");
    }
}

#[test]
fn the_film_in_every_form_of_the_contract() {
    if !ready() || !needs("bunny") {
        return;
    }
    let stage = Stage::new("contract");
    let nginx = Nginx::start(&stage);
    let film = bunny();
    let film = film.to_str().unwrap();
    let msconv = |args: &[&str]| -> Run { stage.msconv(args) };
    let url = nginx.rtmp_url();

    // msconv publish -s KEY -f PATH: four renditions, each decoded for ten seconds without a word of complaint.
    msconv(&["publish", "-s", "film", "-f", film, "--wait", "55s", "--leave-out", "none"])
        .expect(0)
        .prints("1080p 720p 480p 360p");
    let names = ["film_1080p", "film_720p", "film_480p", "film_360p"];
    let mut live = nginx.names();
    live.sort();
    let mut wanted = names;
    wanted.sort_unstable();
    assert_eq!(live, wanted);
    decode(&stage, &nginx, &names);
    let json = msconv(&["list", "--json"]).expect(0).json();
    let sizes: Vec<(u64, u64)> = json["streams"][0]["renditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["video"]["width"].as_u64().unwrap(), r["video"]["height"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(1920, 1080), (1280, 720), (854, 480), (640, 360)]);

    // msconv play -s KEY -v LABEL, and its historic spellings.
    let rtsp = |name: &str| format!("{}/{name}\n", stage.rtsp_url());
    for args in [["play", "-s", "film", "-v", "720p"], ["play", "--stream-key", "film", "--variant", "720p"]]
    {
        let mut args = args.to_vec();
        args.push("--print-url");
        assert_eq!(msconv(&args).expect(0).stdout, rtsp("film_720p"));
    }
    assert_eq!(
        msconv(&["play", "-s", "film", "--variant=720p", "--print-url"]).expect(0).stdout,
        rtsp("film_720p")
    );
    msconv(&["play", "-s", "film", "-o", "--print-url"]).expect(4).says("film has no");
    msconv(&["stop", "-s", "film"]).expect(0).prints("film: stopped after");

    // msconv publish --stream-key KEY --input-file PATH --original --nginx-rtmp-url URL
    let long =
        ["publish", "--stream-key", "film", "--input-file", film, "--original", "--nginx-rtmp-url", &url];
    msconv(&long).expect(0).prints("as it is");
    for original in ["-o", "--original", "-0"] {
        assert_eq!(msconv(&["play", "-s", "film", original, "--print-url"]).expect(0).stdout, rtsp("film"));
    }

    // msconv publish -s KEY -r URL --variants LIST, from what is live already.
    let source = format!("{url}/film");
    let list = "240p:300k:426:240,120p:150k:214:120";
    msconv(&["publish", "-s", "again", "--input-rtmp", &source, "--variants", list, "--wait", "55s"])
        .expect(0);
    wait_for("both", SOON, || nginx.names().iter().filter(|n| n.starts_with("again_")).count() == 2);
    decode(&stage, &nginx, &["again_240p", "again_120p"]);
    assert_eq!(msconv(&["list", "-q"]).expect(0).stdout, "again\nfilm\n");

    // msconv list -l: arrows choose, Enter confirms.
    let mut terminal = stage.terminal(&["list", "-l"]);
    terminal.wait_for("film");
    terminal.type_keys(crate::stage::keys::DOWN);
    terminal.type_keys(crate::stage::keys::ENTER);
    assert_eq!(terminal.wait_exit(), 0);
    assert!(terminal.cursor_visible());

    msconv(&["stop", "-s", "film", "-s", "again"]).expect(0);
    wait_for("the server to be empty", SOON, || nginx.names().is_empty());
}
