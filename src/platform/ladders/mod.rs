//! Ladders of what others publish. When somebody publishes a name that has no renditions, our own program publishes some of
//! it beside it, as `publish -r` does: supervised, within the machine's budget, seen by `status`, `list` and `logs`. The
//! ladder ends with the stream.

pub mod kept;

use super::programs::passes::Passes;
use super::programs::run::Run;
use super::programs::{Program, Target, reads};
use crate::base::clock::Now;
use crate::hub::event::{Heard, PublishEnd};
use crate::hub::{Event, Hub};
use crate::model::{LadderFact, LadderName, LadderPolicy, StreamKey, StreamName};
use crate::telemetry::Log;
use kept::{Kept, Seen, Todo};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Says which streams get a ladder.
pub trait Policies: Send + Sync {
    /// What ladder this stream gets.
    fn policy(&self, name: &StreamName) -> LadderPolicy;
}

/// The same for all.
impl Policies for LadderPolicy {
    fn policy(&self, _: &StreamName) -> LadderPolicy {
        self.clone()
    }
}

/// See the module.
pub struct Ladders {
    hub: Hub,
    program: Program,
    target: Target,
    policies: Arc<dyn Policies>,
    log: Log,
    passes: Passes,
    kept: Kept,
    stops: BTreeMap<StreamName, CancellationToken>,
    running: JoinSet<StreamName>,
}

impl Ladders {
    /// None yet.
    pub fn new(
        hub: Hub,
        (program, target): (Program, Target),
        policies: Arc<dyn Policies>,
        passes: Passes,
        log: Log,
    ) -> Ladders {
        Ladders {
            hub,
            program,
            target,
            policies,
            log,
            passes,
            kept: Kept::default(),
            stops: BTreeMap::new(),
            running: JoinSet::new(),
        }
    }

    /// Makes them until `shutdown` says so; then none is left. To be run on the main thread, with which programs die.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut events = self.hub.events().listen();
        // Somebody may have been quicker than this task.
        self.look();
        loop {
            tokio::select! {
                heard = events.next() => match heard {
                    Heard::Event(event) => self.heard(&event),
                    Heard::Missed(_) => self.look(),
                    Heard::Closed => break,
                },
                () = until(self.kept.due()) => {
                    for name in self.kept.over(Instant::now()) {
                        self.stop(&name);
                    }
                }
                Some(ended) = self.running.join_next() => {
                    if let Ok(name) = ended {
                        self.stops.remove(&name);
                        self.passes.end(&reads(&name.application, &name.name));
                        if self.kept.gone(&name) {
                            self.published(&name);
                        }
                    }
                }
                // An error means that whoever would say so is gone, which says the same.
                _ = shutdown.wait_for(|down| *down) => break,
            }
        }
        self.stops.values().for_each(CancellationToken::cancel);
        while self.running.join_next().await.is_some() {}
    }

    fn heard(&mut self, event: &Event) {
        match event {
            Event::Published { stream, .. } => self.published(stream),
            Event::Ended { stream, end, .. } => self.kept.ended(stream, *end, Instant::now()),
            _ => {}
        }
    }

    /// Events were missed: what is on the air says the rest.
    fn look(&mut self) {
        let on_air: Vec<StreamName> = self
            .hub
            .snapshot()
            .into_iter()
            .filter(|view| view.publisher.is_some())
            .map(|view| view.name)
            .collect();
        let gone: Vec<StreamName> =
            self.kept.names().filter(|name| !on_air.contains(name)).cloned().collect();
        for name in gone {
            self.kept.ended(&name, PublishEnd::Lost, Instant::now());
        }
        on_air.iter().for_each(|name| self.published(name));
    }

    fn published(&mut self, name: &StreamName) {
        let policy = self.policies.policy(name);
        match self.kept.published(name, self.seen(name, &policy)) {
            Todo::Nothing => {}
            Todo::Full => self.log.warn(format_args!(
                "ladder: {}/{} gets none: there are as many as there may be, {}",
                name.application,
                name.name,
                kept::MOST
            )),
            Todo::Begin => self.begin(name, &policy),
        }
    }

    fn seen(&self, name: &StreamName, policy: &LadderPolicy) -> Seen {
        let own = LadderName { application: name.application.clone(), key: name.name.clone() };
        let (ladder, _) = self.hub.place_of(name);
        Seen {
            rendition: ladder != own,
            // One of msconv's own has told what it publishes, of which this may be the original.
            has_ladder: self.hub.on_air(&own).iter().any(|one| one.name != *name || one.planned.is_some()),
            wanted: *policy != LadderPolicy::Off,
        }
    }

    fn begin(&mut self, name: &StreamName, policy: &LadderPolicy) {
        let StreamName { application, name: key } = name;
        let key: StreamKey = match key.parse() {
            Ok(key) => key,
            Err(why) => {
                self.log.warn(format_args!("ladder: {application}/{key} gets none: {why}"));
                self.kept.gone(name);
                return;
            }
        };
        // The name itself is no part of what comes: its times and keyframes are its publisher's own affair.
        let renditions = Vec::new();
        let fact = LadderFact {
            application: application.clone(),
            key: key.to_string(),
            run: 0,
            aligned: true,
            renditions,
        };
        self.hub.tell(fact, Now::read());
        let pass = self.passes.issue(&reads(application, &name.name));
        let command = self.program.of(&key, name, policy, &self.target, &pass);
        let stop = CancellationToken::new();
        self.stops.insert(name.clone(), stop.clone());
        self.log.info(format_args!("ladder: {application}/{key} gets one"));
        let what = format!("ladder: {application}/{}", name.name);
        let (run, name) = (Run { what, command, stop, tireless: false, log: self.log.clone() }, name.clone());
        self.running.spawn(async move {
            run.until_over(|_| {}).await;
            name
        });
    }

    fn stop(&mut self, name: &StreamName) {
        if let Some(stop) = self.stops.get(name) {
            self.log.info(format_args!("ladder: that of {}/{} ends with it", name.application, name.name));
            stop.cancel();
        }
    }
}

/// Waits until then; for ever, if that is never.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}
