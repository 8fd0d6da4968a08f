//! Reading is restricted: what is shown for the list of renditions opens their playlists, and these name media that nobody
//! could guess.

use super::house::{House, LABELS, Playlist};
use crate::pages::built_in;
use crate::stage::{PATIENCE, Serve, Stage, needs};

const PASSWORD: &str = "p&w ö\"";
const CODED: &str = "p%26w%20%C3%B6%22";
const LIST: &str = "/live/cam/index.m3u8";

fn password(stage: &Stage) -> String {
    let path = stage.file("password");
    std::fs::write(&path, format!("{PASSWORD}\n")).unwrap();
    path.display().to_string()
}

/// A server that asks readers for a password, and a ladder on it.
fn restricted(name: &str) -> Option<House> {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return None;
    }
    let stage = Stage::new(name);
    let path = password(&stage);
    // What `list`, `play` and the supervisors of this machine are told.
    stage.set("MSCONV_READ_PASSWORD_FILE", &path);
    stage.set("MSCONV_READ_USER", "eye");
    let house = House { serve: Serve::start_at_stage(&stage), stage };
    house.publish();
    Some(house)
}

#[test]
fn readers_show_their_password() {
    let stage = Stage::new("hls-password");
    let path = stage.file("password");
    std::fs::write(&path, "pw\n").unwrap();
    let serve = Serve::start(&stage, &["--read-user", "eye", "--read-password-file", path.to_str().unwrap()]);
    let answer = serve.get("web", LIST);
    assert_eq!((answer.status, answer.field("www-authenticate")), (401, Some("Basic realm=\"msconv\"")));
    // eye:pw and eye:no; nobody publishes.
    for (query, field, status) in [
        ("", "Authorization: Basic ZXllOnB3\r\n", 404),
        ("", "Authorization: Basic ZXllOm5v\r\n", 401),
        ("", "Authorization: Bearer pw\r\n", 404),
        ("", "Authorization: Bearer no\r\n", 401),
        ("?token=pw", "", 404),
        ("?token=no", "", 401),
        ("?user=eye&pass=pw", "", 404),
        ("?user=eye&pass=no", "", 401),
        ("?user=ear&pass=pw", "", 401),
        ("?user=eye", "", 401),
    ] {
        let answer = serve.ask("web", "GET", &format!("{LIST}{query}"), field);
        assert_eq!(answer.status, status, "{query} {field}: {answer:?}");
    }
}

#[test]
fn a_token_opens_the_playlists_and_they_the_media() {
    let Some(house) = restricted("hls-token") else { return };
    let get = |path: &str| house.serve.get("web", path);
    assert_eq!(get(LIST).status, 401);
    for query in [format!("token={CODED}"), format!("user=eye&pass={CODED}")] {
        let list = get(&format!("{LIST}?x=1&{query}"));
        assert_eq!((list.status, list.field("cache-control")), (200, Some("private, max-age=2")), "{list:?}");
        let uris: Vec<&str> = list.body.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(uris, LABELS.map(|label| format!("{label}/i.m3u8?{query}")), "{}", list.body);
        let alone = get(&format!("/live/cam_240p/index.m3u8?{query}"));
        assert_eq!(alone.body.lines().last(), Some(&*format!("../cam/240p/i.m3u8?{query}")), "{alone:?}");
        let playlist = get(&format!("/live/cam/{}", uris[0]));
        assert_eq!(playlist.status, 200, "{playlist:?}");
        assert!(!playlist.body.contains("token") && !playlist.body.contains("pass="), "{playlist:?}");
    }
    // A playlist by itself is closed, and what it names is open, to caches too.
    assert_eq!(get("/live/cam/240p/i.m3u8").status, 401);
    assert_eq!(get("/live/cam/240p/i.m3u8?token=x").status, 401);
    let playlist = Playlist::of(&get(&format!("/live/cam/240p/i.m3u8?token={CODED}")).body);
    let (name, _) = playlist.text.split_once("-init").unwrap();
    let epoch = name.rsplit('"').next().unwrap();
    assert!(epoch.len() > 12, "nobody guesses it: {epoch}");
    let init = get(&format!("/live/cam/240p/{epoch}-init0.mp4"));
    let kept = init.field("cache-control");
    assert_eq!((init.status, kept), (200, Some("public, max-age=3600, immutable")), "{}", init.head);
    assert_eq!(get("/live/cam/240p/fedcba9876543210-init0.mp4").status, 401);
    // A player that knows nothing of it.
    let url = house.url(&format!("{LIST}?token={CODED}"));
    let decode = ["-hide_banner", "-xerror", "-i", &url, "-t", "3", "-f", "null", "-"];
    house.stage.spawn("ffmpeg", &decode).wait(PATIENCE).expect(0).says("640x360");
    // What msconv gives to players of this machine opens it as well, and is masked where people look.
    let play = ["play", "-s", "cam", "--protocol", "hls", "--print-url"];
    let printed = house.stage.msconv(&play).expect(0);
    assert!(printed.stdout.contains("/live/cam/index.m3u8?"), "{printed}");
    if built_in() {
        let page = get(&format!("/watch/cam?token={CODED}&x=1"));
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains(&format!("data-list=\"{LIST}?token={CODED}\"")), "{}", page.body);
    }
    let said = house.serve.running().stderr();
    assert!(!said.contains("p&w") && !said.contains(CODED), "no secret in the log: {said}");
    let shown = house.serve.get("api", "/v3/hlssessions/list").body;
    assert!(shown.contains("\"eye\"") && !shown.contains(CODED), "{shown}");
    house.stop();
}
