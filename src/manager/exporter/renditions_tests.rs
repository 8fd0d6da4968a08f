//! Tests of `renditions`.

use super::*;
use crate::manager::listing::stream_facts::gather;
use crate::status::nginx_stat::{Application, Client, Snapshot, StreamStat};

fn snapshot(names: &[&str], bytes_in: u64) -> Snapshot {
    let streams = names
        .iter()
        .map(|name| StreamStat {
            name: name.to_string(),
            time_ms: 60_000,
            bytes_in,
            bytes_out: 9,
            bw_in_bps: 800,
            publishing: true,
            active: true,
            nclients: 3,
            clients: vec![
                Client { publishing: true, dropped: 50, time_ms: 60_000, ..Client::default() },
                Client { dropped: 3, ..Client::default() },
                Client { dropped: 4, ..Client::default() },
            ],
            ..StreamStat::default()
        })
        .collect();
    let application = Application { name: "live".into(), live: true, streams };
    Snapshot { applications: vec![application], ..Snapshot::default() }
}

fn look(memory: &mut Memory, snapshot: &Snapshot, at: Instant) -> String {
    let rtmp = "rtmp://localhost/live".parse().unwrap();
    let (live, _) = gather(Some(snapshot), None, "live");
    let mut sheet = Sheet::default();
    add(&mut sheet, &live, &[], &rtmp, memory, (at, 0));
    sheet.page()
}

#[test]
fn a_frozen_publisher_is_seen_by_its_bytes() {
    let (mut memory, begun) = (Memory::default(), Instant::now());
    let at = |seconds| begun + Duration::from_secs(seconds);
    let labels = r#"{application="live",stream="a",variant="720p"}"#;
    let first = look(&mut memory, &snapshot(&["a_720p"], 100), at(0));
    for line in [
        format!("msconv_rendition_received_bytes_total{labels} 100"),
        format!("msconv_rendition_sent_bytes_total{labels} 9"),
        format!("msconv_rendition_received_bytes_per_second{labels} 100"),
        format!("msconv_rendition_viewers{labels} 2"),
        format!("msconv_rendition_viewer_dropped_frames{labels} 7"),
        format!("msconv_rendition_last_byte_age_seconds{labels} 0"),
    ] {
        assert!(first.contains(&format!("{line}\n")), "{line}\n{first}");
    }
    let later = look(&mut memory, &snapshot(&["a_720p"], 100), at(40));
    assert!(later.contains(&format!("msconv_rendition_last_byte_age_seconds{labels} 40\n")), "{later}");
    assert!(later.contains(&format!("msconv_rendition_received_bytes_per_second{labels} 0\n")), "{later}");
    // A new publisher counts from nothing, which is a change as well.
    let anew = look(&mut memory, &snapshot(&["a_720p"], 5), at(50));
    assert!(anew.contains(&format!("msconv_rendition_last_byte_age_seconds{labels} 0\n")), "{anew}");
    look(&mut memory, &snapshot(&[], 0), at(60));
    assert!(memory.seen.is_empty(), "what is gone is forgotten");
}
