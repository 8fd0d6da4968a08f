//! The signals that end what runs in the foreground: SIGINT, SIGTERM, SIGHUP; a second Ctrl-C ends it at once.

use crate::base::{Failure, Outcome};
use tokio::signal::unix::{SignalKind, signal};

/// The signals that end a server.
pub(super) struct Ends {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Ends {
    /// From now on no signal finds us unprepared.
    ///
    /// # Errors
    /// Internal, if the system refuses.
    pub(super) fn listen() -> Outcome<Ends> {
        let listen = |kind| {
            signal(kind).map_err(|e| Failure::internal("cannot listen for signals").why(e.to_string()))
        };
        Ok(Ends {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the first; from then on a second Ctrl-C ends the process where it stands.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
        let again = signal(SignalKind::interrupt());
        tokio::spawn(async move {
            if let Ok(mut again) = again {
                again.recv().await;
                std::process::exit(130);
            }
        });
    }
}
