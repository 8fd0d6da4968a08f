//! Who watches over HLS. Requests have no sessions and no cookies, so this is an estimate: a viewer is one address and
//! one user agent that asked for playlists of a ladder within the last ten seconds. Several players behind one address
//! with the same agent, or behind a cache, are one.

use crate::base::clock::Now;
use crate::hub::client::add;
use crate::hub::{Client, Registry, Role};
use crate::model::{LadderName, StreamName};
use crate::protocol::HLS_SESSION;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whoever has asked for no playlist for so long has left.
pub const REMEMBERED: Duration = Duration::from_secs(10);
/// The most that are told apart.
const MOST: usize = 16 << 10;
/// Characters of a user agent that are kept.
const LONGEST_AGENT: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    ladder: LadderName,
    address: IpAddr,
    agent: String,
}

struct Viewer {
    client: Arc<Client>,
    label: String,
    last: Instant,
}

/// Somebody who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The other end.
    pub remote: SocketAddr,
    /// What it calls itself.
    pub agent: &'a str,
    /// Who it says it is; empty if nobody had to say.
    pub user: &'a str,
}

/// See the module. Cloning shares them.
#[derive(Clone, Default)]
pub struct Viewers(Arc<Mutex<BTreeMap<Who, Viewer>>>);

impl Viewers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Who, Viewer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has asked for the playlist of a rendition. `name_of` tells the name of its stream.
    pub fn asked(
        &self,
        registry: &Registry,
        (ladder, label): (&LadderName, &str),
        asker: Asker<'_>,
        now: Now,
        name_of: impl FnOnce() -> StreamName,
    ) {
        let mut viewers = self.lock();
        let who = who(ladder, asker);
        if let Some(viewer) = viewers.get_mut(&who) {
            viewer.last = now.mono;
            if viewer.label != label {
                viewer.label = label.to_string();
                let name = name_of();
                viewer.client.describe(|details| {
                    (details.application, details.name) = (name.application, name.name);
                });
            }
            return;
        }
        if viewers.len() >= MOST {
            return registry.broke("hls_viewers");
        }
        let client = registry.enter(HLS_SESSION, asker.remote, now.mono, now.wall_ms);
        let name = name_of();
        client.describe(|details| {
            details.role = Role::Read;
            (details.application, details.name) = (name.application, name.name);
            details.user = asker.user.to_string();
            details.agent.clone_from(&who.agent);
            details.transport = Some("HTTP");
        });
        viewers.insert(who, Viewer { client, label: label.to_string(), last: now.mono });
    }

    /// Somebody was sent so many bytes of a ladder.
    pub fn sent(&self, ladder: &LadderName, asker: Asker<'_>, bytes: u64) {
        if let Some(viewer) = self.lock().get(&who(ladder, asker)) {
            add(&viewer.client.counters.bytes_out, bytes);
        }
    }

    /// Forgets those who have left; to be called now and then.
    pub fn forget(&self, now: Instant) {
        self.lock().retain(|_, viewer| now.saturating_duration_since(viewer.last) < REMEMBERED);
    }
}

fn who(ladder: &LadderName, asker: Asker<'_>) -> Who {
    Who {
        ladder: ladder.clone(),
        address: asker.remote.ip().to_canonical(),
        agent: asker.agent.chars().take(LONGEST_AGENT).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_agent_is_one_viewer_for_ten_seconds() {
        let (viewers, registry) = (Viewers::default(), Registry::default());
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        let start = Now::read();
        let at = |s: u64| Now { mono: start.mono + Duration::from_secs(s), ..start };
        let ask = |port: u16, agent, label: &str, s| {
            let asker = Asker { remote: ([192, 0, 2, 7], port).into(), agent, user: "" };
            let name = || StreamName::new("live", format!("cam_{label}"));
            viewers.asked(&registry, (&ladder, label), asker, at(s), name);
            viewers.sent(&ladder, asker, 100);
        };
        ask(1, "a", "720p", 0);
        ask(2, "a", "360p", 8);
        ask(3, "b", "720p", 8);
        let mut seen: Vec<_> = registry.list(HLS_SESSION).iter().map(|client| client.details()).collect();
        seen.sort_by(|a, b| a.agent.cmp(&b.agent));
        let names: Vec<&str> = seen.iter().map(|details| details.name.as_str()).collect();
        assert_eq!(names, ["cam_360p", "cam_720p"], "the last rendition that each asked for");
        assert_eq!(registry.traffic(), (0, 300));
        viewers.forget(at(17).mono);
        assert_eq!(registry.list(HLS_SESSION).len(), 2);
        viewers.forget(at(18).mono);
        assert!(registry.list(HLS_SESSION).is_empty());
        assert_eq!(registry.traffic(), (0, 300), "what they took stays counted");
    }

    #[test]
    fn a_flood_of_agents_does_not_grow_it() {
        let (viewers, registry) = (Viewers::default(), Registry::default());
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        for n in 0..MOST + 10 {
            let agent = format!("{n}");
            let asker = Asker { remote: ([192, 0, 2, 7], 1).into(), agent: &agent, user: "" };
            viewers.asked(&registry, (&ladder, "x"), asker, Now::read(), || StreamName::new("live", "cam"));
        }
        assert_eq!(viewers.lock().len(), MOST);
        assert_eq!(registry.broken_limits()["hls_viewers"], 10);
    }
}
