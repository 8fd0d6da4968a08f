//! What a player says: any lines are judged, and what is quoted is few.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::player::kind::Kind;
use msconv::player::words;

fuzz_target!(|text: &str| {
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    for kind in [Kind::Vlc, Kind::Mpv, Kind::Ffplay, Kind::Other] {
        let _ = words::gave_up(kind, &lines, "rtsp://h/a");
    }
    let _ = words::speaks_of_a_fault(&lines);
    assert!(words::last_words(&lines).len() <= 10);
});
