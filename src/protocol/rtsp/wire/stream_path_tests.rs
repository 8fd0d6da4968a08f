//! Tests of `stream_path`.

use super::*;

fn found(uri: &str) -> Result<(StreamPath, Option<String>), BadPlace> {
    StreamPath::of(uri, &["live".into(), "tv".into(), "tv/de".into()])
}

fn of(uri: &str) -> (String, String, String, Option<String>) {
    let (place, track) = found(uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
    (place.stream.application, place.stream.name, place.query, track)
}

fn all(a: &str, n: &str, q: &str, t: Option<&str>) -> (String, String, String, Option<String>) {
    (a.into(), n.into(), q.into(), t.map(str::to_string))
}

#[test]
fn names_in_all_spellings() {
    assert_eq!(of("rtsp://h/cam"), all("live", "cam", "", None));
    assert_eq!(of("rtsp://h:8554/live/cam/"), all("live", "cam", "", None));
    assert_eq!(of("RTSP://u:p@[::1]:8554/live/cam?t=1"), all("live", "cam", "t=1", None));
    assert_eq!(of("rtsp://h/cam/trackID=1"), all("live", "cam", "", Some("trackID=1")));
    assert_eq!(of("rtsp://h/live/cam/streamid=0?t=1"), all("live", "cam", "t=1", Some("streamid=0")));
    assert_eq!(of("rtsp://h/live/cam?t=a/b/streamid=0"), all("live", "cam", "t=a/b", Some("streamid=0")));
    assert_eq!(of("rtsp://h/tv/cam"), all("tv", "cam", "", None));
    assert_eq!(of("rtsp://h/tv/de/cam/trackID=0"), all("tv/de", "cam", "", Some("trackID=0")));
    assert_eq!(of("rtsp://h/live"), all("live", "live", "", None));
    assert_eq!(of("rtsp://h/live/live"), all("live", "live", "", None));
    assert_eq!(found("rtsp://u:p@h:1/live/a.b~c?x").unwrap().0.base, "rtsp://h:1/live/a.b~c");
}

#[test]
fn strange_names_are_refused() {
    let long = format!("rtsp://h/{}", "x".repeat(129));
    for bad in [
        "rtsp://h/../../x",
        "rtsp://h/a%2e",
        "rtsp://h/.a",
        "rtsp://h/-a",
        "rtsp://h/a b",
        "rtsp://h/a/b",
        "rtsp://h/live/a/b",
        "rtsp://h/a;b",
        "rtsp://h/потоk",
        "rtsp://h/a\\b",
        &long,
    ] {
        assert_eq!(found(bad).map(|p| p.0.stream.name), Err(BadPlace::Name), "{bad}");
    }
    assert_eq!(found("rtsp://h/").unwrap_err(), BadPlace::Nothing);
    assert_eq!(found("rtsp://h").unwrap_err(), BadPlace::Nothing);
    assert_eq!(found("*").unwrap_err(), BadPlace::Scheme);
    assert_eq!(found("http://h/a").unwrap_err(), BadPlace::Scheme);
    assert_eq!(found("/a").unwrap_err(), BadPlace::Scheme);
}

#[test]
fn tracks_inside_a_place() {
    let mut place = found("rtsp://h/live/cam?t=1").unwrap().0;
    // Whatever the stream is called in public.
    assert_eq!(place.rename("../film".into()), Err(BadPlace::Name));
    assert_eq!(place.rename("film".into()), Ok(()));
    assert_eq!(place.stream.name, "film");
    for (uri, inside) in [
        ("rtsp://h/live/cam", Some("")),
        ("rtsp://h/live/cam/", Some("")),
        ("rtsp://other:99/live/cam/?t=1", Some("")),
        ("rtsp://h/live/cam/video", Some("video")),
        ("rtsp://h/live/cam/video?t=1", Some("video")),
        ("rtsp://h/live/cam?t=1/video", Some("video")),
        ("rtsp://h/live/cam?t=1", Some("")),
        ("rtsp://h/live/cam/?x=y/video", Some("video")),
        ("rtsp://h/live/camera", None),
        ("rtsp://h/live/other/video", None),
        ("rtsp://h/cam/video", None),
        ("*", None),
    ] {
        assert_eq!(place.inside(uri), inside, "{uri}");
    }
}
