//! The signals that this process gets, as the tokens that the use cases take.

use crate::base::{Failure, Outcome};
use crate::process::player_run::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Begins to listen, at once: Ctrl-C or SIGTERM asks for the end, Ctrl-C after that for the end at once.
///
/// # Errors
/// Internal, if the system refuses.
pub fn cancellation() -> Outcome<Cancel> {
    listen(None)
}

/// As [`cancellation`], by the end of the terminal (SIGHUP) as well.
///
/// # Errors
/// Internal, if the system refuses.
pub fn cancellation_with_terminal() -> Outcome<Cancel> {
    listen(Some(of(SignalKind::hangup())?))
}

fn of(kind: SignalKind) -> Outcome<Signal> {
    signal(kind).map_err(|e| Failure::internal("cannot listen for signals").why(e.to_string()))
}

fn listen(mut hangups: Option<Signal>) -> Outcome<Cancel> {
    let (mut interrupts, mut terminations) = (of(SignalKind::interrupt())?, of(SignalKind::terminate())?);
    let cancel = Cancel::default();
    let told = cancel.clone();
    tokio::spawn(async move {
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = interrupts.recv() => if told.asked.is_cancelled() { told.at_once.cancel() },
                _ = terminations.recv() => {}
                _ = hangup => {}
            }
            told.asked.cancel();
        }
    });
    Ok(cancel)
}
