//! Work that blocks, on a thread of its own: an event loop never waits for a program, a disk or a lock.

use crate::base::{Failure, Outcome};
use tokio::sync::oneshot;

/// Begins `work` at once on a thread of its own. Where no thread can be had, or `work` panics, nothing is sent.
///
/// Not tokio's `spawn_blocking`: it panics where no thread can be had, and a runtime that ends waits for it, which for
/// a silent source is half a minute. Programs that [`spawn::run`](super::spawn::run) starts here die with the process.
pub fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (tell, told) = oneshot::channel();
    let _ = std::thread::Builder::new().name("blocking".into()).spawn(move || drop(tell.send(work())));
    told
}

/// Does `work` on a thread of its own and waits for what comes of it. Whoever drops the future leaves the work to itself.
///
/// # Errors
/// Internal, `cannot DOING`, where no thread can be had.
pub async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Outcome<T> {
    begin(work).await.map_err(|_| Failure::internal(format!("cannot {doing}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_event_loop_goes_on_meanwhile() {
        let (go, wait) = std::sync::mpsc::channel();
        let work = blocking("wait", move || wait.recv().unwrap());
        // On this one thread the message can only be sent while the work waits for it.
        let ((), told) = tokio::join!(async { go.send(7).unwrap() }, work);
        assert_eq!(told.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_that_panics_is_a_failure() {
        let failure = blocking("think", || assert_eq!(1, 2, "panics on purpose")).await.unwrap_err();
        assert_eq!(failure.to_string(), "cannot think");
    }
}
