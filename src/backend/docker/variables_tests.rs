//! Tests of `variables`.

use super::*;
use crate::config::{Environment, Layer};

fn of(flags: &[(&'static str, &str)], vars: &[(&str, &str)], uid: u32) -> Outcome<Vec<(String, String)>> {
    let dir = tempfile::tempdir().unwrap();
    let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
    let settings = Settings::load(flags, &Environment::made(vars, dir.path()))?;
    variables(&settings, Owner { uid, gid: uid })
}

fn get(variables: &[(String, String)], name: &str) -> Option<String> {
    variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
}

#[test]
fn what_nobody_set_is_left_to_the_stack() {
    let usual = of(&[], &[], 1234).unwrap();
    let names: Vec<&str> = usual.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["MSCONV_HOME", "MSCONV_UID", "MSCONV_GID", "MSCONV_SERVER_UID", "MSCONV_SERVER_GID"]);
    assert_eq!(get(&usual, "MSCONV_SERVER_UID").as_deref(), Some("1234"));
    let root = of(&[], &[], 0).unwrap();
    assert_eq!(get(&root, "MSCONV_UID").as_deref(), Some("0"));
    assert_eq!(get(&root, "MSCONV_SERVER_UID").as_deref(), Some("1000"), "no server runs as root");
}

#[test]
fn ports_follow_the_urls() {
    let moved = of(
        &[("nginx_rtmp_url", "rtmp://localhost:41935/live"), ("mediamtx_url", "http://localhost:49997")],
        &[("MSCONV_STAT_PORT", "48080")],
        1,
    )
    .unwrap();
    assert_eq!(get(&moved, "MSCONV_RTMP_PORT").as_deref(), Some("41935"));
    assert_eq!(get(&moved, "MSCONV_STAT_PORT").as_deref(), Some("48080"));
    assert_eq!(get(&moved, "MSCONV_API_PORT").as_deref(), Some("49997"));
    assert_eq!(get(&moved, "MSCONV_METRICS_PORT").as_deref(), Some("0"), "a free one, as everywhere");
    assert_eq!(get(&moved, "MSCONV_RTSP_PORT"), None);
}

#[test]
fn the_control_endpoints_stay_here_unless_asked() {
    let open = of(&[("listen", "0.0.0.0")], &[], 1).unwrap();
    assert_eq!(get(&open, "MSCONV_LISTEN").as_deref(), Some("0.0.0.0"));
    assert_eq!(get(&open, "MSCONV_CONTROL_LISTEN"), None);
    let six = of(&[("listen", "::1")], &[], 1).unwrap();
    assert_eq!(get(&six, "MSCONV_LISTEN").as_deref(), Some("[::1]"));
    assert_eq!(get(&six, "MSCONV_CONTROL_LISTEN").as_deref(), Some("[::1]"));
    let one = of(&[("listen", "192.0.2.7")], &[], 1).unwrap_err();
    let text = crate::ui::failure_text::text(&one);
    assert!(text.contains("--listen 0.0.0.0"), "{text}");
    let asked = [("MSCONV_CONTROL_LISTEN", "192.0.2.7"), ("MSCONV_TRUSTED", "192.0.2.0/24,10.1.2.3")];
    let asked = of(&[("listen", "192.0.2.7")], &asked, 1).unwrap();
    assert_eq!(get(&asked, "MSCONV_CONTROL_LISTEN").as_deref(), Some("192.0.2.7"));
    assert!(get(&asked, "MSCONV_TRUSTED").is_some_and(|t| t.starts_with("192.0.2.0/24,10.1.2.3")));
}

#[test]
fn what_the_stack_cannot_do_is_a_usage_error() {
    for (flags, vars, words) in [
        (&[("nginx_rtmp_url", "rtmp://media.example/live")][..], &[][..], "names another one"),
        (&[("nginx_rtmp_url", "rtmp://localhost/show")][..], &[][..], "the application live, not 'show'"),
        (&[("nginx_stat_url", "http://localhost:8080/status")][..], &[][..], "at /stat"),
        (&[][..], &[("MSCONV_PUBLISH_PASSWORD", "x")][..], "cannot ask for passwords"),
        (&[][..], &[("MSCONV_WEB", "false")][..], "web is false"),
        (&[("listen", "everywhere")][..], &[][..], "'everywhere'"),
        (&[][..], &[("MSCONV_LISTEN", "999.1.1.1")][..], "999.1.1.1"),
    ] {
        let failure = of(flags, vars, 1).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 2, "{failure}");
        assert!(failure.to_string().contains(words), "{failure}");
    }
}
