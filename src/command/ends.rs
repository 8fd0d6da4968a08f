//! Beginning and end of what runs in the foreground: what the service manager is told, and the signals that end it:
//! SIGINT, SIGTERM, SIGHUP; a second Ctrl-C ends it at once.

use crate::base::{Failure, Outcome};
use crate::process::notify::Notifier;
use std::future::Future;
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
        self.asked_or(None::<fn() -> std::future::Ready<()>>).await;
    }

    /// As [`Ends::asked`], but where there is something to read anew, SIGHUP asks for that instead.
    pub(super) async fn asked_or<F: Future<Output = ()>>(&mut self, mut reload: Option<impl FnMut() -> F>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
                _ = self.hangup.recv() => match &mut reload {
                    Some(reload) => reload().await,
                    None => break,
                },
            }
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

/// Says that what runs is ready, and gives signs of life as long as the event loop turns.
pub(super) fn ready(notifier: &Notifier, words: &str) {
    notifier.ready();
    notifier.status(words);
    let Some(every) = notifier.beat_every() else { return };
    let notifier = notifier.clone();
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(every);
        loop {
            beat.tick().await;
            notifier.alive();
        }
    });
}
