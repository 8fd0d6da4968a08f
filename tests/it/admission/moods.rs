//! A back end in every mood: whatever it does or does not say, the server goes on, and nobody is let in by it.

use super::asking;
use super::back_end::{Asked, BackEnd, Mood, says};
use crate::stage::{Answer, PATIENCE, Serve, Stage, wait_for};

/// The list of a stream that nobody publishes: 404 if it may be read, 403 or 401 if not, 503 if nobody knows.
fn list(serve: &Serve, name: &str) -> Answer {
    serve.get("web", &format!("/live/{name}/index.m3u8"))
}

/// Answers by the name that is asked about.
fn moody(asked: &Asked) -> Mood {
    let is = |name: &str| asked.body.contains(&format!(r#""key":"{name}""#));
    let allow = r#"{"allow":true}"#;
    match () {
        () if is("allowed") => says(200, allow),
        () if is("refused") => says(403, r#"{"allow":false,"reason":"members alone"}"#),
        () if is("long") => says(403, &format!(r#"{{"reason":"{}"}}"#, "no \\u001b[2J".repeat(400))),
        () if is("sleeps") => Mood::Sleeps(Box::new(says(200, allow))),
        () if is("fault") => says(500, allow),
        () if is("elsewhere") => Mood::Says(302, "Location: http://127.0.0.1:1/\r\n", allow.into()),
        () if is("huge") => says(200, &format!("{allow}{}", " ".repeat(1024 * 1024))),
        () if is("broken") => says(200, &allow[..8]),
        () if is("deep") => says(200, &"[".repeat(30_000)),
        () if is("closes") => Mood::Breaks(""),
        () if is("half") => Mood::Breaks("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"allow\":true}"),
        () if is("no-http") => Mood::Breaks("SSH-2.0-x\r\n"),
        () => says(404, ""),
    }
}

#[test]
fn nothing_but_a_clear_yes_lets_anybody_in() {
    let stage = Stage::new("admission-moods");
    let back_end = BackEnd::start(moody);
    stage.set("MSCONV_ADMISSION_TIMEOUT", "1s");
    let serve = asking(&stage, &back_end, "msconv", &[]);
    let refused = list(&serve, "refused");
    assert_eq!((refused.status, refused.body.trim()), (403, "members alone"), "{refused:?}");
    let long = list(&serve, "long");
    assert!(long.status == 403 && long.body.len() < 500 && !long.body.contains('\u{1b}'), "{long:?}");
    for (name, status) in [
        ("allowed", 404),
        ("unknown", 403),
        ("elsewhere", 403),
        ("broken", 403),
        ("deep", 403),
        ("fault", 503),
        ("huge", 503),
        ("closes", 503),
        ("half", 503),
        ("no-http", 503),
        ("sleeps", 503),
        ("allowed", 404),
    ] {
        let answer = list(&serve, name);
        assert_eq!(answer.status, status, "{name}: {answer:?}\n{}", serve.running().stderr());
    }
    // The answer that came late is heeded by nobody, and the next one is.
    back_end.wake();
    wait_for("an answer in time", PATIENCE, || list(&serve, "sleeps").status == 404);
    let said = |words: &str| serve.running().wait_for_words(words, PATIENCE);
    said("is of no use (it answers with HTTP 500); nobody is let in");
    said("the back end answers again");
}

#[test]
fn a_viewer_of_a_list_is_asked_about_once() {
    let stage = Stage::new("admission-cache");
    let back_end = BackEnd::start(moody);
    let serve = asking(&stage, &back_end, "msconv", &[]);
    for n in 0..20 {
        let answer = serve.get("web", &format!("/live/allowed/index.m3u8?_HLS_msn={n}"));
        assert_eq!(answer.status, 404);
    }
    assert_eq!(back_end.asked().len(), 1);
    assert_eq!(serve.get("web", "/live/allowed/index.m3u8?token=x").status, 404);
    assert_eq!(back_end.asked().len(), 2, "another token is another question");
    let asked = back_end.asked().remove(1);
    assert!(asked.body.contains(r#""query":"token=x","token":"x"}"#), "{asked:?}");
    assert_eq!(asked.field("webhook-signature"), "", "there is no secret to sign with");
}

#[test]
fn no_back_end_is_nobody() {
    let stage = Stage::new("admission-gone");
    let back_end = BackEnd::start(moody);
    stage.set("MSCONV_ADMISSION_CACHE", "0");
    stage.set("MSCONV_ADMISSION_WHEN_SILENT", "allow-known");
    let serve = asking(&stage, &back_end, "msconv", &[]);
    assert_eq!(list(&serve, "allowed").status, 404);
    drop(back_end);
    wait_for("the back end to be gone", PATIENCE, || {
        list(&serve, "allowed").status == 404 && serve.running().stderr().contains("is of no use")
    });
    assert_eq!(list(&serve, "unknown").status, 503);
    serve.running().wait_for_words("only what it allowed lately is let in", PATIENCE);
}

#[test]
fn questions_are_signed() {
    let stage = Stage::new("admission-signed");
    let back_end = BackEnd::start(moody);
    let secret = stage.file("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let serve = asking(&stage, &back_end, "msconv", &["--admission-secret-file", secret.to_str().unwrap()]);
    assert_eq!(list(&serve, "allowed").status, 404);
    let asked = back_end.asked().remove(0);
    assert_eq!(asked.line, "POST /hook");
    assert!(asked.field("webhook-id").starts_with("msg_") && !asked.field("webhook-timestamp").is_empty());
    assert!(asked.field("webhook-signature").starts_with("v1,"), "{asked:?}");
    assert!(!serve.running().stderr().contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
}
