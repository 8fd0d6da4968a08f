//! What the servers say of each name, as series. Remembers when each count of bytes was last seen to change.

use super::names;
use super::sheet::{Sheet, label};
use crate::manager::listing::stream_facts::{At, Fact, Movement};
use crate::manager::records::ours::Ours;
use crate::manager::records::owners::Owners;
use crate::model::rendition_name::split;
use crate::model::{RtmpUrl, State};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

/// Names on the servers that get series of their own.
pub const MOST: usize = 500;

/// What was seen of the names' bytes, from one look to the next.
#[derive(Debug, Default)]
pub struct Memory {
    seen: HashMap<At, (u64, Instant)>,
}

impl Memory {
    /// Remembers a count; the time since it last changed. A count that was not seen before has changed now.
    fn age(&mut self, at: &At, bytes: u64, now: Instant) -> Duration {
        let known = self.seen.entry(at.clone()).or_insert((bytes, now));
        if known.0 != bytes {
            *known = (bytes, now);
        }
        now.saturating_duration_since(known.1)
    }

    fn keep(&mut self, shown: &HashSet<At>) {
        self.seen.retain(|at, _| shown.contains(at));
    }
}

/// Adds the series of every live name, ours first; how many were left out.
pub fn add(
    sheet: &mut Sheet,
    live: &BTreeMap<At, Fact<'_>>,
    ours: &[Ours],
    rtmp: &RtmpUrl,
    memory: &mut Memory,
    (now, now_ms): (Instant, i64),
) -> usize {
    let owners = Owners::new(ours, rtmp);
    let our_names: HashSet<&str> =
        ours.iter().flat_map(|own| &own.record.renditions).map(|output| output.name.as_str()).collect();
    let mut names: Vec<(&At, &Fact<'_>)> = live.iter().collect();
    // A stable sort: whoever floods a server with names does not push out those of our own streams.
    names.sort_by_key(|(at, _)| !our_names.contains(at.name.as_str()));
    let mut shown = HashSet::new();
    let mut labels_used = BTreeSet::new();
    for (at, fact) in names.into_iter() {
        if shown.len() >= MOST {
            break;
        }
        let (stream, variant) = place(&owners, at);
        let labels = [label(&at.application), label(stream), label(variant)];
        if !labels_used.insert(labels.clone()) {
            continue;
        }
        let labels = labels.each_ref().map(String::as_str);
        let (received, sent) = fact.bytes();
        let age = memory.age(at, received, now);
        let movement = if age >= STILL { Movement::Still } else { Movement::Unknown };
        let state: State = fact.state(movement);
        let bitrate = fact.bitrate_bps(state, now_ms).map(|bits| bits as f64 / 8.0);
        sheet.add(&names::RENDITION_RECEIVED, &labels, received as f64);
        sheet.add_known(&names::RENDITION_SENT, &labels, sent.map(|n| n as f64));
        sheet.add_known(&names::RENDITION_RATE, &labels, bitrate);
        sheet.add(&names::RENDITION_VIEWERS, &labels, fact.viewers() as f64);
        sheet.add_known(&names::RENDITION_DROPPED, &labels, fact.dropped().map(|n| n as f64));
        sheet.add(&names::RENDITION_AGE, &labels, age.as_secs_f64());
        sheet.add_known(&names::RENDITION_UPTIME, &labels, fact.uptime_s(now_ms).map(|s| s as f64));
        shown.insert(at.clone());
    }
    memory.keep(&shown);
    live.len().saturating_sub(shown.len())
}

/// A name whose bytes have not moved for this long has no bitrate, whatever the server still says of its last 10 s.
const STILL: Duration = Duration::from_secs(10);

/// Which stream a name belongs to, and as which variant.
fn place<'n>(owners: &Owners<'n>, at: &'n At) -> (&'n str, &'n str) {
    if let Some(own) = owners.of_name(&at.application, &at.name)
        && let Some(output) = own.record.renditions.iter().find(|r| r.name == at.name)
    {
        return (&own.record.key, &output.label);
    }
    let known = |key: &str, label: &str| owners.labels.contains(&(key, label));
    let (stream, variant) = split(&at.name, &known);
    (stream, variant.unwrap_or("original"))
}

#[cfg(test)]
#[path = "renditions_tests.rs"]
mod tests;
