//! What all sessions have carried since the server began, those that are over included. Pure.

use crate::hub::client::{Counters, get};
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Viewers now.
    pub viewers: u64,
    /// Publishers now.
    pub publishers: u64,
    /// From the other end and back, of the viewers who are there and of whom it is known; the shortest first.
    pub round_trips: Vec<Duration>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// RTP packets received.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets of publishers that were missing.
    pub lost_in: u64,
    /// Packets that viewers report as lost.
    pub lost_out: u64,
    /// Packets that found no room in the socket.
    pub discarded: u64,
    /// Repairs that viewers asked for.
    pub nacks: u64,
    /// Keyframes that viewers asked for.
    pub plis: u64,
    /// Changes of the rendition that a viewer is sent.
    pub switches: u64,
}

impl Totals {
    /// And what one session has carried.
    pub fn add(&mut self, counters: &Counters) {
        for (sum, counter) in [
            (&mut self.bytes_in, &counters.bytes_in),
            (&mut self.bytes_out, &counters.bytes_out),
            (&mut self.packets_in, &counters.packets_in),
            (&mut self.packets_out, &counters.packets_out),
            (&mut self.lost_in, &counters.packets_lost),
            (&mut self.lost_out, &counters.packets_reported_lost),
            (&mut self.discarded, &counters.packets_discarded),
            (&mut self.nacks, &counters.nacks_in),
            (&mut self.plis, &counters.plis_in),
            (&mut self.switches, &counters.switches),
        ] {
            *sum = sum.saturating_add(get(counter));
        }
    }

    /// A session is there.
    pub fn present(&mut self, counters: &Counters, views: bool) {
        self.add(counters);
        let number = if views { &mut self.viewers } else { &mut self.publishers };
        *number = number.saturating_add(1);
        let micros = get(&counters.round_trip_us);
        if views && micros > 0 {
            let round_trip = Duration::from_micros(micros);
            let place = self.round_trips.partition_point(|other| *other < round_trip);
            self.round_trips.insert(place, round_trip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::client::add;

    #[test]
    fn sums_hold_sessions_that_are_over() {
        let counters = Counters::default();
        let all = [&counters.bytes_out, &counters.nacks_in, &counters.switches, &counters.round_trip_us];
        all.into_iter().for_each(|counter| add(counter, 7));
        let mut totals = Totals::default();
        totals.add(&counters);
        assert_eq!((totals.bytes_out, totals.viewers, totals.round_trips.len()), (7, 0, 0));
        totals.present(&counters, true);
        add(&counters.round_trip_us, 5);
        totals.present(&counters, true);
        add(&counters.round_trip_us, u64::MAX - 12);
        totals.present(&counters, false);
        assert_eq!((totals.bytes_out, totals.nacks, totals.switches), (28, 28, 28));
        assert_eq!((totals.viewers, totals.publishers), (2, 1));
        assert_eq!(totals.round_trips, [7, 12].map(Duration::from_micros));
    }
}
