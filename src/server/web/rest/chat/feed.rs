//! What a viewer gets of a room, one frame after the other, with what he missed named.

use super::open_room::OpenRoom;
use super::open_room::Out;
use crate::base::clock::Now;
use crate::platform::chat::{PersonId, ServerFrame};
use crate::protocol::websocket::TextFrame;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// See the module.
pub struct Feed {
    frames: Receiver<Out>,
    /// For whom.
    person: PersonId,
    /// The number of what he has.
    pub seen: u64,
    missed: bool,
    /// What goes out before the next one.
    waiting: VecDeque<TextFrame>,
}

impl Feed {
    /// Of what comes after `seen`.
    pub fn new(frames: Receiver<Out>, person: PersonId, seen: u64) -> Feed {
        Feed { frames, person, seen, missed: false, waiting: VecDeque::new() }
    }

    /// The next frame; none when the room is no more. Nothing is lost if this is dropped before it is done.
    pub async fn next(&mut self, room: &Arc<OpenRoom>) -> Option<TextFrame> {
        loop {
            if let Some(text) = self.waiting.pop_front() {
                return Some(text);
            }
            match self.frames.recv().await {
                Ok(Out::All { first, last, text }) => {
                    if first <= last && last <= self.seen {
                        continue;
                    }
                    let before = self.seen;
                    self.seen = before.max(last);
                    if !std::mem::take(&mut self.missed) {
                        return Some(text);
                    }
                    self.tell_gap(before, first, room);
                    self.waiting.push_back(text);
                }
                Ok(Out::One { person, text }) if person == self.person => return Some(text),
                Ok(Out::One { .. }) => {}
                Ok(Out::End) | Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => self.missed = true,
            }
        }
    }

    /// Frames were lost between those with these numbers: messages can be asked for, the rest is told anew.
    fn tell_gap(&mut self, seen: u64, next: u64, room: &Arc<OpenRoom>) {
        let (from, to) = (seen.saturating_add(1), next.saturating_sub(1));
        if from <= to {
            self.waiting.push_back(ServerFrame::Gap { from, to }.text().into());
        }
        self.waiting.push_back(ServerFrame::Room(room.settings(Now::read())).text().into());
    }
}
