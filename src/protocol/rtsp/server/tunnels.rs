//! The open tunnels through HTTP: which connection waits for what comes up which.

use bytes::Bytes;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Pieces that may wait between two connections.
const WAITING: usize = 16;

/// Both sides come from one address and have one cookie.
type Key = (IpAddr, String);

/// All of them. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Tunnels(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    open: Mutex<HashMap<Key, mpsc::Sender<Bytes>>>,
    opened: Notify,
}

/// The lower end of a tunnel: what the client says. Dropping it closes the tunnel.
#[derive(Debug)]
pub struct Lower {
    tunnels: Tunnels,
    key: Key,
    /// Pieces of what the client says, decoded.
    pub heard: mpsc::Receiver<Bytes>,
}

impl Drop for Lower {
    fn drop(&mut self) {
        self.tunnels.open().remove(&self.key);
    }
}

impl Tunnels {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, mpsc::Sender<Bytes>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a tunnel. `None` if there is one with this cookie from this address.
    pub fn lower(&self, from: IpAddr, cookie: String) -> Option<Lower> {
        let key = (from.to_canonical(), cookie);
        let mut open = self.open();
        if open.contains_key(&key) {
            return None;
        }
        let (sender, heard) = mpsc::channel(WAITING);
        open.insert(key.clone(), sender);
        drop(open);
        self.0.opened.notify_waiters();
        Some(Lower { tunnels: self.clone(), key, heard })
    }

    /// The upper end of a tunnel, for as often as a client comes with one. It may come before the lower one: so long is
    /// waited for that.
    pub async fn upper(
        &self,
        from: IpAddr,
        cookie: String,
        patience: Duration,
    ) -> Option<mpsc::Sender<Bytes>> {
        let key = (from.to_canonical(), cookie);
        let found = async {
            loop {
                let opened = self.0.opened.notified();
                tokio::pin!(opened);
                opened.as_mut().enable();
                if let Some(sender) = self.open().get(&key) {
                    return sender.clone();
                }
                opened.await;
            }
        };
        tokio::time::timeout(patience, found).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_ends_find_each_other_in_any_order() {
        let (tunnels, here) = (Tunnels::default(), IpAddr::from([127, 0, 0, 1]));
        let soon = Duration::from_secs(5);
        let early = tokio::spawn({
            let tunnels = tunnels.clone();
            async move { tunnels.upper("::ffff:127.0.0.1".parse().unwrap(), "a".into(), soon).await }
        });
        tokio::task::yield_now().await;
        let mut lower = tunnels.lower(here, "a".into()).unwrap();
        assert!(tunnels.lower(here, "a".into()).is_none(), "the cookie is taken");
        let other = tunnels.lower(IpAddr::from([127, 0, 0, 2]), "a".into());
        let upper = early.await.unwrap().expect("a tunnel");
        upper.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(lower.heard.recv().await.as_deref(), Some(&b"x"[..]));
        // The client may come again with another POST.
        drop(upper);
        tunnels.upper(here, "a".into(), soon).await.unwrap().send(Bytes::from_static(b"y")).await.unwrap();
        assert_eq!(lower.heard.recv().await.as_deref(), Some(&b"y"[..]));
        drop((lower, other));
        assert!(tunnels.upper(here, "a".into(), soon).await.is_none(), "it is closed, and patience ends");
        assert!(tunnels.open().is_empty());
    }
}
