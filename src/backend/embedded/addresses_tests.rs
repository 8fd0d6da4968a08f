//! Tests of `addresses`.

use super::*;
use crate::config::{Environment, Layer};

fn settings(flags: &[(&'static str, &str)]) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
    Settings::load(flags, &Environment::made(&[], dir.path())).unwrap()
}

#[test]
fn what_agrees_is_taken() {
    for flags in [
        &[][..],
        &[("nginx_rtmp_url", "rtmp://127.0.0.1:4000/app/x")],
        &[("rtmp_port", "4000"), ("stat_path", "/s"), ("applications", "tv")],
        &[("listen", "0.0.0.0")],
        &[("listen", "192.0.2.7")],
        &[("nginx_rtmp_url", "rtmp://[::1]/live")],
    ] {
        check(&settings(flags)).unwrap_or_else(|e| panic!("{flags:?}: {e}"));
    }
}

#[test]
fn what_could_not_be_found_is_a_usage_error() {
    for (flags, words) in [
        (&[("nginx_rtmp_url", "rtmp://media.example/live")][..], "nginx_rtmp_url names another one"),
        (&[("rtsp_url", "rtsp://10.0.0.1:8554")][..], "rtsp_url names another one"),
        (&[("nginx_rtmp_url", "rtmps://localhost/live")][..], "not the rtmps:// of nginx_rtmp_url"),
        (&[("nginx_stat_url", "https://localhost/stat")][..], "not the https:// of nginx_stat_url"),
        (&[("nginx_stat_url", "http://localhost:1935/stat")][..], "both name port 1935"),
        (&[("nginx_rtmp_url", "rtmp://localhost/live;daemon")][..], "the application 'live;daemon'"),
        (&[("nginx_stat_url", "http://localhost:1/s{t")][..], "the path '/s{t'"),
        (&[("rtmp_port", "0")][..], "up needs a port for rtmp_port"),
        (
            &[("nginx_rtmp_url", "rtmp://localhost:4000/live"), ("rtmp_port", "4001")][..],
            "nginx_rtmp_url names port 4000, and rtmp_port is 4001",
        ),
        (
            &[("nginx_rtmp_url", "rtmp://127.0.0.1/live"), ("listen", "192.0.2.7")][..],
            "names 127.0.0.1, and the server would listen at 192.0.2.7",
        ),
    ] {
        let failure = check(&settings(flags)).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 2);
        assert!(failure.what().contains(words), "{failure}");
    }
}

#[test]
fn a_record_is_compared() {
    let recorded = ["rtmp=127.0.0.1:1935", "stat=127.0.0.1:8080", "metrics=127.0.0.1:4711"].map(String::from);
    assert!(are(&settings(&[]), &recorded));
    assert!(are(&settings(&[]), &["127.0.0.1:1".into()]));
    assert!(!are(&settings(&[("rtmp_port", "1936")]), &recorded));
    assert_eq!(port(&recorded, Service::Metrics), Some(4711));
    assert_eq!(port(&recorded, Service::Web), None);
}
