//! `play` with a browser: no player of a desktop plays WebRTC, so the stream's page is opened.

use super::house::House;
use crate::stage::needs;
use std::os::unix::fs::PermissionsExt;

/// A browser that writes down what it is to open, and ends like this.
fn browser(house: &House, name: &str, code: u8) -> String {
    let path = house.stage.file(name);
    let opened = house.stage.file("opened");
    std::fs::write(
        &path,
        format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\nexit {code}\n", opened.display()),
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_browser_opens_the_page_and_the_address_is_printed_where_there_is_none() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let house = House::new("play-browser", &[]);
    let _publisher = house.publish("cam", &["-bf", "0"]);
    let play = |more: &[&str]| house.stage.msconv(&[&["play", "-s", "cam"], more].concat());
    let (page, whep) = (house.url("/watch/cam"), house.url("/live/cam/whep"));
    assert_eq!(play(&["--protocol", "webrtc", "--print-url"]).expect(0).stdout, format!("{whep}\n"));
    assert_eq!(play(&["--browser", "--print-url"]).expect(0).stdout, format!("{page}\n"));
    let shown = play(&["--protocol", "webrtc", "--print-url", "--json"]).expect(0).json();
    assert_eq!((&shown["protocol"], &shown["url"]), (&"webrtc".into(), &whep.as_str().into()), "{shown}");
    // No display, and nobody names a browser.
    let run = play(&["--browser"]).expect(0).says("there is no display to open a window on");
    assert_eq!(run.stdout, format!("{page}\n"));
    // The first one that opens it.
    let (bad, good) = (browser(&house, "bad", 3), browser(&house, "good", 0));
    house.stage.set("BROWSER", &format!("/no/such:{bad} --new %s:{good}:{bad}"));
    for by in [&["--browser"][..], &["--protocol", "webrtc"]] {
        let run = play(by).expect(0).says(&page);
        assert_eq!(run.stdout, "");
        assert_eq!(house.stage.read("opened"), format!("--new {page}\n{page}\n"));
        std::fs::remove_file(house.stage.file("opened")).unwrap();
    }
    let told = play(&["--browser", "--json"]).expect(0).json();
    let said = (&told["protocol"], &told["url"], &told["player"], &told["note"]);
    let wanted = (&"page".into(), &page.as_str().into(), &good.as_str().into(), &serde_json::Value::Null);
    assert_eq!(said, wanted, "{told}");
    house.stage.set("BROWSER", &bad);
    let run =
        play(&["--browser"]).expect(0).says("bad ended with exit code 3; open this address in a browser");
    assert_eq!(run.stdout, format!("{page}\n"));
}
