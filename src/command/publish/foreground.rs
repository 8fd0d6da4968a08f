//! `msconv publish --foreground`: stays with the stream, shows it, and tells the service manager.

use super::{announce, summary};
use crate::base::{Failure, Kind, Outcome};
use crate::command::Context;
use crate::manager::streams::publish::{self, Patience, Prepared, Step};
use crate::model::{PublishSpec, State, StreamKey};
use crate::process::notify::Notifier;
use crate::process::supervisor::{Control, Event};
use crate::ui::publish_view::Dashboard;
use std::cell::RefCell;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What the service manager hears of a stream in the foreground.
struct Manager {
    notifier: Notifier,
    said: String,
}

impl Manager {
    fn new(notifier: Notifier) -> Manager {
        Manager { notifier, said: String::new() }
    }

    /// Ready is the supervisor, not the stream: it goes on trying where a server or a source is not there yet. It reports
    /// at each change and every few seconds, so its reports are the signs of life.
    fn told(&mut self, event: &Event) {
        match event {
            Event::Locked => self.notifier.ready(),
            Event::Update(record) => {
                self.notifier.alive();
                let words = match &record.reason {
                    Some(reason) => format!("{}: {reason}", record.state),
                    None => record.state.to_string(),
                };
                if words != self.said {
                    self.notifier.status(&words);
                    if record.state == State::Stopping {
                        self.notifier.stopping();
                    }
                    self.said = words;
                }
            }
            Event::Ended(_) => self.notifier.stopping(),
        }
    }
}

/// What a stream in the foreground begins with.
#[derive(Clone, Copy)]
pub(super) enum Begun<'a> {
    /// What is known of its source, and planned.
    Prepared(&'a Prepared),
    /// A network source, which may not be there yet.
    Asked(&'a PublishSpec, Patience),
}

/// Stays until the stream ends. The first Ctrl-C or SIGTERM asks it to end, a second Ctrl-C kills.
pub(super) fn foreground(context: &Context, key: &StreamKey, begun: Begun<'_>) -> Outcome<u8> {
    let (settings, environment) = (&context.settings, &context.environment);
    if let Begun::Prepared(prepared) = begun {
        context.console.say(&summary(prepared))?;
    }
    let dashboard = RefCell::new(Dashboard::begin(&context.console));
    let interrupted = std::rc::Rc::new(std::cell::Cell::new(false));
    let outcome = context.block_on(async {
        let (ask, control) = mpsc::channel(4);
        let mut interrupts = signal(SignalKind::interrupt()).map_err(|e| Failure::internal(e.to_string()))?;
        let mut terminations =
            signal(SignalKind::terminate()).map_err(|e| Failure::internal(e.to_string()))?;
        let mut hangups = signal(SignalKind::hangup()).map_err(|e| Failure::internal(e.to_string()))?;
        let flag = interrupted.clone();
        let obey = async move {
            loop {
                let control = tokio::select! {
                    _ = interrupts.recv() => if flag.replace(true) { Control::Kill } else { Control::Stop },
                    _ = terminations.recv() => Control::Stop,
                    _ = hangups.recv() => Control::Stop,
                };
                let _ = ask.send(control).await;
            }
        };
        let step = |step: Step<'_>| {
            if let Step::WaitingForName(name) = step {
                context.console.note(&format!("{name}: waiting for the server to drop an old connection"));
            }
        };
        let mut manager = Manager::new(context.notifier());
        let tell = |event: &Event| {
            manager.told(event);
            if let Event::Update(record) = event {
                dashboard.borrow_mut().update(record);
            }
        };
        let note = |text: &str| context.console.note(text);
        let supervised = async {
            match begun {
                Begun::Prepared(prepared) => {
                    publish::foreground(settings, environment, prepared, control, step, note, tell).await
                }
                Begun::Asked(spec, patience) => {
                    let ready = |prepared: &Prepared, notes: &[String]| {
                        announce(context, prepared);
                        notes.iter().for_each(|text| note(text));
                        // A full disk costs the summary, not the stream.
                        let _ = context.console.say(&summary(prepared));
                    };
                    let wanted = (spec, patience);
                    publish::supervise_when_there(settings, environment, wanted, control, tell, ready).await
                }
            }
        };
        tokio::select! {
            ended = supervised => ended,
            () = obey => Err(Failure::internal("the signal handler ended")),
        }
    });
    let shown = dashboard.into_inner().end();
    let ended = outcome?;
    if interrupted.get() {
        context.console.talk(&format!("{key}: stopped"));
        return Ok(Kind::Interrupted.exit_code());
    }
    match publish::foreground_failure(settings, key, &ended) {
        Some(failure) => Err(failure),
        None => {
            context.console.talk(&format!("{key}: ended"));
            shown.map(|()| 0)
        }
    }
}
