//! Whose a name on a server is: our records, asked by application and name.

use super::ours::Ours;
use crate::model::{Order, RtmpUrl, State};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// How old a record of a living supervisor may be to be believed about the moment, in milliseconds.
pub const FRESH_MS: i64 = 15_000;

/// Whether a record can be believed about the moment.
pub fn fresh(own: &Ours, now_ms: i64) -> bool {
    own.alive && now_ms.saturating_sub(own.record.written_at_ms).saturating_abs() <= FRESH_MS
}

/// Whether anything of the stream lives.
pub fn running(own: &Ours) -> bool {
    own.alive || own.pid.is_some()
}

/// Whether two RTMP addresses are one server.
pub fn same_server(a: &RtmpUrl, b: &RtmpUrl) -> bool {
    a.port() == b.port() && (a.host().eq_ignore_ascii_case(b.host()) || (a.is_local() && b.is_local()))
}

/// Our own streams, and which names on the asked server are theirs.
pub struct Owners<'a> {
    /// Every record with its endpoint; where two claim a name, the earlier one has it.
    pub sorted: Vec<(&'a Ours, Option<RtmpUrl>)>,
    by_name: HashMap<String, HashMap<&'a str, &'a Ours>>,
    /// Every label that a record gives a key.
    pub labels: HashSet<(&'a str, &'a str)>,
}

impl<'a> Owners<'a> {
    /// The owners of names on the server of `rtmp`.
    pub fn new(ours: &'a [Ours], rtmp: &RtmpUrl) -> Owners<'a> {
        let mut sorted: Vec<_> =
            ours.iter().map(|own| (own, own.record.endpoint.parse::<RtmpUrl>().ok())).collect();
        // Where two records claim a name, a running one wins, then the newer one.
        sorted.sort_by_cached_key(|(own, _)| {
            let record = &own.record;
            (!running(own), Reverse(record.started_at_ms), record.key.clone(), record.home.clone())
        });
        let mut by_name: HashMap<String, HashMap<&'a str, &'a Ours>> = HashMap::new();
        let mut labels = HashSet::new();
        for (own, endpoint) in &sorted {
            let own: &'a Ours = own;
            let here = endpoint.as_ref().is_none_or(|e| same_server(e, rtmp));
            let application = endpoint.as_ref().unwrap_or(rtmp).application();
            for output in &own.record.renditions {
                if output.label != "original" {
                    labels.insert((own.record.key.as_str(), output.label.as_str()));
                }
                if running(own) && here {
                    by_name.entry(application.to_string()).or_default().entry(&output.name).or_insert(own);
                }
            }
        }
        Owners { sorted, by_name, labels }
    }

    /// Whose a name is.
    pub fn of_name(&self, application: &str, name: &str) -> Option<&'a Ours> {
        self.by_name.get(application)?.get(name).copied()
    }
}

/// The reason that is told for a stream which a reboot cut off.
pub const REBOOT: &str = "reboot";

/// The last state of a stream whose supervisor is gone.
pub fn own_end(own: &Ours) -> State {
    match own.record.state {
        state if state.ended() => state,
        _ if own.record.order == Order::Stop => State::Finished,
        _ => State::Failed,
    }
}
