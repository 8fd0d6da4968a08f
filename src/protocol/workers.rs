//! The threads that carry media, each with a runtime of its own. The hub says to which of them a ladder belongs; whoever
//! publishes or reads it runs there too, so that no frame has to wake another thread.

use crate::hub::Worker;
use std::io;
use std::net::TcpStream as StdStream;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// All of them; one at least. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Workers {
    first: Handle,
    others: Arc<[Handle]>,
}

impl Workers {
    /// These runtimes, which live as long as anything runs on them. Connections begin on the first one.
    pub fn new(first: Handle, others: Vec<Handle>) -> Workers {
        Workers { first, others: others.into() }
    }

    /// How many there are.
    pub fn count(&self) -> NonZeroUsize {
        NonZeroUsize::MIN.saturating_add(self.others.len())
    }

    /// The runtime of this one. A number that nobody has is the first one's.
    pub fn runtime(&self, worker: Worker) -> &Handle {
        worker.0.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }
}

/// How long a connection that moves may have no room for an answer; it has been sent next to nothing before.
const ROOM: Duration = Duration::from_secs(1);

/// The same connection, watched by the runtime that this is called on. It knows what the socket can do only after its
/// first look: until then every write would block, and an answer to a peer that has closed its own side would be lost.
///
/// # Errors
/// The process may have no more files open.
pub async fn taken_over(socket: &TcpStream) -> io::Result<TcpStream> {
    let socket = TcpStream::from_std(StdStream::from(socket.as_fd().try_clone_to_owned()?))?;
    let _ = timeout(ROOM, socket.writable()).await;
    Ok(socket)
}
