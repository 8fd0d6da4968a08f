//! What the supervisors wrote down of our own streams, as series.

use super::names;
use super::sheet::{Sheet, label};
use crate::manager::records::ours::Ours;
use crate::model::State;
use std::collections::BTreeSet;

/// Streams of ours that get series of their own.
pub const MOST: usize = 500;

/// The word for a stream whose supervisor is gone without having said so: it was killed, or the machine rebooted.
pub const STOPPED: &str = "stopped";

/// Adds the series of every stream, those that live first; how many were left out.
pub fn add(sheet: &mut Sheet, ours: &[Ours], now_ms: i64) -> usize {
    let mut streams: Vec<&Ours> = ours.iter().collect();
    streams.sort_by_key(|own| !own.alive);
    let mut used = BTreeSet::new();
    for own in streams {
        if used.len() >= MOST {
            break;
        }
        let home = label(&own.record.home.to_string_lossy());
        if used.insert((home.clone(), own.record.key.clone())) {
            one(sheet, own, &home, now_ms);
        }
    }
    ours.len().saturating_sub(used.len())
}

fn one(sheet: &mut Sheet, own: &Ours, home: &str, now_ms: i64) {
    let record = &own.record;
    let at: &[&str] = &[home, &record.key];
    let seconds = |ms: i64| ms as f64 / 1000.0;
    // The clock may have been set back since.
    let since = |ms: i64| seconds(now_ms.saturating_sub(ms).max(0));
    let running = own.alive;
    sheet.add(&names::PUBLISH_INFO, &[home, &record.key, &record.endpoint, &record.source], 1.0);
    let state = if running || record.state.ended() { record.state.word() } else { STOPPED };
    for word in State::ALL.iter().map(|s| s.word()).chain([STOPPED]) {
        sheet.add(&names::PUBLISH_STATE, &[home, &record.key, word], f64::from(u8::from(word == state)));
    }
    sheet.add(&names::PUBLISH_RESTARTS, at, record.restarts as f64);
    sheet.add(&names::PUBLISH_STARTED, at, seconds(record.started_at_ms));
    sheet.add_known(&names::PUBLISH_LIVE, at, record.live_since_ms.filter(|_| running).map(seconds));
    sheet.add_known(&names::PUBLISH_SPEED, at, record.speed.filter(|_| running));
    sheet.add_known(&names::PUBLISH_FPS, at, record.fps.filter(|_| running));
    sheet.add(&names::PUBLISH_DROPPED, at, record.dropped_frames as f64);
    sheet.add_known(&names::PUBLISH_COST, at, record.cost.filter(|_| running));
    if running {
        sheet.add(&names::PUBLISH_REPORT, at, since(record.written_at_ms));
    }
    for output in &record.renditions {
        let at: &[&str] = &[home, &record.key, &output.label];
        let on_air = running && output.state.on_air();
        sheet.add(&names::OUTPUT_ON_AIR, at, f64::from(u8::from(on_air)));
        sheet.add_known(&names::OUTPUT_RECEIVED, at, output.bytes_in.map(|n| n as f64));
        let rate = output.bitrate_bps.filter(|_| running).map(|bits| bits as f64 / 8.0);
        sheet.add_known(&names::OUTPUT_RATE, at, rate);
        sheet.add_known(&names::OUTPUT_AGE, at, output.last_byte_at_ms.filter(|_| running).map(since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::run_record::RunRecord;

    const RECORD: &str = r#"{"schema":1,"key":"a","home":"/h","order":"run","state":"live","started_at_ms":1000,
        "live_since_ms":2000,"written_at_ms":62000,"fps":30.0,"speed":0.9,"cost":1.5,"restarts":2,"dropped_frames":7,
        "endpoint":"rtmp://h/live","source":"film","renditions":[{"label":"720p","name":"a_720p","size":[1280,720],
        "state":"live","bytes_in":5,"bitrate_bps":80,"viewers":1,"last_byte_at_ms":60000}]}"#;

    fn own(json: &str, alive: bool) -> Ours {
        let record = RunRecord::parse(json.as_bytes()).unwrap();
        Ours { record, alive, pid: None, log: "/h/logs/ffmpeg/a.log".into(), rebooted: false }
    }

    fn page(ours: &[Ours], now_ms: i64) -> (String, usize) {
        let mut sheet = Sheet::default();
        let left_out = add(&mut sheet, ours, now_ms);
        (sheet.page(), left_out)
    }

    #[test]
    fn a_living_stream_has_its_figures_and_one_state() {
        let (page, left_out) = page(&[own(RECORD, true)], 63_000);
        assert_eq!(left_out, 0);
        for line in [
            r#"msconv_publish_state{home="/h",stream="a",state="live"} 1"#,
            r#"msconv_publish_state{home="/h",stream="a",state="stopped"} 0"#,
            r#"msconv_publish_restarts_total{home="/h",stream="a"} 2"#,
            r#"msconv_publish_speed_ratio{home="/h",stream="a"} 0.9"#,
            r#"msconv_publish_frames_per_second{home="/h",stream="a"} 30"#,
            r#"msconv_publish_dropped_frames_total{home="/h",stream="a"} 7"#,
            r#"msconv_publish_planned_cpu_cores{home="/h",stream="a"} 1.5"#,
            r#"msconv_publish_report_age_seconds{home="/h",stream="a"} 1"#,
            r#"msconv_publish_rendition_on_air{home="/h",stream="a",variant="720p"} 1"#,
            r#"msconv_publish_rendition_received_bytes_per_second{home="/h",stream="a",variant="720p"} 10"#,
            r#"msconv_publish_rendition_last_byte_age_seconds{home="/h",stream="a",variant="720p"} 3"#,
        ] {
            assert!(page.contains(&format!("{line}\n")), "{line}\n{page}");
        }
        let on = page.lines().filter(|l| l.starts_with("msconv_publish_state{") && l.ends_with(" 1"));
        assert_eq!(on.count(), 1, "{page}");
    }

    #[test]
    fn a_dead_one_has_a_state_and_no_rates() {
        let (dead, _) = page(&[own(RECORD, false)], 63_000);
        assert!(dead.contains(r#"state="stopped"} 1"#) && dead.contains(r#"state="live"} 0"#), "{dead}");
        assert!(!dead.contains("speed_ratio{") && !dead.contains("last_byte_age_seconds{"), "{dead}");
        assert!(dead.contains(r#"msconv_publish_rendition_on_air{home="/h",stream="a",variant="720p"} 0"#));
        let failed = RECORD.replace(r#""state":"live","started"#, r#""state":"failed","started"#);
        assert!(page(&[own(&failed, false)], 63_000).0.contains(r#"state="failed"} 1"#));
        // A clock that was set back makes nothing negative.
        assert!(page(&[own(RECORD, true)], 0).0.contains("report_age_seconds{home=\"/h\",stream=\"a\"} 0\n"));
    }

    #[test]
    fn living_streams_come_first_and_what_is_beyond_the_cap_is_counted() {
        let mut ours: Vec<Ours> =
            (0..600).map(|n| own(&RECORD.replace("\"a\"", &format!("\"s{n}\"")), false)).collect();
        ours.push(own(RECORD, true));
        // The same stream again, as two indexes may name it.
        ours.push(own(RECORD, true));
        let (page, left_out) = page(&ours, 63_000);
        assert_eq!(left_out, 102);
        assert!(page.contains(r#"msconv_publish_state{home="/h",stream="a",state="live"} 1"#));
        assert_eq!(page.matches("msconv_publish_info{").count(), MOST);
    }
}
