//! A network source that is not there yet: waited for by whoever publishes, for as long as was said, or by the
//! supervisor, for as long as it takes. Until it comes nothing is known of it, so nothing can be planned: the stream
//! holds its lock and has a record, and the names on the server follow from what is found.

use super::preparing::prepare;
use super::{Patience, Prepared, Step, ask_server};
use crate::base::atomic_file::Durability;
use crate::base::next::Advice;
use crate::base::secret::Redactor;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::{Environment, Layer, Settings};
use crate::manager::streams::source::{self, Unread};
use crate::manager::streams::supervise::{self, Assignment};
use crate::model::{PublishSpec, Source, State};
use crate::process::child_log::LogFile;
use crate::process::run_record::RunRecord;
use crate::process::stream_place::StreamPlace;
use crate::process::supervisor::{Control, Ended, Event};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, interval, sleep, timeout};

/// First pause between two looks at a source that is not there; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause while a person waits.
const LONGEST_WATCHED: Duration = Duration::from_secs(2);
/// Longest pause of a supervisor.
const LONGEST_ALONE: Duration = Duration::from_secs(15);
/// How often the record is written while nothing changes: whoever cannot see our process takes an older one for dead.
const RECORD_EVERY: Duration = Duration::from_secs(3);
/// How long whoever asked not to wait is kept, to be told what is published.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What travels to a supervisor that shall wait for the source. Holds secrets.
#[derive(Debug, Serialize, Deserialize)]
pub struct Awaited {
    /// The settings of the machine that were typed; the others are where they were.
    pub flags: Vec<(String, String)>,
    /// What is to be published.
    pub spec: PublishSpec,
    /// How whoever publishes stays with it.
    pub patience: Patience,
}

/// What came of the wait for a source.
#[derive(Debug)]
pub enum Came {
    /// It is there, and this is the plan.
    There(Box<Prepared>),
    /// It is not there, and whoever publishes does not wait: a supervisor shall.
    NotYet(Failure),
}

/// Prepares the publish. A network source that is not there yet is waited for as long as the settings say; `tell` hears
/// each time why it is not. Nothing runs yet: to cancel it, drop the future.
///
/// # Errors
/// Whatever is wrong beyond that; input (7) naming `--wait` if it did not come.
pub async fn when_there(
    settings: &Settings,
    environment: &Environment,
    (spec, patience): (&PublishSpec, Patience),
    mut tell: impl FnMut(&Failure),
) -> Outcome<Came> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    let look = || prepare(settings, environment, spec, patience);
    if patience.wait.is_zero() && matches!(spec.source, Source::Url(_)) {
        return match timeout(AT_ONCE, look()).await {
            Ok(Ok(prepared)) => Ok(Came::There(Box::new(prepared))),
            Ok(Err(Unread { failure, may_come: false })) => Err(failure),
            Ok(Err(Unread { failure, .. })) => Ok(Came::NotYet(failure)),
            Err(_) => Ok(Came::NotYet(Failure::new(Kind::Input, "it has not answered yet"))),
        };
    }
    loop {
        match look().await {
            Ok(prepared) => return Ok(Came::There(Box::new(prepared))),
            Err(Unread { failure, may_come: false }) => return Err(failure),
            Err(Unread { failure, .. }) if began.elapsed() >= patience.wait => {
                return Err(too_late(began.elapsed(), failure));
            }
            Err(Unread { failure, .. }) => tell(&failure),
        }
        // The last look is when the time is over.
        sleep(pause.min(patience.wait.saturating_sub(began.elapsed()))).await;
        pause = (pause * 2).min(LONGEST_WATCHED);
    }
}

/// The failure of a source that did not come in time.
fn too_late(waited: Duration, failure: Failure) -> Failure {
    failure
        .within(&clock::spoken(waited))
        .hint(Advice::set("wait", "60s").in_column("waits longer for it; --wait 0 leaves it trying"))
}

/// Waits for the source as long as it takes, then supervises the stream to its end. `ready` hears what is published, and
/// what the server said.
///
/// # Errors
/// Conflict if the stream already runs; internal if the lock or the folders cannot be used; in the foreground whatever
/// waiting cannot mend.
pub async fn supervise(
    settings: &Settings,
    environment: &Environment,
    (spec, patience): (&PublishSpec, Patience),
    mut control: Receiver<Control>,
    mut tell: impl FnMut(&Event),
    mut ready: impl FnMut(&Prepared, &[String]),
) -> Outcome<Ended> {
    let mut standby = Standby::begin(settings, environment, spec).await?;
    tell(&Event::Locked);
    let assignment =
        match standby.planned(settings, environment, (spec, patience), &mut control, &mut tell).await {
            Ok((prepared, notes, assignment)) => {
                ready(&prepared, &notes);
                assignment
            }
            Err(Over::Stopped) => {
                let ended = standby.stopped();
                tell(&Event::Ended(ended.clone()));
                return Ok(ended);
            }
            // Whoever stays with the stream is told the whole of it.
            Err(Over::Failed(failure)) if patience.foreground => {
                standby.place.forget();
                return Err(failure);
            }
            Err(Over::Failed(failure)) => {
                let ended = standby.failed(&failure);
                tell(&Event::Ended(ended.clone()));
                return Ok(ended);
            }
        };
    Ok(supervise::run_at(standby.place, assignment, control, tell).await)
}

/// In the supervisor's own process: as [`supervise()`], by what came through the pipe.
///
/// # Errors
/// As [`supervise()`]; usage if the settings cannot be read any more.
pub async fn run(awaited: Awaited, control: Receiver<Control>, tell: impl FnMut(&Event)) -> Outcome<Ended> {
    let environment = Environment::current();
    let settings = Settings::load(Layer::typed(awaited.flags), &environment)?.for_publishing()?;
    let wanted = (&awaited.spec, awaited.patience);
    supervise(&settings, &environment, wanted, control, tell, |_, _| ()).await
}

/// How a stream ends that was not published yet.
enum Over {
    /// It was told to end.
    Stopped,
    /// Waiting cannot mend it.
    Failed(Failure),
}

impl From<Failure> for Over {
    fn from(failure: Failure) -> Over {
        Over::Failed(failure)
    }
}

/// A stream that waits for its source: what others see of it, and how it ends before anything was published.
struct Standby {
    place: StreamPlace,
    record: RunRecord,
    log: LogFile,
    redactor: Redactor,
}

impl Standby {
    async fn begin(settings: &Settings, environment: &Environment, spec: &PublishSpec) -> Outcome<Standby> {
        let (paths, key) = (&settings.paths, &spec.key);
        let mut redactor = Redactor::new();
        super::learn_secrets(&mut redactor, settings, &spec.source);
        let spots = super::spots(settings, environment, key);
        let place = supervise::take_place(spots, &paths.lock(key)).await?;
        let named = source::words(&spec.source, environment);
        let mut record = RunRecord::begun(key, paths.home(), named, settings.nginx_rtmp_url.to_string());
        record.spec = spec.shown();
        let log = LogFile::new(&paths.ffmpeg_log(key)).below(paths.home());
        let mut standby = Standby { place, record, log, redactor };
        standby.record.reason = Some("the source is looked for".into());
        standby.say(&format!("started: waiting for {}", standby.record.source.clone()));
        standby.keep(Durability::Synced);
        Ok(standby)
    }

    /// Looks for the source until it is there, plans, and makes sure of the server and the names.
    async fn planned(
        &mut self,
        settings: &Settings,
        environment: &Environment,
        (spec, patience): (&PublishSpec, Patience),
        control: &mut Receiver<Control>,
        tell: &mut impl FnMut(&Event),
    ) -> Result<(Prepared, Vec<String>, Assignment), Over> {
        let mut pause = FIRST_PAUSE;
        let prepared = loop {
            tell(&self.told());
            let look = prepare(settings, environment, spec, patience);
            match self.until(look, control, tell).await? {
                Ok(prepared) => break prepared,
                Err(Unread { failure, may_come: true }) => self.absent(&failure),
                Err(Unread { failure, .. }) => return Err(failure.into()),
            }
            tell(&self.told());
            self.until(sleep(pause), control, tell).await?;
            pause = (pause * 2).min(LONGEST_ALONE);
        };
        let asked = &mut |_: Step<'_>| ();
        let asking = ask_server(settings, environment, &prepared, asked);
        let server = self.until(asking, control, tell).await??;
        let assignment = prepared.assignment(settings, environment, &server);
        supervise::lock_names(&mut self.place, &assignment.job).await?;
        Ok((prepared, server.notes, assignment))
    }

    /// Waits for `what` while the record shows that we live.
    ///
    /// # Errors
    /// If the stream was told to end.
    async fn until<T>(
        &mut self,
        what: impl Future<Output = T>,
        control: &mut Receiver<Control>,
        tell: &mut impl FnMut(&Event),
    ) -> Result<T, Over> {
        let mut every = interval(RECORD_EVERY);
        every.reset();
        tokio::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return Ok(done),
                Some(_) = control.recv() => return Err(Over::Stopped),
                _ = every.tick() => {
                    self.keep(Durability::Cached);
                    tell(&self.told());
                }
            }
        }
    }

    fn keep(&mut self, durability: Durability) {
        self.record.written_at_ms = clock::now_ms();
        for told in self.place.keep(&mut self.record, durability) {
            self.log.stays_at(&self.place.spots().log);
            self.say(&told);
        }
    }

    fn told(&self) -> Event {
        Event::Update(Box::new(self.record.clone()))
    }

    fn say(&mut self, text: &str) {
        self.log.line(&format!("[msconv] {}", self.redactor.clean(text)));
    }

    /// The source is not there, and why.
    fn absent(&mut self, failure: &Failure) {
        let why = failure.reasons().first().map_or(failure.what(), String::as_str);
        let reason = self.redactor.clean(&format!("the source is not there yet ({why})"));
        if self.record.reason.as_ref() != Some(&reason) {
            self.say(&reason);
            self.record.reason = Some(reason);
            self.keep(Durability::Synced);
        }
    }

    /// The end by somebody's order: nothing is left of it.
    fn stopped(&mut self) -> Ended {
        self.say("ended");
        self.place.forget();
        Ended { failure: None, stopped: true, reason: None, words: Vec::new() }
    }

    /// The end by a fault that waiting cannot mend. Nobody was waiting to be told, so the record stays.
    fn failed(&mut self, failure: &Failure) -> Ended {
        let words = std::iter::once(failure.what()).chain(failure.reasons().iter().map(String::as_str));
        let reason = self.redactor.clean(&words.collect::<Vec<_>>().join(": "));
        self.say(&format!("failed: {reason}"));
        self.record.supervisor = None;
        self.record.state = State::Failed;
        self.record.reason = Some(reason.clone());
        self.keep(Durability::Synced);
        let failure = Some(failure.kind().exit_code());
        Ended { failure, stopped: false, reason: Some(reason), words: Vec::new() }
    }
}
