//! The rooms that somebody is in.

use super::open_room::OpenRoom;
use crate::platform::chat::Room;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. Cloning shares them.
#[derive(Clone, Default)]
pub struct OpenRooms(Arc<Mutex<HashMap<String, Arc<OpenRoom>>>>);

/// There are as many as there may be.
pub struct Full;

impl OpenRooms {
    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Arc<OpenRoom>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room, if somebody is in it.
    pub fn get(&self, name: &str) -> Option<Arc<OpenRoom>> {
        self.rooms().get(name).cloned()
    }

    /// Opens a room, unless somebody else has meanwhile; whether it is new.
    ///
    /// # Errors
    /// There are `most` already.
    pub fn open(&self, name: &str, room: Room, most: usize) -> Result<(Arc<OpenRoom>, bool), Full> {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(name) {
            return Ok((room.clone(), false));
        }
        if rooms.len() >= most {
            return Err(Full);
        }
        let room = Arc::new(OpenRoom::new(name, room));
        rooms.insert(name.to_string(), room.clone());
        Ok((room, true))
    }

    /// Whether nobody has anything to do with a room but its committer and this list.
    pub fn is_unused(&self, room: &Arc<OpenRoom>) -> bool {
        Arc::strong_count(room) <= 2
    }

    /// Takes an unused room off the list; false if somebody has come.
    pub fn forget(&self, room: &Arc<OpenRoom>) -> bool {
        let mut rooms = self.rooms();
        // Nobody comes to it but by the list.
        let unused = self.is_unused(room) && room.state().pending.is_empty();
        if unused {
            rooms.remove(&room.name);
        }
        unused
    }

    /// Takes a room off the list, whoever is in it.
    pub fn remove(&self, room: &Arc<OpenRoom>) {
        let mut rooms = self.rooms();
        if rooms.get(&room.name).is_some_and(|listed| Arc::ptr_eq(listed, room)) {
            rooms.remove(&room.name);
        }
    }
}
