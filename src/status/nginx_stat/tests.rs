//! Recorded pages of nginx-rtmp 1.2.2, damaged ones, and everything that is no such page.

use super::*;
use proptest::prelude::*;

const ONE: &str = include_str!("../../../tests/data/nginx_stat/stat-one.xml");
const PULLS: &str = include_str!("../../../tests/data/nginx_stat/stat-mediamtx-pulls.xml");
const ODD: &str = include_str!("../../../tests/data/nginx_stat/stat-odd-names.xml");

fn sample(name: &str) -> Snapshot {
    let path = format!("{}/tests/data/nginx_stat/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn reads_a_stream_with_everything() {
    let page = parse(PULLS.as_bytes()).unwrap();
    assert_eq!((page.uptime_s, page.pid, page.version.as_deref()), (169, Some(10075), Some("1.1.4")));
    assert_eq!((page.server.as_deref(), page.built_in()), (Some("1.22.1"), None));
    assert_eq!(page.words(), "nginx-rtmp 1.1.4");
    let stream = page.stream("live", "stream1_720p").unwrap();
    assert_eq!((stream.time_ms, stream.bytes_in, stream.bytes_out), (14483, 1517169, 1660708));
    assert_eq!((stream.bw_in_bps, stream.nclients, stream.clients.len()), (909552, 3, 3));
    assert!(stream.publishing && stream.active);
    let publisher = stream.publisher().unwrap();
    assert_eq!((publisher.id, publisher.address.as_str(), publisher.time_ms), (40, "127.0.0.1", 14656));
    assert_eq!(publisher.flashver.as_deref(), Some("FMLE/3.0 (compatible; Lavf59.27"));
    let video = stream.video.as_ref().unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (1280, 720, 30));
    assert_eq!((video.codec.as_deref(), video.level.as_deref()), (Some("H264"), Some("3.1")));
    let audio = stream.audio.as_ref().unwrap();
    assert_eq!((audio.codec.as_deref(), audio.channels, audio.sample_rate), (Some("AAC"), 1, 44100));
    assert!(page.stream("live", "stream1").is_none());
    assert!(page.stream("other", "stream1_720p").is_none());
}

#[test]
fn every_recorded_page_is_read() {
    let dir = format!("{}/tests/data/nginx_stat", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let page = parse(&std::fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert!(page.applications.iter().any(|a| a.name == "live" && a.live), "{path:?}");
        seen += 1;
    }
    assert!(seen >= 20, "{seen} pages");
}

#[test]
fn a_name_is_live_only_with_a_publisher() {
    for name in ["stat-idle", "stat-player-without-publisher", "stat-after-publish-ended"] {
        let page = sample(name);
        assert!(page.applications.iter().flat_map(|a| &a.streams).all(|s| !s.publishing), "{name}");
    }
    let waiting = sample("stat-player-without-publisher");
    assert_eq!(waiting.applications.iter().flat_map(|a| &a.streams).count(), 1);
    let page = sample("stat-four-renditions-plus-other");
    assert_eq!(page.applications.iter().flat_map(|a| &a.streams).filter(|s| s.publishing).count(), 5);
}

#[test]
fn audio_without_picture_and_picture_without_audio() {
    let page = sample("stat-audio-only");
    let stream = page.applications.iter().flat_map(|a| &a.streams).find(|s| s.publishing).unwrap();
    assert!(stream.video.is_none());
    assert_eq!(stream.audio.as_ref().unwrap().codec.as_deref(), Some("AAC"));
    let page = parse(ODD.as_bytes()).unwrap();
    let stream = page.stream("live", "trailing").unwrap();
    assert!(stream.audio.is_none());
    assert_eq!(stream.video.as_ref().unwrap().width, 160);
}

#[test]
fn odd_names_are_unescaped_and_kept_as_they_are() {
    let page = parse(ODD.as_bytes()).unwrap();
    assert!(page.stream("live", "lt<gt>").is_some());
    assert!(page.stream("live", "          ").is_some());
    assert!(page.stream("live", "semi;colon").is_some());
}

#[test]
fn one_error_per_way_to_be_wrong() {
    let wrong = |text: &str| parse(text.as_bytes()).expect_err(text);
    assert_eq!(wrong(""), ParseError::Empty);
    assert_eq!(wrong(" \r\n"), ParseError::Empty);
    assert_eq!(wrong("<!DOCTYPE html><html></html>"), ParseError::Html);
    assert_eq!(wrong("<!doctype HTML PUBLIC \"x\"><p>"), ParseError::Html);
    assert_eq!(wrong("<html>\n<head><title>502 Bad Gateway"), ParseError::Html);
    assert_eq!(wrong("<HTML><BODY>"), ParseError::Html);
    assert_eq!(wrong("<rss version=\"2.0\"></rss>"), ParseError::WrongRoot("rss".into()));
    assert_eq!(wrong("{\"itemCount\":0}"), ParseError::NotXml);
    assert_eq!(wrong("404 page not found"), ParseError::NotXml);
    assert_eq!(wrong("<rtmp><server>"), ParseError::Truncated);
    assert_eq!(wrong("<rtmp></rtmp"), ParseError::Truncated);
    assert!(matches!(wrong("<rtmp></server></rtmp>"), ParseError::Malformed { .. }));
    assert!(matches!(wrong("<rtmp>&evil;</rtmp>"), ParseError::Malformed { .. }));
    assert!(matches!(wrong("<!DOCTYPE r [<!ENTITY a \"b\">]><rtmp></rtmp>"), ParseError::Malformed { .. }));
    assert!(matches!(wrong("<rtmp></rtmp><rtmp></rtmp>"), ParseError::Malformed { .. }));
    assert!(matches!(wrong("<rtmp></rtmp>x"), ParseError::Malformed { .. }));
    assert_eq!(
        wrong("<?xml version=\"1.0\" encoding=\"windows-1251\"?><rtmp></rtmp>"),
        ParseError::Charset("windows-1251".into())
    );
    assert!(matches!(parse(b"\xff\xfe<\0r\0"), Err(ParseError::Charset(_))));
    assert!(matches!(parse(b"<rtmp>\xe9\xe8</rtmp>"), Err(ParseError::Charset(_))));
    assert_eq!(
        parse(b"<?xml version='1.0' encoding='koi8-r'?><rtmp>\xd0 </rtmp>"),
        Err(ParseError::Charset("koi8-r".into()))
    );
    let nested = format!("<rtmp>{}", "<a>".repeat(100));
    assert_eq!(wrong(&nested), ParseError::TooDeep);
    assert_eq!(wrong(&format!("<rtmp><{0}></{0}></rtmp>", "n".repeat(2000))), ParseError::TooLong("name"));
    assert_eq!(
        wrong(&format!("<rtmp><pid>{}</pid></rtmp>", "1".repeat(70_000))),
        ParseError::TooLong("text")
    );
    let many = format!("<rtmp><server>{}</server></rtmp>", "<application/>".repeat(1_001));
    assert_eq!(wrong(&many), ParseError::TooMany("applications"));
}

#[test]
fn what_is_unknown_is_skipped_whole() {
    let text = "<rtmp><new><server><application><name>x</name></application></server></new>\
                <server><application><name>live</name><play><stream><name>vod</name></stream></play>\
                <live><stream future='1'><name>a</name><later><name>b</name></later><publishing/>\
                <bytes_in>nonsense</bytes_in><time>-5</time></stream></live></application></server></rtmp>";
    let page = parse(text.as_bytes()).unwrap();
    assert_eq!(page.applications.len(), 1);
    let stream = page.stream("live", "a").unwrap();
    assert_eq!((stream.bytes_in, stream.time_ms), (0, 0));
    assert_eq!(page.applications.first().unwrap().streams.len(), 1);
}

#[test]
fn cut_anywhere_it_is_no_page() {
    for text in [ONE, PULLS] {
        let whole = text.trim_end().len();
        for end in 0..whole {
            let error = parse(text.as_bytes().get(..end).unwrap()).expect_err("a page cut off");
            assert!(matches!(error, ParseError::Empty | ParseError::Truncated), "at {end}: {error:?}");
        }
    }
}

#[test]
fn two_thousand_streams() {
    let stream = ONE.split("<stream>").nth(1).unwrap().split("</stream>").next().unwrap();
    let streams: String = (0..2_000)
        .map(|n| {
            let name = format!("<name>s{n}_720p</name>");
            format!("<stream>{}</stream>", stream.replacen("<name>stream1</name>", &name, 1))
        })
        .collect();
    let text = format!(
        "<rtmp><server><application><name>live</name><live>{streams}</live></application></server></rtmp>"
    );
    let page = parse(text.as_bytes()).unwrap();
    assert_eq!(page.applications.first().unwrap().streams.len(), 2_000);
    assert!(page.stream("live", "s1999_720p").is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_a_page_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_damaged_page_is_a_page_or_an_error(at in 0..PULLS.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = PULLS.as_bytes().to_vec();
        if cut { bytes.remove(at); } else { bytes[at] = byte; }
        let _ = parse(&bytes);
    }

    #[test]
    fn any_markup_is_a_page_or_an_error(text in "(<(/?(rtmp|server|application|live|stream|name|client|meta|video)|!\\[CDATA\\[|\\?|!--)?>?|&(amp|#[0-9]{1,9}|x);?|[a-z0-9 ]|\\PC){0,60}") {
        let _ = parse(format!("<rtmp>{text}").as_bytes());
        let _ = parse(text.as_bytes());
    }
}
