//! Which rendition of a ladder a viewer gets: the best one that its link carries. Down at once, up carefully. Pure: what is
//! known of the link and the time come as arguments.

use std::time::{Duration, Instant};

/// A rendition that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its label.
    pub label: String,
    /// Bits a second of video that it takes.
    pub bps: u64,
}

/// What is told of the link since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Bits a second that it carries, as far as can be told from when packets arrived (TWCC).
    pub estimate_bps: Option<u64>,
    /// The part of the packets that were lost, 0 to 1.
    pub loss: f64,
}

/// What of the estimate may be used: the rest is audio, repairs and a margin.
const USED: f64 = 0.85;
/// A rendition is left when the estimate is below this part of what it takes.
const LEFT_BELOW: f64 = 0.95;
/// Beginning: the largest rendition that takes no more than this, bits a second, before anything is known.
const BEGIN_BPS: u64 = 4_000_000;
/// Loss that the link must have for so long that it is left for a smaller rendition.
const LOSSY: f64 = 0.20;
/// How long a link must carry the next rendition before it is taken.
const STEADY: Duration = Duration::from_secs(2);
/// After a step down the next step up waits at first so long; it doubles with each step up that did not last.
const BACK: Duration = Duration::from_secs(5);
/// And at most so long.
const LONGEST_BACK: Duration = Duration::from_secs(60);
/// A step up that lasted so long was right.
const LASTED: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// Since when the link has carried the next rendition.
    carries_since: Option<Instant>,
    stepped_down: Option<Instant>,
    stepped_up: Option<Instant>,
    back: Duration,
}

impl Default for Chooser {
    fn default() -> Chooser {
        Chooser { carries_since: None, stepped_down: None, stepped_up: None, back: BACK }
    }
}

/// The rendition to begin with, where nothing is known of the link; none if there is none.
pub fn first(choices: &[Choice]) -> Option<&Choice> {
    let fits = choices.iter().filter(|choice| choice.bps <= BEGIN_BPS).max_by_key(|choice| choice.bps);
    fits.or_else(|| choices.iter().min_by_key(|choice| choice.bps))
}

impl Chooser {
    /// The label of the rendition to change to, if it is not `current`.
    pub fn look(&mut self, choices: &[Choice], current: &str, link: Link, now: Instant) -> Option<String> {
        let Some(own) = choices.iter().find(|choice| choice.label == current) else {
            return first(choices).map(|choice| choice.label.clone());
        };
        let estimate = link.estimate_bps?;
        let usable = (estimate as f64 * USED) as u64;
        let starved = (estimate as f64) < own.bps as f64 * LEFT_BELOW || link.loss > LOSSY;
        if starved {
            return self.down(choices, own, usable, now);
        }
        let carried = |choice: &&Choice| choice.bps > own.bps && choice.bps <= usable;
        let next = choices.iter().filter(carried).max_by_key(|choice| choice.bps);
        let Some(next) = next.filter(|_| link.loss < LOSSY / 4.0) else {
            self.carries_since = None;
            return None;
        };
        let since = *self.carries_since.get_or_insert(now);
        let waited =
            |at: Option<Instant>, wait| at.is_none_or(|at| now.saturating_duration_since(at) >= wait);
        if !waited(Some(since), STEADY) || !waited(self.stepped_down, self.back) {
            return None;
        }
        self.carries_since = None;
        self.stepped_up = Some(now);
        Some(next.label.clone())
    }

    fn down(&mut self, choices: &[Choice], own: &Choice, usable: u64, now: Instant) -> Option<String> {
        self.carries_since = None;
        let below = || choices.iter().filter(|choice| choice.bps < own.bps);
        let fits = below().filter(|choice| choice.bps <= usable).max_by_key(|choice| choice.bps);
        let next = fits.or_else(|| below().min_by_key(|choice| choice.bps))?;
        let lasted = self.stepped_up.is_none_or(|at| now.saturating_duration_since(at) >= LASTED);
        self.back = if lasted { BACK } else { self.back.saturating_mul(2).min(LONGEST_BACK) };
        self.stepped_down = Some(now);
        self.stepped_up = None;
        Some(next.label.clone())
    }

    /// The most that the link should be tried for, bits a second: what the largest rendition takes, with the margin.
    pub fn wanted_bps(choices: &[Choice]) -> u64 {
        let largest = choices.iter().map(|choice| choice.bps).max().unwrap_or(0);
        (largest as f64 / USED * 1.1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ladder() -> Vec<Choice> {
        [("1080p", 5_000_000), ("720p", 2_500_000), ("480p", 1_200_000), ("360p", 600_000)]
            .map(|(label, bps)| Choice { label: label.into(), bps })
            .to_vec()
    }

    fn link(estimate_bps: u64) -> Link {
        Link { estimate_bps: Some(estimate_bps), loss: 0.0 }
    }

    #[test]
    fn it_begins_in_the_middle_and_climbs_when_the_link_has_carried_more_for_a_while() {
        let (choices, mut chooser, begun) = (ladder(), Chooser::default(), Instant::now());
        assert_eq!(first(&choices).unwrap().label, "720p");
        let mut look = |ms, bps| chooser.look(&choices, "720p", link(bps), begun + Duration::from_millis(ms));
        assert_eq!([look(0, 6_000_000), look(1900, 6_000_000), look(1950, 4_000_000)], [None, None, None]);
        assert_eq!([look(3000, 6_000_000), look(4900, 6_000_000)], [None, None]);
        assert_eq!(look(5000, 6_000_000).as_deref(), Some("1080p"));
    }

    #[test]
    fn a_link_that_got_narrow_is_left_at_once_for_what_it_carries() {
        let (choices, mut chooser, now) = (ladder(), Chooser::default(), Instant::now());
        assert_eq!(chooser.look(&choices, "1080p", link(800_000), now).as_deref(), Some("360p"));
        assert_eq!(chooser.look(&choices, "1080p", link(2_000_000), now).as_deref(), Some("480p"));
        assert_eq!(chooser.look(&choices, "360p", link(100_000), now), None, "there is no smaller one");
        let lossy = Link { estimate_bps: Some(9_000_000), loss: 0.3 };
        assert_eq!(chooser.look(&choices, "1080p", lossy, now).as_deref(), Some("720p"));
        assert_eq!(chooser.look(&choices, "gone", link(1), now).as_deref(), Some("720p"));
    }

    #[test]
    fn steps_up_that_do_not_last_are_tried_ever_more_seldom() {
        let (choices, mut chooser, begun) = (ladder(), Chooser::default(), Instant::now());
        let (mut label, mut ups) = ("720p".to_string(), Vec::new());
        for second in 0..200 {
            // The link carries 720p and looks, while that is sent, as if it carried more.
            let bps = if label == "1080p" { 3_000_000 } else { 6_500_000 };
            if let Some(next) = chooser.look(&choices, &label, link(bps), begun + Duration::from_secs(second))
            {
                if next == "1080p" {
                    ups.push(second);
                }
                label = next;
            }
        }
        let pauses: Vec<u64> = ups.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.is_sorted() && *pauses.last().unwrap() >= 60 && ups.len() <= 7, "{ups:?}");
    }

    proptest! {
        #[test]
        fn it_only_names_renditions_that_there_are(looks in proptest::collection::vec((0..20_000_000_u64, 0.0..1.0_f64, 0..5u64), 0..60)) {
            let (choices, mut chooser, mut now, mut label) = (ladder(), Chooser::default(), Instant::now(), "480p".to_string());
            for (bps, loss, seconds) in looks {
                now += Duration::from_secs(seconds);
                if let Some(next) = chooser.look(&choices, &label, Link { estimate_bps: Some(bps), loss }, now) {
                    prop_assert!(choices.iter().any(|choice| choice.label == next) && next != label);
                    label = next;
                }
            }
        }
    }
}
