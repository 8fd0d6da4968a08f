//! What a process does on a card, as `/proc/PID/fdinfo/*` tells it (drm-usage-stats of the kernel). Intel tells nothing else.

use std::collections::BTreeMap;

/// Most engines of a card.
const MOST: usize = 32;

/// What one client of a card has used so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The card: `0000:00:02.0`.
    pub card: String,
    /// Its number there: two files of one client tell the same.
    pub id: u64,
    /// Nanoseconds by engine, and how many of these there are.
    pub engines: BTreeMap<String, (u64, u64)>,
}

/// Reads one file of `fdinfo`; none if it is no client of a card.
pub fn read(text: &str) -> Option<Client> {
    let mut client = Client::default();
    let mut id = None;
    for line in text.lines().take(256) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name {
            "drm-pdev" => client.card = value.chars().take(32).collect(),
            "drm-client-id" => id = value.parse().ok(),
            _ => {
                if let Some(engine) = name.strip_prefix("drm-engine-capacity-") {
                    engine_of(&mut client, engine, |(_, many)| *many = value.parse().unwrap_or(1).max(1));
                } else if let Some(engine) = name.strip_prefix("drm-engine-") {
                    let ns = value.strip_suffix("ns").unwrap_or(value).trim().parse().unwrap_or(0);
                    engine_of(&mut client, engine, |(used, _)| *used = ns);
                }
            }
        }
    }
    client.id = id?;
    (!client.card.is_empty()).then_some(client)
}

fn engine_of(client: &mut Client, name: &str, change: impl FnOnce(&mut (u64, u64))) {
    if client.engines.len() < MOST || client.engines.contains_key(name) {
        change(client.engines.entry(name.chars().take(32).collect()).or_insert((0, 1)));
    }
}

/// What the clients of a card did in so many seconds: all of it, and its video engines. In percent; a client that was not there
/// before says nothing yet.
pub fn used(before: &[Client], now: &[Client], card: &str, seconds: f64) -> (f64, f64) {
    let (mut busiest, mut video) = (0.0f64, 0.0f64);
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    let mut counted = std::collections::BTreeSet::new();
    for client in now.iter().filter(|client| client.card == card) {
        let Some(before) = before.iter().find(|before| before.id == client.id && before.card == card) else {
            continue;
        };
        if !counted.insert(client.id) {
            continue;
        }
        for (name, (ns, many)) in &client.engines {
            let earlier = before.engines.get(name).map_or(0, |(ns, _)| *ns);
            let share =
                super::super::rate(earlier, *ns, seconds).unwrap_or(0.0) / 1e9 / (*many as f64) * 100.0;
            *sums.entry(name).or_default() += share;
        }
    }
    for (name, share) in sums {
        busiest = busiest.max(share);
        if name == "video" {
            video = share;
        }
    }
    let shown = |share: f64| super::super::tenth(share.clamp(0.0, 100.0));
    (shown(busiest), shown(video))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../tests/data/machine/fdinfo_i915.txt");

    #[test]
    fn a_client_is_read() {
        let client = read(TEXT).unwrap();
        assert_eq!((client.card.as_str(), client.id), ("0000:00:02.0", 41));
        assert_eq!(client.engines["video"], (13_662_044_495, 2));
        assert_eq!(client.engines["video-enhance"], (1_500_000_000, 1));
        assert_eq!(read("pos:\t0\nflags:\t02\n"), None, "any other file");
        assert_eq!(read("drm-pdev: x\ndrm-client-id: y"), None);
    }

    #[test]
    fn one_client_counts_once_however_many_files_it_has() {
        let before = read(TEXT).unwrap();
        let later =
            read(&TEXT.replace("13662044495", "14662044495").replace("25662044495", "25762044495")).unwrap();
        // A second on one of two video engines, a tenth on the one that draws, within two seconds.
        let used_of =
            used(&[before.clone(), before.clone()], &[later.clone(), later.clone()], "0000:00:02.0", 2.0);
        assert_eq!(used_of, (25.0, 25.0));
        assert_eq!(used(&[], std::slice::from_ref(&later), "0000:00:02.0", 2.0), (0.0, 0.0));
        assert_eq!(used(&[later], &[before], "other", 2.0), (0.0, 0.0));
    }
}
