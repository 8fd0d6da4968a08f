//! Sources of registered streams: what msconv itself publishes for them. What is wanted stands with the stream; here our own
//! program is run for each that is switched on, until it is switched off, changed or over.

mod board;
mod source;
mod switch;

pub use board::{Board, State};
pub use source::{Origin, Source};

use super::programs::run::{Over, Run};
use super::programs::{OWN_USER, Program, Target};
use super::{Kept, Stream};
use crate::base::clock;
use crate::model::StreamKey;
use crate::telemetry::Log;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Most at work at once; each is an ffmpeg at least.
pub const MOST: usize = 64;
/// Between two looks at what is wanted, which compare one number.
const LOOK: Duration = Duration::from_millis(250);

/// What a run was begun with. If any of it changes, it is begun anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    slug: String,
    ladder: String,
    source: Source,
}

/// One that was begun.
struct Begun {
    wanted: Wanted,
    /// Ends it; nothing if it is over.
    stop: Option<CancellationToken>,
}

/// See the module.
pub struct Sources {
    kept: Kept,
    program: Program,
    target: Target,
    application: String,
    log: Log,
    begun: BTreeMap<String, Begun>,
    running: JoinSet<(String, Over)>,
    seen: Option<i64>,
}

impl Sources {
    /// None yet.
    pub fn new(kept: Kept, program: Program, target: Target, application: String, log: Log) -> Sources {
        Sources {
            kept,
            program,
            target,
            application,
            log,
            begun: BTreeMap::new(),
            running: JoinSet::new(),
            seen: None,
        }
    }

    /// Runs them until `shutdown` says so; then none is left. To be run on the main thread, with which programs die.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look(),
                Some(ended) = self.running.join_next() => {
                    if let Ok((id, over)) = ended {
                        self.over(&id, over).await;
                    }
                }
                // An error means that whoever would say so is gone, which says the same.
                () = async { let _ = shutdown.wait_for(|down| *down).await; } => break,
            }
        }
        self.begun.values().filter_map(|begun| begun.stop.as_ref()).for_each(CancellationToken::cancel);
        while self.running.join_next().await.is_some() {}
    }

    /// Begins what is wanted and ends what is not, if anything has changed.
    fn look(&mut self) {
        let now_ms = clock::now_ms();
        let directory = self.kept.directory().clone();
        let expired = |id: &String| directory.find(id).is_some_and(|stream| stream.has_expired(now_ms));
        let version = Some(directory.version());
        if self.seen == version && !self.begun.iter().any(|(id, one)| one.stop.is_some() && expired(id)) {
            return;
        }
        self.seen = version;
        let all: Vec<(Arc<Stream>, Wanted)> = directory
            .with_source()
            .into_iter()
            .filter(|stream| !stream.has_expired(now_ms))
            .filter_map(|stream| Some((stream.clone(), wanted(&stream)?)))
            .collect();
        let ids: BTreeSet<&str> = all.iter().map(|(stream, _)| stream.public_id.as_str()).collect();
        self.begun.retain(|id, begun| {
            let stays = ids.contains(id.as_str());
            if let (false, Some(stop)) = (stays, &begun.stop) {
                stop.cancel();
            }
            stays || begun.stop.is_some()
        });
        for (stream, one) in all {
            match self.begun.get(&stream.public_id) {
                Some(begun) if begun.wanted == one => {}
                // Once it has ended it is begun anew.
                Some(Begun { stop: Some(stop), .. }) => stop.cancel(),
                _ => self.begin(&stream, one),
            }
        }
    }

    fn begin(&mut self, stream: &Stream, wanted: Wanted) {
        let (id, board) = (stream.public_id.clone(), self.kept.board().clone());
        let at_work = self.begun.values().filter(|begun| begun.stop.is_some()).count();
        let key = match stream.slug.parse::<StreamKey>() {
            Ok(key) if at_work < MOST => key,
            Ok(_) => {
                return board.put(
                    &id,
                    State::Failed(format!("{MOST} sources are at work, which are as many as there may be")),
                );
            }
            Err(why) => return board.put(&id, State::Failed(why.to_string())),
        };
        let policy = Some(&stream.ladder).filter(|ladder| !ladder.is_empty());
        let policy = policy.and_then(|ladder| ladder.parse().ok());
        let pass = (OWN_USER.to_string(), self.kept.passes().issue(&id));
        let command = self.program.of_source(
            &key,
            &wanted.source,
            policy.as_ref(),
            (&self.target, &self.application),
            pass,
        );
        let stop = CancellationToken::new();
        let what = format!("source: {}/{}", self.application, stream.slug);
        self.log.info(format_args!("{what} begins: {}", wanted.source.origin));
        let run = Run { what, command, stop: stop.clone(), tireless: true, log: self.log.clone() };
        board.put(&id, State::Runs);
        self.begun.insert(id.clone(), Begun { wanted, stop: Some(stop) });
        self.running.spawn(async move {
            let over = run.until_over(|why| board.put(&id, State::Retries(why.into()))).await;
            (id, over)
        });
    }

    /// One has ended: because it had to, because it had nothing more to do, or because it cannot go on.
    async fn over(&mut self, id: &str, over: Over) {
        let Some(begun) = self.begun.get_mut(id) else { return };
        let told = begun.stop.take().is_some_and(|stop| stop.is_cancelled());
        let started_ms = begun.wanted.source.started_ms;
        self.kept.board().end(id);
        self.kept.passes().end(id);
        if told {
            self.begun.remove(id);
            self.seen = None;
            return;
        }
        let why = match over {
            Over::Done => None,
            Over::Failed(why) => Some(why),
        };
        if let Some(why) = &why {
            self.kept.board().put(id, State::Failed(why.clone()));
        }
        // A database that is away still says that it is on; it is not begun again for that.
        let _ = self.kept.source_over(id, started_ms, why.as_deref()).await;
    }
}

/// What is to run for a stream, if anything.
fn wanted(stream: &Stream) -> Option<Wanted> {
    let source = stream.source.clone().filter(|source| source.started_ms.is_some())?;
    Some(Wanted { slug: stream.slug.clone(), ladder: stream.ladder.clone(), source })
}
