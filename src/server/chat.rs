//! Chat put together: which rooms there are, who moderates, and what runs beside its sockets.

use super::options::Options;
use super::web::rest::Api;
use super::web::rest::chat::{Chat, HubRooms, Limits, Parts, Registered};
use crate::auth::{Authorizer, Ledger};
use crate::base::{Failure, Outcome};
use crate::hub::event::{Event, Heard, Listener};
use crate::hub::{Hub, Registry};
use crate::platform::chat::Stored;
use crate::platform::events::{Event as Told, Type};
use crate::process::load::open_files_allowed;
use crate::protocol::web_access::Gate;
use crate::server::endpoint::http::asked_to_end;
use crate::telemetry::Log;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, watch};

/// What chat needs of the server.
pub struct Needs<'a> {
    /// What the server is told.
    pub options: &'a Options,
    /// The streams.
    pub hub: Hub,
    /// Where broken limits are counted.
    pub registry: Registry,
    /// Who may watch.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who guessed wrong.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What happened.
    pub log: Log,
    /// What is registered, and who asks.
    pub api: Api,
    /// When the server ends.
    pub shutdown: watch::Receiver<bool>,
}

/// The chat, and what runs until the server ends.
///
/// # Errors
/// Internal: the system gives no random numbers.
pub fn begin(needs: Needs<'_>) -> Outcome<(Arc<Chat>, impl Future<Output = ()> + Send + use<>)> {
    let Needs { options, hub, registry, authorizer, ledger, log, api, shutdown } = needs;
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Failure::internal("cannot serve chat").why("the system gives no random numbers"))?;
    let events = hub.events().listen();
    let open = Arc::new(HubRooms::new(hub, options.applications.clone().into()));
    let gate = Arc::new(Gate::new(authorizer, ledger, log.clone()));
    let first = options.applications.first().cloned().unwrap_or_default();
    let stored = Stored::new(api.kept().clone(), &random, log.clone());
    let told = api.kept().events().listen();
    let rooms = Arc::new(Registered::new(api, first, open.clone(), gate));
    let chat = Arc::new(Chat::new(Parts {
        salt: stored.salts(),
        log: Arc::new(stored),
        rooms: rooms.clone(),
        who: rooms.clone(),
        told: Some(rooms.clone()),
        limits: Limits::new(options.per_address.0, open_files_allowed()),
        trusted: options.trusted.clone(),
        secure: options.tls.is_some(),
        registry,
        server_log: log,
        shutdown: shutdown.clone(),
    }));
    let running = {
        let chat = chat.clone();
        async move {
            let follow = follow((events, told), (open, rooms), chat.clone(), shutdown);
            tokio::join!(chat.until_all_left(), follow);
        }
    };
    Ok((chat, running))
}

/// Tells rooms what becomes of their streams.
async fn follow(
    (mut events, mut told): (Listener, broadcast::Receiver<Arc<Told>>),
    (open, rooms): (Arc<HubRooms>, Arc<Registered>),
    chat: Arc<Chat>,
    mut shutdown: watch::Receiver<bool>,
) {
    loop {
        let heard = tokio::select! {
            heard = events.next() => heard,
            told = told.recv() => {
                // Where some were missed, rooms look by themselves every few seconds. Nobody closes it: the rooms tell as well.
                if let Ok(told) = told
                    && [Type::StreamDeleted.word(), Type::StreamUpdated.word()].contains(&told.kind.as_str())
                {
                    told.public_id.iter().for_each(|room| chat.stream_changed(room));
                }
                continue;
            }
            () = asked_to_end(&mut shutdown) => return,
        };
        match heard {
            Heard::Event(event) => {
                if let Event::Published { ladder, .. } | Event::Ended { ladder, .. } = &*event {
                    open.remember(ladder);
                    chat.stream_changed(&rooms.room(ladder));
                }
            }
            // Rooms look by themselves every few seconds.
            Heard::Missed(_) => {}
            Heard::Closed => return asked_to_end(&mut shutdown).await,
        }
    }
}
