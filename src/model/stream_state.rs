//! What the user wants (*order*) and what is (*state*), kept apart, and the one table of legal moves.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the user wants of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// It shall be on the air.
    Run,
    /// It shall end.
    Stop,
}

/// What a stream is doing. The same words stand in the CLI, JSON, REST, pages and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Accepted, nothing started yet.
    Pending,
    /// The encoder runs, not every rendition has bytes at the server yet.
    Starting,
    /// Every rendition moves bytes.
    Live,
    /// On the air with a defect: a rendition missing, or the encoder slower than real time.
    Weak,
    /// No bytes move.
    Stalled,
    /// The encoder ended and will be started again.
    Restarting,
    /// Told to end, ending.
    Stopping,
    /// Ended as it should.
    Finished,
    /// Ended by a fault that a restart cannot mend.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [State; 9] = [
        State::Pending,
        State::Starting,
        State::Live,
        State::Weak,
        State::Stalled,
        State::Restarting,
        State::Stopping,
        State::Finished,
        State::Failed,
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Starting => "starting",
            State::Live => "live",
            State::Weak => "weak",
            State::Stalled => "stalled",
            State::Restarting => "restarting",
            State::Stopping => "stopping",
            State::Finished => "finished",
            State::Failed => "failed",
        }
    }

    /// Whether viewers get something.
    pub fn on_air(self) -> bool {
        matches!(self, State::Live | State::Weak)
    }

    /// Whether nothing will happen any more.
    pub fn ended(self) -> bool {
        matches!(self, State::Finished | State::Failed)
    }

    /// The table of legal moves. Staying is not a move.
    pub fn may_become(self, next: State) -> bool {
        use State::*;
        match self {
            Pending => matches!(next, Starting | Stopping | Failed),
            Starting => matches!(next, Live | Weak | Stalled | Restarting | Stopping | Finished | Failed),
            Live => matches!(next, Weak | Stalled | Restarting | Stopping | Finished | Failed),
            Weak => matches!(next, Live | Stalled | Restarting | Stopping | Finished | Failed),
            Stalled => matches!(next, Live | Weak | Restarting | Stopping | Finished | Failed),
            Restarting => matches!(next, Starting | Stopping | Finished | Failed),
            Stopping => matches!(next, Finished | Failed),
            Finished | Failed => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_is_decided() {
        for from in State::ALL {
            assert!(!from.may_become(from), "{from} to itself is not a move");
            assert!(!from.may_become(State::Pending), "nothing becomes pending");
            if from.ended() {
                assert!(State::ALL.iter().all(|next| !from.may_become(*next)), "{from} is an end");
            } else if from != State::Stopping {
                assert!(from.may_become(State::Stopping), "{from} can be stopped");
                assert!(from.may_become(State::Failed), "{from} can fail");
            }
        }
    }

    #[test]
    fn every_state_is_reachable_from_pending() {
        let mut seen = vec![State::Pending];
        let mut index = 0;
        while let Some(&from) = seen.get(index) {
            for next in State::ALL {
                if from.may_become(next) && !seen.contains(&next) {
                    seen.push(next);
                }
            }
            index += 1;
        }
        assert_eq!(seen.len(), State::ALL.len());
    }
}
