//! A room that somebody is in: its state, what waits to be kept, and where its frames go.

use crate::base::clock::Now;
use crate::platform::chat::{
    Author, ClientFrame, Code, Entry, Message, PersonId, Refusal, Role, Room, ServerFrame, Settings, Speaker,
    Unavailable,
};
use crate::protocol::websocket::TextFrame;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::sync::{Notify, oneshot};

/// Frames that a viewer may be behind.
const RING: usize = 64;
/// What may wait to be kept; beyond it the log is too slow.
const PENDING: usize = 256;
/// With more viewers, frames are gathered.
const LARGE: usize = 1000;

/// Something that goes out. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub enum Out {
    /// To everybody.
    All {
        /// The number of the first entry in it.
        first: u64,
        /// That of the last; before the first if there is none in it.
        last: u64,
        /// The frame, or several as an array.
        text: TextFrame,
    },
    /// To one person.
    One {
        /// Who.
        person: PersonId,
        /// The frame.
        text: TextFrame,
    },
    /// The room is no more.
    End,
}

/// Something that waits to be kept, and whoever waits for it.
pub struct Pending {
    /// What.
    pub entry: Entry,
    /// Who is told whether it is kept.
    pub done: oneshot::Sender<Result<(), Unavailable>>,
}

/// The room, and what it has decided that the log has not yet.
pub struct State {
    /// The room.
    pub room: Room,
    /// What waits.
    pub pending: Vec<Pending>,
    /// Nobody hears or does anything any more.
    over: bool,
}

/// See the module.
pub struct OpenRoom {
    /// What it is called.
    pub name: String,
    state: Mutex<State>,
    /// There is something to do for the committer.
    pub wake: Notify,
    /// Where frames go.
    pub frames: Sender<Out>,
    viewers: AtomicUsize,
}

/// What somebody who comes is given, and nothing is missed between it and what he hears.
pub struct Joined {
    /// Frames from now on.
    pub frames: Receiver<Out>,
    /// Who he is here.
    pub author: Author,
    /// The settings.
    pub settings: Settings,
    /// The last messages.
    pub history: Vec<Message>,
    /// The number of the last entry.
    pub seq: u64,
    /// The ban that holds for him: until when.
    pub banned: Option<Option<i64>>,
}

impl OpenRoom {
    /// A room with nobody in it.
    pub fn new(name: &str, room: Room) -> OpenRoom {
        OpenRoom {
            name: name.to_string(),
            state: Mutex::new(State { room, pending: Vec::new(), over: false }),
            wake: Notify::new(),
            frames: Sender::new(RING),
            viewers: AtomicUsize::new(0),
        }
    }

    /// The state. Never held over a wait.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings as they are now.
    pub fn settings(&self, now: Now) -> Settings {
        self.state().room.settings(now.mono)
    }

    /// How many are here.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Whether so many are here that frames are gathered for them.
    pub fn is_large(&self) -> bool {
        self.viewers() > LARGE
    }

    /// Somebody comes.
    pub fn join(&self, who: Speaker, now: Now) -> Joined {
        let mut state = self.state();
        let author = state.room.enter(who, now);
        Joined {
            // Where nothing comes any more, that is heard at once.
            frames: if state.over { Sender::new(1).subscribe() } else { self.frames.subscribe() },
            author,
            settings: state.room.settings(now.mono),
            history: state.room.history(),
            seq: state.room.shown_seq(),
            banned: state.room.ban_of(who, now).map(|ban| ban.until),
        }
    }

    /// Does what somebody asks for, and waits until the log has it.
    ///
    /// # Errors
    /// Why not.
    pub async fn act(&self, who: Speaker, frame: &ClientFrame, now: Now) -> Result<Entry, Refusal> {
        let (entry, kept) = self.decide(who, frame, now)?;
        match kept.await {
            Ok(Ok(())) => Ok(entry),
            Ok(Err(Unavailable)) | Err(_) => Err(Code::Unavailable.into()),
        }
    }

    fn decide(
        &self,
        who: Speaker,
        frame: &ClientFrame,
        now: Now,
    ) -> Result<(Entry, oneshot::Receiver<Result<(), Unavailable>>), Refusal> {
        let mut state = self.state();
        if state.over || state.pending.len() >= PENDING {
            return Err(Code::Unavailable.into());
        }
        let room = &mut state.room;
        let decided = match frame {
            ClientFrame::Say { text, reference } => room.say(who, text, reference.as_deref(), now),
            ClientFrame::Name { name } => room.rename(who, name, now),
            ClientFrame::Delete { id } => room.delete(who, id, now),
            ClientFrame::Clear {} => room.clear(who, now),
            ClientFrame::Ban { author, seconds } => room.ban(who, *author, *seconds, now),
            ClientFrame::Room(patch) => room.change(who, patch, now),
        };
        // A refusal may be the one that makes the room slow.
        self.wake.notify_one();
        let entry = decided?;
        let (done, kept) = oneshot::channel();
        state.pending.push(Pending { entry: entry.clone(), done });
        Ok((entry, kept))
    }

    /// The room is no more, and everybody is told so. What waits is not kept.
    pub fn end(&self) {
        let mut state = self.state();
        state.over = true;
        state.pending.clear();
        // Nobody listening is no fault.
        let _ = self.frames.send(Out::End);
    }

    /// Who somebody is now, for himself.
    pub fn you(&self, id: PersonId, role: Role) -> ServerFrame {
        ServerFrame::You { you: self.state().room.author(Speaker { id, role, place: None }) }
    }

    /// One more is here as long as this is kept.
    pub fn count(self: &Arc<OpenRoom>) -> Here {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        Here(self.clone())
    }
}

/// Somebody who is here.
pub struct Here(Arc<OpenRoom>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
