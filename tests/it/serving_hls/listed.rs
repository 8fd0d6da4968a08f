//! A playlist parser that is not ours (npm hls-parser) reads every playlist of a ladder: what it complains of, and what it
//! understood. scripts/test.sh fetches it; `MSCONV_TEST_HLS_PARSER` names its folder.

use super::house::{House, LABELS};
use super::killed_and_back;
use crate::live::SOON;
use crate::stage::{PATIENCE, Stage, needs, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Prints what it understood of the playlist in a file, and what it found against the rules.
const PARSE: &str = "
const complaints = [];
console.error = (...words) => complaints.push(words.join(' '));
const { parse } = require(process.argv[1]);
const playlist = parse(require('fs').readFileSync(process.argv[2], 'utf8'));
delete playlist.source;
console.log(JSON.stringify({ complaints, playlist }));
";

/// Parts are listed for four target durations instead of three, since hls.js needs them; the first and last parts of a
/// run are as long as what there was. Both are recommendations (RFC 8216bis, 4.4.4.9 and 4.4.3.7).
const KNOWN: [&str; 2] = ["Remove EXT-X-PART tags", "at least 85% of PART-TARGET"];

fn parser() -> Option<PathBuf> {
    if !needs("node") {
        return None;
    }
    let named = std::env::var_os("MSCONV_TEST_HLS_PARSER").map(PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let folders = named.into_iter().chain([target.join("hls-parser/node_modules/hls-parser")]);
    let found = folders.into_iter().find(|folder| folder.join("package.json").is_file());
    if found.is_none() {
        let required = std::env::var("MSCONV_REQUIRE_REAL").is_ok_and(|v| v == "1");
        assert!(!required, "MSCONV_REQUIRE_REAL is set and hls-parser is not here");
        eprintln!("skipped: hls-parser not found");
    }
    found
}

/// What the parser understood of a text.
#[track_caller]
fn parsed(stage: &Stage, parser: &Path, text: &str) -> Value {
    let file = stage.file("playlist.m3u8");
    std::fs::write(&file, text).unwrap();
    let args = ["-e", PARSE, parser.to_str().unwrap(), file.to_str().unwrap()];
    let run = stage.spawn("node", &args).wait(PATIENCE).expect(0);
    let mut all = run.json();
    let complaints = all["complaints"].as_array().unwrap();
    let known = |one: &&Value| KNOWN.iter().any(|known| one.as_str().unwrap().contains(known));
    let new: Vec<&Value> = complaints.iter().filter(|one| !known(one)).collect();
    assert!(new.is_empty(), "{new:#?}\n{text}");
    all["playlist"].take()
}

#[test]
fn another_parser_reads_every_playlist() {
    let Some(parser) = parser() else { return };
    let Some(house) = House::new("hls-parser") else { return };
    let read = |text: &str| parsed(&house.stage, &parser, text);
    let all = read(&house.text("/live/cam/index.m3u8"));
    let variants = all["variants"].as_array().unwrap();
    assert_eq!(all["isMasterPlaylist"], true);
    assert_eq!(all["independentSegments"], true);
    assert_eq!(variants.len(), LABELS.len());
    for (variant, (label, height)) in variants.iter().zip(LABELS.iter().zip([360, 240, 144])) {
        assert_eq!(variant["uri"], format!("{label}/i.m3u8"));
        assert_eq!(variant["resolution"]["height"], height, "{variant}");
        assert!(variant["bandwidth"].as_u64() >= variant["averageBandwidth"].as_u64(), "{variant}");
        let codecs = variant["codecs"].as_str().unwrap();
        assert!(codecs.starts_with("avc1.") && codecs.ends_with(",mp4a.40.2"), "{variant}");
    }
    wait_for("some segments", SOON, || house.playlist("360p").segments.len() >= 3);
    for label in LABELS {
        media(&read(&house.playlist(label).text), label);
    }
    killed_and_back(&house);
    for label in LABELS {
        let text = wait_for("all renditions to go on", SOON, || {
            let text = house.playlist(label).text;
            if text.contains("#EXT-X-DISCONTINUITY\n") { Ok(text) } else { Err(text) }
        });
        let playlist = read(&text);
        let segments = playlist["segments"].as_array().unwrap();
        let torn: Vec<&Value> = segments.iter().filter(|s| s["discontinuity"] == true).collect();
        assert_eq!(torn.len(), 1, "{text}");
        let (first, last) = (&segments[0], &segments[segments.len() - 1]);
        assert_eq!((&first["discontinuitySequence"], &last["discontinuitySequence"]), (&0.into(), &1.into()));
        assert!(torn[0]["map"]["uri"].is_string(), "{text}");
    }
    // Until a delta update leaves something out: twelve seconds are behind it by then.
    let delta = wait_for("a delta update that skips", SOON, || {
        let text = house.text("/live/cam/240p/i.m3u8?_HLS_skip=YES");
        if text.contains("#EXT-X-SKIP:") { Ok(text) } else { Err(text) }
    });
    let playlist = read(&delta);
    assert!(playlist["skip"].as_u64().unwrap() >= 1, "{delta}");
    house.stop();
}

#[track_caller]
fn media(playlist: &Value, label: &str) {
    let target = playlist["targetDuration"].as_f64().unwrap();
    let control = &playlist["lowLatencyCompatibility"];
    assert_eq!((target, &control["canBlockReload"]), (2.0, &true.into()), "{playlist}");
    assert_eq!((&control["canSkipUntil"], &control["holdBack"]), (&12.into(), &6.into()));
    let part = playlist["partTargetDuration"].as_f64().unwrap();
    assert!((control["partHoldBack"].as_f64().unwrap() - 3.0 * part).abs() < 0.001, "{playlist}");
    let segments = playlist["segments"].as_array().unwrap();
    let complete: Vec<&Value> = segments.iter().filter(|segment| segment["uri"].is_string()).collect();
    assert!(complete.len() >= 3, "{playlist}");
    let (mut parts, mut hints) = (0, 0);
    for (index, segment) in segments.iter().enumerate() {
        let first = playlist["mediaSequenceBase"].as_u64().unwrap();
        assert_eq!(segment["mediaSequenceNumber"].as_u64(), Some(first + index as u64), "{segment}");
        let own = segment["parts"].as_array().unwrap();
        let (hinted, listed): (Vec<&Value>, Vec<&Value>) = own.iter().partition(|part| part["hint"] == true);
        parts += listed.len();
        hints += hinted.len();
        if let (Some(length), true) = (segment["duration"].as_f64(), listed.len() > 1) {
            let sum: f64 = listed.iter().map(|part| part["duration"].as_f64().unwrap()).sum();
            assert!((sum - length).abs() < 0.05, "{sum} and {length}: {segment}");
            assert_eq!(listed[0]["independent"], true, "{segment}");
        }
    }
    assert!(parts > 20 && hints == 1, "{parts} parts, {hints} hints: {playlist}");
    let reports = playlist["renditionReports"].as_array().unwrap();
    assert_eq!(reports.len(), LABELS.len() - 1, "{playlist}");
    for report in reports {
        assert_ne!(report["uri"], format!("../{label}/i.m3u8"));
        assert!(report["lastMSN"].as_u64().is_some() && report["lastPart"].as_u64().is_some(), "{report}");
    }
}
