//! Streams that this machine publishes to the server, by what their supervisors write down.

use super::Places;
use crate::config::Paths;
use crate::ffmpeg::made_by;
use crate::machine::reader::Process;
use crate::model::RtmpUrl;
use crate::process::index;
use crate::process::run_record::RunRecord;

/// Most streams that are looked up.
const MOST: usize = 500;

/// One stream.
pub struct Published {
    /// What its supervisor wrote last.
    pub record: RunRecord,
    /// Its application at the server.
    pub application: String,
    /// What encodes it, while that lives and can be seen from here.
    pub child: Option<Process>,
}

/// All that are supervised at this moment.
pub fn published(places: &Places, boot_id: &str, now_ms: i64) -> Vec<Published> {
    let Some(runtime) = &places.runtime else { return Vec::new() };
    let of = |entry: index::Entry| {
        let key = entry.key.clone();
        let own =
            RunRecord::read(&Paths::new(&entry.home).record(&key)).filter(|own| own.key == key.as_str());
        let record = entry.or_newer(own)?;
        let alive = record.supervisor_alive(boot_id) || record.lives_out_of_sight(boot_id, now_ms);
        let endpoint = record.endpoint.parse::<RtmpUrl>().ok()?;
        let here = endpoint.is_local() && endpoint.port() == places.rtmp_port;
        (alive && here).then(|| Published {
            child: child(&record, boot_id),
            application: endpoint.application().to_string(),
            record,
        })
    };
    index::entries(runtime).into_iter().filter_map(of).take(MOST).collect()
}

/// Numbers of another boot or of another container name other processes.
fn child(record: &RunRecord, boot_id: &str) -> Option<Process> {
    let here = record.boot_id == boot_id && !record.out_of_sight();
    record.child.filter(|_| here).map(|child| Process { pid: child.pid, start: child.start })
}

impl Published {
    /// What encodes its video.
    pub fn encoder(&self) -> Option<String> {
        let named = made_by::encoder(self.record.argv.iter().map(String::as_str))?;
        Some(named.chars().take(64).collect())
    }
}
