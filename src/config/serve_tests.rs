//! Which setting decides where the embedded server listens, and what becomes of passwords.

use super::*;
use crate::base::atomic_file::{self, Durability};
use crate::config::{Environment, Layer, Settings};

fn load(flags: &[(&'static str, &str)]) -> Outcome<Settings> {
    let dir = tempfile::tempdir().unwrap();
    let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
    Settings::load(flags, &Environment::made(&[], dir.path()))
}

fn origin(settings: &Settings, name: &str) -> Origin {
    settings.shown().iter().find(|s| s.name == name).unwrap().origin.clone()
}

/// In the order of the table.
fn ports(numbers: [u16; 8]) -> Ports {
    let mut numbers = numbers.into_iter();
    PerService::try_of(|_| numbers.next().ok_or(())).unwrap()
}

#[test]
fn the_usual_places() {
    let settings = load(&[]).unwrap();
    let serve = &settings.serve;
    assert_eq!(
        (serve.listen.to_string(), serve.control_listen.to_string()),
        ("127.0.0.1".into(), "127.0.0.1".into())
    );
    let usual = ports([1935, 8554, 8000, 8080, 9997, 9998, 8000, 8189]);
    assert_eq!(serve.ports, usual);
    assert_eq!(
        (serve.applications.as_slice(), serve.stat_path.as_str()),
        (&["live".to_string()][..], "/stat")
    );
    for name in ["listen", "rtmp_port", "rtp_port", "metrics_port", "applications", "stat_path"] {
        assert_eq!(origin(&settings, name), Origin::Default, "{name}");
    }
    assert!(serve.publish.credentials(&mut std::io::empty()).unwrap().is_none());
}

#[test]
fn ports_follow_the_addresses() {
    let settings = load(&[
        ("nginx_rtmp_url", "rtmp://127.0.0.1:4001/app"),
        ("nginx_stat_url", "http://127.0.0.1:4002/s"),
        ("mediamtx_url", "http://127.0.0.1:4003"),
        ("rtsp_url", "rtsp://127.0.0.1:4004"),
    ])
    .unwrap();
    let wanted = ports([4001, 4004, 0, 4002, 4003, 0, 0, 0]);
    assert_eq!(settings.serve.ports, wanted);
    assert_eq!(settings.serve.applications, ["app"]);
    assert_eq!(settings.serve.stat_path, "/s");
    assert_eq!(origin(&settings, "rtmp_port"), Origin::Follows("nginx_rtmp_url"));
    assert_eq!(origin(&settings, "metrics_port"), Origin::Follows("api_port"));
    let elsewhere = load(&[("nginx_rtmp_url", "rtmp://media.example:4001/app")]).unwrap();
    assert_eq!(elsewhere.serve.ports.of(Service::Rtmp), 1935);
    assert_eq!(elsewhere.serve.applications, ["live"]);
    let v6 = load(&[("nginx_rtmp_url", "rtmp://[::1]/live")]).unwrap();
    assert_eq!(v6.serve.listen.to_string(), "::1");
}

#[test]
fn addresses_follow_the_ports() {
    let settings = load(&[
        ("rtmp_port", "4001"),
        ("stat_port", "4002"),
        ("api_port", "4003"),
        ("rtsp_port", "4004"),
        ("applications", "tv,radio"),
        ("stat_path", "/s"),
    ])
    .unwrap();
    assert_eq!(settings.nginx_rtmp_url.to_string(), "rtmp://localhost:4001/tv");
    assert_eq!(settings.nginx_stat_url.to_string(), "http://localhost:4002/s");
    assert_eq!(settings.mediamtx_url.to_string(), "http://localhost:4003");
    assert_eq!(settings.rtsp_url.to_string(), "rtsp://localhost:4004");
    assert_eq!(origin(&settings, "nginx_rtmp_url"), Origin::Follows("rtmp_port"));
    assert_eq!(settings.serve.ports.of(Service::Rtmp), 4001);
    let settings = load(&[("listen", "192.0.2.7")]).unwrap();
    assert_eq!(settings.nginx_rtmp_url.to_string(), "rtmp://192.0.2.7:1935/live");
    assert_eq!(settings.rtsp_url.to_string(), "rtsp://192.0.2.7:8554");
    let settings = load(&[("listen", "0.0.0.0")]).unwrap();
    assert_eq!(settings.nginx_rtmp_url.to_string(), "rtmp://localhost:1935/live");
    assert_eq!(settings.serve.control_listen.to_string(), "0.0.0.0");
    assert_eq!(load(&[("rtmp_port", "0")]).unwrap().nginx_rtmp_url.port(), 1935);
}

#[test]
fn wrong_values_say_what_would_be_right() {
    for (flag, value, words) in [
        ("listen", "everywhere", "--listen: 'everywhere' is no IP address; 127.0.0.1 is"),
        ("control_listen", "", "--control-listen: '' is no IP address"),
        ("rtmp_port", "65536", "--rtmp-port: '65536' is no port"),
        ("rtmp_port", "-1", "'-1' is no port"),
        ("rtmp_port", "+1", "'+1' is no port"),
        ("stat_port", "", "'' is no port"),
        ("readers_per_address", "0", "--readers-per-address: '0' is no number from 1 to 4096"),
        ("publishers_per_address", "many", "'many' is no number"),
        ("media_workers", "0", "--media-workers: '0' is no number from 1 to 256"),
        ("rtp_port", "8001", "--rtp-port: 8001 is odd"),
        ("applications", "live,", "'' is no application"),
        ("applications", "a/../b", "'a/../b' is no application"),
        ("stat_path", "stat", "'stat' is no path"),
        ("trusted", "10.0.0.0/8,lan", "'lan' is no network"),
        ("publish_user", "a:b", "--publish-user: a user's name has"),
    ] {
        let failure = load(&[(flag, value)]).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 2);
        assert!(failure.what().contains(words), "{failure}");
    }
    let failure = load(&[("rtmp_port", "5"), ("api_port", "5")]).unwrap().serve.distinct().unwrap_err();
    assert_eq!(failure.what(), "rtmp_port and api_port both name port 5");
    load(&[("rtmp_port", "0"), ("api_port", "0")]).unwrap().serve.distinct().unwrap();
}

#[test]
fn passwords_are_read_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pw");
    atomic_file::write(&file, b"hunter22 \nsecond\n", 0o600, Durability::Cached).unwrap();
    let settings =
        load(&[("publish_password_file", file.to_str().unwrap()), ("read_password", "letmein")]).unwrap();
    let publish = settings.serve.publish.credentials(&mut std::io::empty()).unwrap().unwrap();
    assert_eq!((publish.user.as_str(), publish.password.reveal()), ("publish", "hunter22 "));
    let read = settings.serve.read.credentials(&mut std::io::empty()).unwrap().unwrap();
    assert_eq!((read.user.as_str(), read.password.reveal()), ("read", "letmein"));
    let shown = settings.shown().iter().find(|s| s.name == "read_password").unwrap();
    assert_eq!(shown.value, "***");
    assert!(!format!("{settings:?}").contains("letmein"));
    let both = load(&[("read_password", "a"), ("read_password_file", "b")]).unwrap();
    let failure = both.serve.read.credentials(&mut std::io::empty()).unwrap_err();
    assert!(failure.what().contains("both set"), "{failure}");
    let stdin = load(&[("publish_password_file", "-")]).unwrap().serve.publish;
    assert_eq!(stdin.credentials(&mut "pw\n".as_bytes()).unwrap().unwrap().password.reveal(), "pw");
    let failure = stdin.credentials(&mut std::io::empty()).unwrap_err();
    assert!(failure.to_string().contains("it is empty"), "{failure}");
    let failure = stdin.credentials(&mut "a\tb\n".as_bytes()).unwrap_err();
    assert!(!failure.to_string().contains("a\tb"), "{failure}");
    let missing = load(&[("read_password_file", "/nowhere/pw")]).unwrap().serve.read;
    assert!(missing.credentials(&mut std::io::empty()).unwrap_err().what().contains("/nowhere/pw"));
}

#[test]
fn our_own_programs_show_the_passwords_of_our_own_server() {
    let passwords = [("publish_password", "pw1"), ("read_password", "pw2")];
    let settings = load(&passwords).unwrap();
    let publishing = settings.for_publishing().unwrap();
    assert_eq!(publishing.nginx_rtmp_url.name_url("a"), "rtmp://localhost:1935/live/a?user=publish&pass=pw1");
    assert!(!publishing.rtsp_url.has_secrets());
    let reading = settings.for_reading().unwrap();
    assert_eq!(reading.nginx_rtmp_url.name_url("a"), "rtmp://localhost:1935/live/a?user=read&pass=pw2");
    assert_eq!(reading.rtsp_url.name_url("a"), "rtsp://read:pw2@localhost:8554/a");
    // Neither another machine's server gets them, nor one that is shown others already.
    for url in ["rtmp://media.example/live", "rtmp://localhost/live?key=1"] {
        let flags = [&passwords[..], &[("nginx_rtmp_url", url)]].concat();
        let publishing = load(&flags).unwrap().for_publishing().unwrap();
        assert_eq!(publishing.nginx_rtmp_url, url.parse().unwrap());
    }
    assert!(!load(&[]).unwrap().for_publishing().unwrap().nginx_rtmp_url.has_secrets());
}
