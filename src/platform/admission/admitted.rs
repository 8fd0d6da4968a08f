//! Whom the back end has let in, from the answer to the end.

use super::ask::Ask;
use crate::auth::{Action, Protocol};
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
        // Viewers over HLS and WebRTC are no readers of the hub: it does not say when they come and go.
        if !ask.publishes() && matches!(ask.protocol, Protocol::Hls | Protocol::WebRtc) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Registry;
    use crate::platform::admission::target::tests::ask;
    use std::time::Instant;

    #[test]
    fn whoever_begins_is_who_was_asked_about() {
        let (registry, mut admitted) = (Registry::default(), Admitted::default());
        let client = |port: u16| {
            let remote = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            registry.enter(crate::protocol::RTMP, remote, Instant::now(), 0)
        };
        let film = StreamName::new("live", "film");
        let asked = |port: u16, action| {
            let mut ask = ask(action);
            (ask.id, ask.caller.port) = (Uuid::new_v4(), port);
            Arc::new(ask)
        };
        let (first, second, reads) =
            (asked(1, Action::Publish), asked(2, Action::Publish), asked(0, Action::Read));
        for ask in [&first, &second, &reads] {
            admitted.expect(film.clone(), ask.clone());
        }
        let (one, two, other) = (client(1), client(2), client(3));
        assert_eq!(admitted.begin(Action::Publish, &film, &one), Some(first.clone()));
        assert_eq!(admitted.begin(Action::Publish, &film, &one), None, "once");
        assert_eq!(admitted.begin(Action::Publish, &StreamName::new("live", "x"), &two), None);
        assert_eq!(admitted.begin(Action::Publish, &film, &other), None);
        assert_eq!(admitted.begin(Action::Read, &film, &other), Some(reads.clone()), "from wherever there");
        assert_eq!((admitted.end(&one), admitted.end(&one)), (Some(first), None));
        assert!(!admitted.is_empty());
        assert_eq!(admitted.end(&other), Some(reads));
        assert!(admitted.is_empty());
    }

    #[test]
    fn those_who_never_begin_are_forgotten() {
        let mut admitted = Admitted::default();
        let mut viewer = ask(Action::Read);
        viewer.protocol = Protocol::Hls;
        let viewer = Arc::new(viewer);
        for n in 0..3000_u32 {
            admitted.expect(StreamName::new("live", "film"), viewer.clone());
            admitted.expect(StreamName::new("live", n.to_string()), Arc::new(ask(Action::Publish)));
            assert!(admitted.expected.len() <= EXPECTED);
        }
        let watching = admitted.expected.iter().filter(|(_, ask)| ask.protocol == Protocol::Hls).count();
        assert_eq!(watching, 0);
    }
}
