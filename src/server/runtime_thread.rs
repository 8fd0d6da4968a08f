//! A thread with a runtime of its own: one for what is asked about the server and is no part of its media (the operators'
//! endpoints, events, rates), so that nothing slow there stands in the way of frames, and one for each further worker
//! that carries media.

use crate::base::{Failure, Outcome, failure::io_words};
use std::future::Future;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::oneshot;

/// See the module. Dropping it ends the thread and what runs on it.
pub struct RuntimeThread {
    runtime: Handle,
    _alive: oneshot::Sender<()>,
}

impl RuntimeThread {
    /// Starts it under this name, of at most 15 bytes.
    ///
    /// # Errors
    /// Internal, if the system gives no thread.
    pub fn start(name: &str) -> Outcome<RuntimeThread> {
        let failed = |e: std::io::Error| Failure::internal("cannot start a thread").why(io_words(&e));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (alive, gone) = oneshot::channel::<()>();
        let work = move || {
            // The other end is never used: it is dropped.
            let _ = runtime.block_on(gone);
        };
        std::thread::Builder::new().name(name.to_string()).spawn(work).map_err(failed)?;
        Ok(RuntimeThread { runtime: handle, _alive: alive })
    }

    /// What runs things there.
    pub fn handle(&self) -> Handle {
        self.runtime.clone()
    }

    /// Sockets that are made while this lives belong to the thread.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Runs `part` there. What is given back is over when the part is.
    pub fn run<F>(&self, part: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = self.runtime.spawn(part);
        async move {
            let _ = task.await;
        }
    }
}
