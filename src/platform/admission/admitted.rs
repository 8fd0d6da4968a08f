//! Whom the back end has let in, from the answer to the end.

use super::ask::Ask;
use crate::auth::Action;
use crate::hub::client::Client;
use crate::model::StreamName;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// Questions that are remembered until their connection begins.
const EXPECTED: usize = 1024;
/// Those whose end is to be told.
const PRESENT: usize = 16 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// Not begun yet, the newest last.
    expected: VecDeque<(StreamName, Arc<Ask>)>,
    present: HashMap<Uuid, Arc<Ask>>,
}

impl Admitted {
    /// Somebody was let in and is about to begin.
    pub(super) fn expect(&mut self, stream: StreamName, ask: Arc<Ask>) {
        if self.expected.len() >= EXPECTED {
            self.expected.pop_front();
        }
        self.expected.push_back((stream, ask));
    }

    /// Somebody has begun: the question that was asked about it, if one was.
    pub(super) fn begin(&mut self, action: Action, stream: &StreamName, client: &Client) -> Option<Arc<Ask>> {
        let address = client.remote.ip().to_canonical();
        let fits = |(name, ask): &(StreamName, Arc<Ask>)| {
            let port = ask.caller.port;
            name == stream
                && ask.action == action
                && ask.address == address
                && (port == 0 || port == client.remote.port())
        };
        let at = self.expected.iter().rposition(fits)?;
        let (_, ask) = self.expected.remove(at)?;
        if self.present.len() < PRESENT {
            self.present.insert(client.id, ask.clone());
        }
        Some(ask)
    }

    /// Somebody is gone.
    pub(super) fn end(&mut self, client: &Client) -> Option<Arc<Ask>> {
        self.present.remove(&client.id)
    }

    /// Whether nobody is there whose end is to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }
}
