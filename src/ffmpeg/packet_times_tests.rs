//! Tests of `packet_times`.

use super::*;
use proptest::prelude::*;

fn line(track: u32, at: f64) -> String {
    format!("stream_index={track}|pts_time={at:.3}|dts_time={at:.3}|size=9|flags=K_\n")
}

/// Video every 40 ms and audio every 20, without the packets that `left_out` names.
fn list(from: f64, seconds: u32, left_out: impl Fn(u32, f64) -> bool) -> String {
    let mut text = String::new();
    for n in 0..seconds * 50 {
        let at = f64::from(n) / 50.0;
        for track in [0, 1] {
            if (track == 1 || n % 2 == 0) && !left_out(track, at) {
                text.push_str(&line(track, from + at));
            }
        }
    }
    text
}

fn read(text: &str) -> Times {
    parse(text.as_bytes(), Some(0), Some(1))
}

fn says(times: Times, words: &str) {
    let Times::Faulty(why) = &times else { panic!("{times:?}") };
    assert!(why.starts_with(words), "{why}");
}

#[test]
fn a_plain_film_is_plain() {
    assert_eq!(read(&list(95_000.0, 8, |_, _| false)), Times::Plain);
    assert_eq!(read(""), Times::Unread);
    let no_video = |track: u32, at: f64| track == 0 && (2.0..6.0).contains(&at);
    assert_eq!(read(&list(0.0, 8, no_video)), Times::Plain, "video may be sparse");
    assert_eq!(parse(list(0.0, 4, |t, _| t == 0).as_bytes(), None, Some(1)), Times::Plain);
}

#[test]
fn steps_and_holes_are_found() {
    let (first, again) = (list(100.0, 4, |_, _| false), list(50.0, 4, |_, _| false));
    says(read(&(first.clone() + &again)), "they step back by 54.0 s at 00:00:03");
    says(read(&(again + &first)), "they leave a hole of 46.0 s");
    says(read(&list(0.0, 8, |t, at| t == 1 && (2.0..5.0).contains(&at))), "they leave audio out for 3.0 s");
    says(read(&list(0.0, 8, |t, at| t == 1 && at > 5.0)), "they leave audio out for 3.0 s at 00:00:05");
    says(read(&list(0.0, 8, |t, at| t == 1 && at < 2.0)), "they leave audio out for 2.0 s");
}

proptest! {
    #[test]
    fn any_text_is_read(text in "(stream_index=|pts_time=|dts_time=|[0-9.eE-]|\\||\n|\\PC){0,200}") {
        let _ = read(&text);
    }
}
