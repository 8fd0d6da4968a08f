//! Rooms of registered streams, called by their public ids, before those of whatever else is live; who moderates: the operator, and
//! the owner by the private id; and what other programs are told.

use super::hub_rooms::HubRooms;
use super::outside::{Asking, Found, Rooms, Standing, Told, Who};
use crate::auth::{Action, Protocol};
use crate::base::percent::argument;
use crate::model::{LadderName, StreamName};
use crate::platform::chat::{self, Entry, Later, Role};
use crate::platform::operators::Scope;
use crate::platform::{Kept, Stream};
use crate::protocol::web_access::{Gate, Question, Turned};
use crate::server::web::rest::{Api, caller};
use std::future::ready;
use std::sync::Arc;

/// See the module.
pub struct Registered {
    api: Api,
    application: String,
    others: Arc<HubRooms>,
    gate: Arc<Gate>,
}

impl Registered {
    /// Streams of `application` are registered, `others` has the rest, and `gate` knows who may watch.
    pub fn new(api: Api, application: String, others: Arc<HubRooms>, gate: Arc<Gate>) -> Registered {
        Registered { api, application, others, gate }
    }

    /// What the room of a ladder is called.
    pub fn room(&self, ladder: &LadderName) -> String {
        let registered = self.api.kept().directory().find(&ladder.key);
        match registered.filter(|_| ladder.application == self.application) {
            Some(stream) => stream.public_id.clone(),
            None => self.others.room(ladder),
        }
    }

    fn stream(&self, room: &str) -> Option<Arc<Stream>> {
        self.api.kept().directory().find(room)
    }
}

impl Rooms for Registered {
    fn find(&self, id: &str) -> Later<Option<Found>> {
        let Some(place) = self.api.kept().directory().place(id) else { return self.others.find(id) };
        let stream = place.stream;
        let found = stream.chat.then(|| Found {
            room: stream.public_id.clone(),
            stream: StreamName::new(self.application.clone(), stream.slug.clone()),
        });
        Box::pin(ready(found))
    }

    fn is_live(&self, room: &str) -> bool {
        match self.stream(room) {
            Some(stream) => self.others.is_live(&stream.slug),
            None => self.others.is_live(room),
        }
    }

    fn standing(&self, room: &str) -> Standing {
        match self.stream(room).filter(|stream| stream.public_id == room) {
            Some(stream) if stream.chat => Standing::Registered,
            Some(_) => Standing::Off,
            None => Standing::Unregistered,
        }
    }
}

/// Tells other programs what happens in rooms.
impl Told for Registered {
    fn told(&self, room: &str, entry: &Entry) {
        let stream = self.stream(room);
        let name = stream.as_ref().map_or(room, |stream| stream.slug.as_str());
        if let Some(event) = chat::event(room, name, entry) {
            self.api.kept().events().tell(event);
        }
    }
}

impl Who for Registered {
    fn role(&self, asking: Asking) -> Later<Result<Role, Turned>> {
        let (api, gate) = (self.api.clone(), self.gate.clone());
        let stream = self.stream(&asking.found.room);
        Box::pin(async move {
            // Browsers cannot send fields with a WebSocket.
            let token = argument(&asking.query, "token");
            let by_token = |stream: &Stream| token.as_ref().is_some_and(|token| Kept::owns(stream, token));
            let (headers, host) = (&asking.headers, asking.host.as_deref());
            let caller = caller::known(&api, headers, host, asking.remote, false).await;
            let moderates = caller.is_ok_and(|caller| {
                caller.may(Scope::Chat) || stream.as_deref().is_some_and(|stream| caller.owns(stream))
            });
            if moderates || stream.as_deref().is_some_and(by_token) {
                return Ok(Role::Moderator);
            }
            let question = Question {
                action: Action::Read,
                protocol: Protocol::Hls,
                stream: &asking.found.stream,
                query: &asking.query,
                headers,
                remote: asking.remote,
            };
            gate.ask(question).await.map(|_| Role::Viewer)
        })
    }
}
