//! One rendition of a ladder changes its size while it is watched: a discontinuity of all.

use super::{SEEN, STATE, plays};
use crate::live::SOON;
use crate::pages::built_in;
use crate::stage::{Browser, Clip, PATIENCE, Serve, Stage, joined_flv, needs, wait_for};
use serde_json::json;

#[test]
fn players_go_on_where_one_rendition_becomes_another() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-other-tracks");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let clip = |seconds, from, size, name| {
        Clip { seconds, from, size: Some(size), tone: None, ..Clip::default() }.make(name)
    };
    let parts = [
        clip(12, Some("0"), "160x120", "12-s-160x120-mute.flv"),
        clip(40, Some("12"), "128x96", "40-s-128x96-mute.flv"),
    ];
    let small = joined_flv(&stage, "small.flv", &parts);
    let large = clip(52, Some("0"), "320x240", "52-s-320x240-mute.flv");
    let target = |label| format!("rtmp://{}/live/cam_{label}", serve.address("rtmp"));
    let (first, second) = (target("240p"), target("120p"));
    let sources = ["-re", "-i", large.to_str().unwrap(), "-re", "-i", small.to_str().unwrap()];
    let outputs =
        ["-map", "0", "-c", "copy", "-f", "flv", &first, "-map", "1", "-c", "copy", "-f", "flv", &second];
    let publisher = stage.spawn("ffmpeg", &[&sources[..], &outputs].concat());
    wait_for("both renditions", SOON, || {
        let list = serve.get("web", "/live/cam/index.m3u8").body;
        if ["240p/", "120p/"].iter().all(|label| list.contains(label)) { Ok(()) } else { Err(list) }
    });
    browser.open(&format!("http://{}/watch/cam", serve.address("web")), json!({}));
    plays(&mut browser);
    browser.ask(&json!(["click", "#quality"]));
    browser.ask(&json!(["click", "#qualities button:has-text('120p')"]));
    browser.until("msconv.video.videoHeight === 120", SEEN);
    let torn = wait_for("the discontinuity", PATIENCE, || {
        let playlist = |label| serve.get("web", &format!("/live/cam/{label}/i.m3u8")).body;
        let numbers = ["240p", "120p"].map(|label| {
            let text = playlist(label);
            let (before, _) = text.split_once("#EXT-X-DISCONTINUITY\n")?;
            before.lines().rfind(|line| line.ends_with(".m4s")).map(str::to_string)
        });
        if numbers.iter().all(Option::is_some) { Ok(numbers) } else { Err(playlist("120p")) }
    });
    assert_eq!(torn[0], torn[1], "at the same number in both");
    browser.until("msconv.video.videoHeight === 96", SEEN);
    plays(&mut browser);
    assert_eq!(browser.eval(STATE), "playing");
    drop(publisher);
}
