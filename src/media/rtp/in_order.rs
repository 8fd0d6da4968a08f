//! Puts packets that overtook each other on the way back in order, and gives up on lost ones in time. Bounded in
//! packets and in time.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most packets held back for one that is missing.
pub const MOST_HELD: usize = 128;
/// Longest wait for a missing one.
pub const LONGEST_WAIT: Duration = Duration::from_millis(60);
/// The same for packets that are asked for again: a second of video, and some round trips.
const MOST_REPAIRED: usize = 1024;
const REPAIR_WAIT: Duration = Duration::from_millis(300);
/// So many packets in a row from the past mean that the source began to count anew.
const RESTART: u32 = 16;
/// A step further than this is no loss but a new count (RFC 3550, A.1: MAX_DROPOUT).
const FURTHEST: i64 = 3000;

/// A packet in its place, and how many are missing right before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next<T> {
    /// The packet.
    pub item: T,
    /// Packets that did not come.
    pub missing: u64,
    /// Whether the source counts anew from here.
    pub restart: bool,
}

/// The packets of one source on their way into order.
#[derive(Debug)]
pub struct InOrder<T> {
    next: Option<i64>,
    held: BTreeMap<i64, (T, Duration)>,
    patience: usize,
    wait: Duration,
    late: u32,
}

impl<T> InOrder<T> {
    /// For packets that may overtake each other (UDP).
    pub fn patient() -> InOrder<T> {
        InOrder { next: None, held: BTreeMap::new(), patience: MOST_HELD, wait: LONGEST_WAIT, late: 0 }
    }

    /// For packets that are sent again when they are missed (RTX, RFC 4588).
    pub fn repaired() -> InOrder<T> {
        InOrder { patience: MOST_REPAIRED, wait: REPAIR_WAIT, ..InOrder::patient() }
    }

    /// For packets that cannot (TCP): what is missing will not come.
    pub fn direct() -> InOrder<T> {
        InOrder { patience: 0, ..InOrder::patient() }
    }

    /// As it was in the beginning.
    pub fn anew(&self) -> InOrder<T> {
        InOrder { patience: self.patience, wait: self.wait, ..InOrder::patient() }
    }

    /// Takes a packet with its whole number that came at `now` (on any steady clock), and hands over what is next in
    /// order. Doubles and latecomers vanish.
    pub fn push(&mut self, sequence: i64, item: T, now: Duration, out: &mut Vec<Next<T>>) {
        let next = *self.next.get_or_insert(sequence);
        if sequence < next {
            self.late = self.late.saturating_add(1);
            if self.late < RESTART {
                return;
            }
            self.begin_anew(sequence, item, out);
            return;
        }
        self.late = 0;
        if sequence.saturating_sub(next) > FURTHEST {
            self.begin_anew(sequence, item, out);
            return;
        }
        if sequence == next && self.held.is_empty() {
            self.next = Some(sequence.saturating_add(1));
            out.push(Next { item, missing: 0, restart: false });
            return;
        }
        self.held.entry(sequence).or_insert((item, now));
        self.hand_over(now, out);
    }

    fn begin_anew(&mut self, sequence: i64, item: T, out: &mut Vec<Next<T>>) {
        while let Some((_, (item, _))) = self.held.pop_first() {
            out.push(Next { item, missing: 1, restart: false });
        }
        self.next = Some(sequence.saturating_add(1));
        self.late = 0;
        out.push(Next { item, missing: 0, restart: true });
    }

    fn hand_over(&mut self, now: Duration, out: &mut Vec<Next<T>>) {
        while let Some(entry) = self.held.first_entry() {
            let (sequence, next) = (*entry.key(), self.next.unwrap_or(*entry.key()));
            let waited = now.saturating_sub(entry.get().1);
            let over = waited >= self.wait || self.held.len() > self.patience;
            if sequence > next && !over {
                return;
            }
            let Some((_, (item, _))) = self.held.pop_first() else { return };
            let missing = u64::try_from(sequence.saturating_sub(next)).unwrap_or(0);
            self.next = Some(sequence.saturating_add(1));
            out.push(Next { item, missing, restart: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(order: &mut InOrder<i64>, packets: &[(i64, u64)]) -> Vec<(i64, u64)> {
        let mut out = Vec::new();
        for (sequence, ms) in packets {
            order.push(*sequence, *sequence, Duration::from_millis(*ms), &mut out);
        }
        out.into_iter().map(|n| (n.item, n.missing)).collect()
    }

    #[test]
    fn order_comes_back() {
        let mut order = InOrder::patient();
        let all = run(&mut order, &[(5, 0), (7, 1), (8, 1), (7, 1), (6, 2), (6, 2), (9, 3)]);
        assert_eq!(all, [(5, 0), (6, 0), (7, 0), (8, 0), (9, 0)]);
    }

    #[test]
    fn a_lost_one_is_given_up() {
        let mut order = InOrder::patient();
        let all = run(&mut order, &[(5, 0), (8, 1), (9, 30), (10, 62), (6, 63), (11, 64)]);
        assert_eq!(all, [(5, 0), (8, 2), (9, 0), (10, 0), (11, 0)]);
        // By count, if they come quickly.
        let mut order = InOrder::patient();
        let packets: Vec<_> = [0].into_iter().chain(2..200).map(|s| (s, 0)).collect();
        let all = run(&mut order, &packets);
        assert_eq!((all.len(), all[1]), (199, (2, 1)));
        let mut order = InOrder::direct();
        assert_eq!(run(&mut order, &[(5, 0), (8, 0), (9, 0)]), [(5, 0), (8, 2), (9, 0)]);
    }

    #[test]
    fn a_source_may_count_anew() {
        let mut order = InOrder::patient();
        let mut packets = vec![(50_000, 0), (50_002, 0)];
        packets.extend((100..120).map(|s| (s, 1)));
        let all = run(&mut order, &packets);
        assert_eq!(all[..3], [(50_000, 0), (50_002, 1), (115, 0)]);
        assert_eq!(run(&mut order, &[(9_000, 2)]), [(9_000, 0)]);
    }
}
