//! Rooms of what is or was on the air here, for a server that knows no other streams.

use super::outside::{Found, Rooms, Standing};
use crate::hub::Hub;
use crate::model::stream_name::is_name;
use crate::model::{LadderName, StreamName};
use crate::platform::chat::Later;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most streams that are remembered.
const MOST: usize = 1024;

/// See the module.
pub struct HubRooms {
    hub: Hub,
    /// One at least; names without one are of the first.
    applications: Arc<[String]>,
    /// Ladders that were on the air, the newest last.
    seen: Mutex<VecDeque<LadderName>>,
}

impl HubRooms {
    /// With nothing seen yet.
    pub fn new(hub: Hub, applications: Arc<[String]>) -> HubRooms {
        HubRooms { hub, applications, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, VecDeque<LadderName>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ladder is on the air.
    pub fn remember(&self, ladder: &LadderName) {
        let mut seen = self.seen();
        if !seen.contains(ladder) {
            if seen.len() >= MOST {
                seen.pop_front();
            }
            seen.push_back(ladder.clone());
        }
    }

    /// What the room of a ladder is called.
    pub fn room(&self, ladder: &LadderName) -> String {
        if self.applications.first() == Some(&ladder.application) {
            ladder.key.clone()
        } else {
            format!("{}/{}", ladder.application, ladder.key)
        }
    }

    /// The ladder that a name stands for, be it one of its renditions.
    fn ladder(&self, id: &str) -> Option<LadderName> {
        let first = || self.applications.first().map(String::as_str);
        let (application, name) = id.rsplit_once('/').or_else(|| Some((first()?, id)))?;
        let known = self.applications.iter().any(|known| known == application) && is_name(name);
        known.then(|| self.hub.place_of(&StreamName::new(application, name)).0)
    }
}

impl Rooms for HubRooms {
    fn find(&self, id: &str) -> Later<Option<Found>> {
        let found = self.ladder(id).and_then(|ladder| {
            let there = self.seen().contains(&ladder) || !self.hub.on_air(&ladder).is_empty();
            let stream = StreamName::new(ladder.application.clone(), ladder.key.clone());
            there.then(|| Found { room: self.room(&ladder), stream })
        });
        Box::pin(ready(found))
    }

    fn is_live(&self, room: &str) -> bool {
        self.ladder(room).is_some_and(|ladder| !self.hub.on_air(&ladder).is_empty())
    }

    fn standing(&self, _: &str) -> Standing {
        Standing::Unregistered
    }
}
