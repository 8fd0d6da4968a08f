//! When an ended program is started again, and after how long. Pure: time and chance come in as arguments.

use crate::model::Order;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// After faults, an unexpected clean end among them.
    OnFailure,
    /// After every end that nobody asked for.
    Always,
    /// Never.
    Never,
}

/// What the end of the program means, as judged by the one who knows the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it was asked to do.
    Clean,
    /// Somebody ended it by hand (SIGTERM, SIGINT): the operator's stop.
    OperatorStop,
    /// It may work again: network, server, source, crash.
    Transient(String),
    /// Trying again cannot help.
    Permanent(crate::base::Kind, String),
    /// This way to run does not work on this machine; another may.
    Unfit(String),
    /// This way to run is too slow for this machine.
    Slow(String),
    /// This way to run always ends at the same place of the source.
    Stuck(String),
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start again after this time.
    Again(Duration),
    /// The stream is over, as it should be.
    Finish,
    /// The stream is over, with this fault.
    Fail(crate::base::Kind, String),
}

/// First pause between two starts.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two starts.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// After this time on the air earlier failures are forgotten.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// Report `failing` after this many failures within [`FAILING_WITHIN`].
pub const FAILING_COUNT: usize = 5;
/// See [`FAILING_COUNT`].
pub const FAILING_WITHIN: Duration = Duration::from_secs(60);

/// The memory of one stream's failures.
#[derive(Clone, Debug)]
pub struct Policy {
    when: When,
    in_a_row: u32,
    recent: VecDeque<Duration>,
    told_failing: bool,
}

impl Policy {
    /// A policy without failures yet.
    pub fn new(when: When) -> Policy {
        Policy { when, in_a_row: 0, recent: VecDeque::new(), told_failing: false }
    }

    /// Decides after an end at `now` (time since the stream began); `healthy_for` is how long it was on the air
    /// without a break, `chance` in 0..1 spreads the pauses by 20 % to either side.
    pub fn decide(
        &mut self,
        order: Order,
        verdict: Verdict,
        now: Duration,
        healthy_for: Duration,
        chance: f64,
    ) -> Decision {
        if healthy_for >= HEALTHY_AFTER {
            self.in_a_row = 0;
            self.told_failing = false;
            self.recent.clear();
        }
        if order == Order::Stop {
            return Decision::Finish;
        }
        match (verdict, self.when) {
            (Verdict::OperatorStop, _) => Decision::Finish,
            (Verdict::Permanent(kind, why), _) => Decision::Fail(kind, why),
            (Verdict::Unfit(why) | Verdict::Stuck(why), _) => Decision::Fail(crate::base::Kind::Input, why),
            (Verdict::Clean, When::OnFailure | When::Never) => Decision::Finish,
            (Verdict::Transient(why) | Verdict::Slow(why), When::Never) => {
                Decision::Fail(crate::base::Kind::Input, why)
            }
            (Verdict::Clean | Verdict::Transient(_) | Verdict::Slow(_), _) => {
                Decision::Again(self.pause(now, chance))
            }
        }
    }

    fn pause(&mut self, now: Duration, chance: f64) -> Duration {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) > FAILING_WITHIN)
            || self.recent.len() > 64
        {
            self.recent.pop_front();
        }
        let doubled =
            FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.in_a_row.min(10))).min(LONGEST_PAUSE);
        self.in_a_row = self.in_a_row.saturating_add(1);
        doubled.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
    }

    /// True once when failures have become many in a short time; again only after a healthy stretch.
    pub fn newly_failing(&mut self) -> bool {
        let failing = self.recent.len() >= FAILING_COUNT;
        let newly = failing && !self.told_failing;
        self.told_failing |= failing;
        newly
    }
}

/// Places that are less apart are the same.
const SAME_PLACE: Duration = Duration::from_secs(2);
/// After so many equal ends in a row nothing is hoped for from another.
pub const EQUAL_ENDS: u32 = 3;

/// How the program ended, so that it is noticed when the same command ends in the same way at the same place. A long way to
/// that place does not make it another fault, so nothing is forgotten over it.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    last: Option<(String, Duration)>,
    times: u32,
}

impl Ends {
    /// It ended because of `why` when it had come to `place`; how often in a row it has done that now.
    pub fn ended(&mut self, why: &str, place: Duration) -> u32 {
        let same =
            self.last.as_ref().is_some_and(|(before, at)| before == why && place.abs_diff(*at) <= SAME_PLACE);
        self.times = if same { self.times.saturating_add(1) } else { 1 };
        self.last = Some((why.to_string(), place));
        self.times
    }

    /// Another command, or another source: what was is no measure of it.
    pub fn forget(&mut self) {
        *self = Ends::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    const NONE: Duration = Duration::ZERO;

    fn transient() -> Verdict {
        Verdict::Transient("connection refused".into())
    }

    fn pause(policy: &mut Policy, now: u64) -> Duration {
        match policy.decide(Order::Run, transient(), Duration::from_secs(now), NONE, 0.5) {
            Decision::Again(pause) => pause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_fifteen_seconds_without_limit_of_tries() {
        let mut policy = Policy::new(When::OnFailure);
        let pauses: Vec<f64> = (0..8).map(|n| pause(&mut policy, n * 100).as_secs_f64()).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
        for n in 8..2000 {
            assert!(pause(&mut policy, n * 100) <= Duration::from_secs(18));
        }
    }

    #[test]
    fn a_healthy_stretch_forgives() {
        let mut policy = Policy::new(When::OnFailure);
        for n in 0..6 {
            pause(&mut policy, n);
        }
        let again = policy.decide(Order::Run, transient(), Duration::from_secs(100), HEALTHY_AFTER, 0.5);
        assert_eq!(again, Decision::Again(FIRST_PAUSE));
    }

    #[test]
    fn equal_ends_at_one_place_are_counted() {
        let mut ends = Ends::default();
        let s = Duration::from_secs;
        let times: Vec<u32> = [7200, 7201, 7199, 3, 4].map(|at| ends.ended("stuck", s(at))).to_vec();
        assert_eq!(times, [1, 2, 3, 1, 2]);
        assert_eq!(ends.ended("crashed", s(4)), 1);
        ends.forget();
        assert_eq!(ends.ended("crashed", s(4)), 1);
    }

    #[test]
    fn failing_is_told_once() {
        let mut policy = Policy::new(When::OnFailure);
        let told: Vec<bool> = (0..8)
            .map(|n| {
                pause(&mut policy, n);
                policy.newly_failing()
            })
            .collect();
        assert_eq!(told.iter().filter(|t| **t).count(), 1);
        assert!(told[FAILING_COUNT - 1]);
    }

    #[test]
    fn the_order_rules_over_every_verdict() {
        for verdict in
            [Verdict::Clean, transient(), Verdict::Permanent(Kind::Input, "x".into()), Verdict::OperatorStop]
        {
            for when in [When::OnFailure, When::Always, When::Never] {
                let decision = Policy::new(when).decide(Order::Stop, verdict.clone(), NONE, NONE, 0.0);
                assert_eq!(decision, Decision::Finish);
            }
        }
    }

    #[test]
    fn each_verdict_has_its_answer() {
        let decide = |when, verdict| Policy::new(when).decide(Order::Run, verdict, NONE, NONE, 0.5);
        assert_eq!(decide(When::OnFailure, Verdict::Clean), Decision::Finish);
        assert_eq!(decide(When::Always, Verdict::Clean), Decision::Again(FIRST_PAUSE));
        assert_eq!(decide(When::Always, Verdict::OperatorStop), Decision::Finish);
        assert_eq!(
            decide(When::Always, Verdict::Permanent(Kind::Missing, "m".into())),
            Decision::Fail(Kind::Missing, "m".into())
        );
        assert!(matches!(decide(When::Never, transient()), Decision::Fail(..)));
    }
}
