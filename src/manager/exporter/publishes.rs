//! What the supervisors wrote down of our own streams, as series.

use super::names;
use super::sheet::{Sheet, label};
use crate::manager::ours::Ours;
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
