//! Network: `/proc/net/dev`, and datagrams that found no room (`/proc/net/snmp`).

use super::rate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Most interfaces that are told.
const MOST: usize = 64;

/// The network at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Network {
    /// Bits a second received, by all interfaces but the loopback
    pub in_bps: u64,
    /// Bits a second sent
    pub out_bps: u64,
    /// Packets a second that were dropped, in either direction
    pub dropped_s: u64,
    /// Datagrams since the machine started that found no room where they were to be read
    pub udp_receive_errors: Option<u64>,
    /// The interfaces that have carried anything, the loopback too
    pub interfaces: Vec<Interface>,
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Interface {
    /// As the kernel calls it
    pub name: String,
    /// Bits a second received
    pub in_bps: u64,
    /// Bits a second sent
    pub out_bps: u64,
    /// Packets a second that were dropped, in either direction
    pub dropped_s: u64,
}

/// Counts of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    bytes_in: u64,
    bytes_out: u64,
    dropped: u64,
}

/// Reads `/proc/net/dev`: interfaces that have carried anything.
pub fn interfaces(text: &str) -> BTreeMap<String, Counts> {
    let of = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let fields: Vec<u64> = rest.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0)).collect();
        let field = |place: usize| fields.get(place).copied();
        let counts = Counts {
            bytes_in: field(0)?,
            bytes_out: field(8)?,
            dropped: field(3)?.saturating_add(field(11)?),
        };
        let used = counts.bytes_in > 0 || counts.bytes_out > 0;
        used.then(|| (name.trim().chars().take(32).collect(), counts))
    };
    text.lines().skip(2).take(4096).filter_map(of).take(MOST).collect()
}

/// `RcvbufErrors` of the lines `Udp` in `/proc/net/snmp`: names in the first, numbers in the second.
pub fn udp_receive_errors(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let place = lines.next()?.split_ascii_whitespace().position(|name| name == "RcvbufErrors")?;
    lines.next()?.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// What happened between two looks.
pub fn since(before: &BTreeMap<String, Counts>, now: &BTreeMap<String, Counts>, seconds: f64) -> Network {
    let of = |(name, now): (&String, &Counts)| {
        let before = before.get(name)?;
        let bits = |before, now| rate(before, now, seconds).map(|bytes| (bytes * 8.0) as u64);
        Some(Interface {
            name: name.clone(),
            in_bps: bits(before.bytes_in, now.bytes_in)?,
            out_bps: bits(before.bytes_out, now.bytes_out)?,
            dropped_s: rate(before.dropped, now.dropped, seconds)?.ceil() as u64,
        })
    };
    let interfaces: Vec<Interface> = now.iter().filter_map(of).collect();
    let sum = |of: fn(&Interface) -> u64| {
        let outer = interfaces.iter().filter(|interface| interface.name != "lo");
        outer.map(of).fold(0, u64::saturating_add)
    };
    Network {
        in_bps: sum(|of| of.in_bps),
        out_bps: sum(|of| of.out_bps),
        dropped_s: sum(|of| of.dropped_s),
        udp_receive_errors: None,
        interfaces,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_machine_is_read() {
        let found = interfaces(include_str!("../../tests/data/machine/net_dev.txt"));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["eth0", "lo"], "the others have carried nothing");
        assert_eq!(found["lo"].bytes_in, found["lo"].bytes_out);
        let snmp = include_str!("../../tests/data/machine/net_snmp.txt");
        assert!(udp_receive_errors(snmp).is_some_and(|n| n > 48_000));
    }

    #[test]
    fn rates_are_differences_and_the_loopback_is_apart() {
        let of = |bytes_in, bytes_out, dropped| Counts { bytes_in, bytes_out, dropped };
        let before = BTreeMap::from([
            ("eth0".into(), of(0, 1000, 0)),
            ("lo".into(), of(5, 5, 0)),
            ("x".into(), of(9, 9, 9)),
        ]);
        let now = BTreeMap::from([
            ("eth0".into(), of(500, 3000, 1)),
            ("lo".into(), of(9005, 9005, 0)),
            ("x".into(), of(1, 1, 1)),
        ]);
        let network = since(&before, &now, 2.0);
        assert_eq!((network.in_bps, network.out_bps, network.dropped_s), (2000, 8000, 1));
        assert_eq!(network.interfaces.len(), 2, "one began anew");
        assert_eq!(network.interfaces[1].in_bps, 36_000);
    }

    #[test]
    fn whatever_else_is_nothing() {
        assert!(interfaces("a\nb\nname without colon\neth0: 1 2 3\n").is_empty());
        assert_eq!(udp_receive_errors("Udp: A B\nUdp: 1 2\n"), None);
        assert_eq!(udp_receive_errors("Udp: RcvbufErrors\n"), None);
    }
}
