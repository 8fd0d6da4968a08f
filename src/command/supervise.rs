//! `msconv __supervise`: the detached supervisor of one stream. Reads its order from stdin, tells events on
//! stdout, one JSON line each, and outlives whoever started it.

use crate::base::{Failure, Outcome};
use crate::manager::streams::publish::{Order, Refusal, carry_out};
use crate::process::supervisor::Control;
use crate::process::sys;
use std::io::{Read, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Largest order that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Runs it; the exit code.
pub fn run() -> Outcome<u8> {
    let mut text = Vec::new();
    std::io::stdin()
        .take(LARGEST)
        .read_to_end(&mut text)
        .map_err(|e| Failure::internal("cannot read the order").why(e.to_string()))?;
    let order: Order = serde_json::from_slice(&text).map_err(|_| {
        Failure::usage("__supervise is started by publish, never by hand").hint("msconv publish --help")
    })?;
    drop(text);
    sys::ignore_hangup();
    let _ = sys::null_descriptor(0, false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal("cannot start the event loop").why(e.to_string()))?;
    runtime.block_on(async {
        let (ask, control) = mpsc::channel(4);
        // In force before anything is started: a request that comes a moment later must not end us without a trace.
        let listen = |kind| {
            signal(kind).map_err(|e| Failure::internal("cannot listen for signals").why(e.to_string()))
        };
        let signals = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        tokio::spawn(obey_signals(signals, ask));
        match carry_out(order, control, tell).await {
            Ok(ended) => Ok(ended.failure.unwrap_or(0)),
            Err(failure) => {
                tell(&Refusal::from(&failure));
                Ok(failure.kind().exit_code())
            }
        }
    })
}

/// One line for whoever started us; when nobody listens any more it is for nobody.
fn tell(message: &impl serde::Serialize) {
    if let Ok(mut line) = serde_json::to_vec(message) {
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

async fn obey_signals((mut terminate, mut interrupt): (Signal, Signal), ask: mpsc::Sender<Control>) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if ask.send(Control::Stop).await.is_err() {
            return;
        }
    }
}
