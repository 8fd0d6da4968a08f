//! The supervisor's process: takes the locks, knows what ffmpeg's lines mean and where the server counts bytes, and
//! hands both to `process::supervisor`.

use super::handing_over::{HandingOver, Handover};
use super::replanning::Replanning;
use crate::base::next::{Advice, Trouble};
use crate::base::{CommandLine, Failure, Kind, Outcome, clock, secret::Secret};
use crate::ffmpeg::diagnosis::{self, Finding};
use crate::ffmpeg::progress::{self, Progress};
use crate::model::{HttpUrl, LadderFact};
use crate::process::cpu::{Load, Sample};
use crate::process::restart::Verdict;
use crate::process::run_record::RunRecord;
use crate::process::sockets;
use crate::process::spawn::Exit;
use crate::process::stream_lock::{self, StreamLock};
use crate::process::stream_place::{Spots, StreamPlace};
use crate::process::supervisor::{
    self, Control, Ended, Event, Job, Meaning, Program, Seen, ServerProbe, Speaker,
};
use crate::process::watchdog::{self, Counter, Heartbeat};
use crate::status::{self, Client, Limits, own};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What travels to the supervisor through its stdin. Holds secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// The job itself.
    pub job: Job,
    /// Where the server counts bytes.
    pub stat_url: HttpUrl,
    /// Where our own server would be told and asked in its own form.
    pub api_url: HttpUrl,
    /// What the server is told of the ladder; the run is filled in.
    pub ladder: LadderFact,
    /// Whether `/stat` answered before the start, so that its silence means something.
    pub stat_known: bool,
    /// The port of the publish endpoint, for counting connections where there is no `/stat`.
    pub port: u16,
    /// Whether the end of the input is a fault.
    pub endless: bool,
    /// The address of a network source, to tell its faults from the server's.
    pub source_url: Option<Secret>,
    /// Whether transient faults before the first byte are retried (`--foreground`, `--wait 0`).
    pub patient: bool,
    /// How to plan again for a source that may come back as another.
    pub replanning: Option<Replanning>,
    /// How one run takes over from another.
    pub handing_over: HandingOver,
}

/// How long a lock that is held at first is tried again: a `stop` that just ended the stream lets go within moments.
const LOCK_PATIENCE: Duration = Duration::from_millis(400);

/// How long the processors are looked at for one judgement.
const LOOK_FOR: Duration = Duration::from_secs(5);

/// Takes the locks and supervises to the end. Events go to `tell`.
///
/// # Errors
/// Conflict if the stream already runs; internal if the locks or folders cannot be used.
pub async fn run(
    assignment: Assignment,
    control: mpsc::Receiver<Control>,
    tell: impl FnMut(&Event),
) -> Outcome<Ended> {
    let mut place = take_place(assignment.job.spots.clone(), &assignment.job.lock).await?;
    lock_names(&mut place, &assignment.job).await?;
    Ok(run_at(place, assignment, control, tell).await)
}

/// As [`run`], all locks being ours.
pub async fn run_at(
    place: StreamPlace,
    assignment: Assignment,
    control: mpsc::Receiver<Control>,
    tell: impl FnMut(&Event),
) -> Ended {
    let names: Vec<String> = assignment.job.outputs.iter().map(|o| o.name.clone()).collect();
    let built_in = Arc::new(AtomicBool::new(false));
    let client = Arc::new(Client::new(Limits::default()));
    let program = Ffmpeg {
        announcer: Announcer {
            client: client.clone(),
            api_url: assignment.api_url.clone(),
            ladder: assignment.ladder.clone(),
        },
        parser: progress::Parser::default(),
        endless: assignment.endless,
        source_url: assignment.source_url,
        patient: assignment.patient,
        replanning: assignment.replanning,
        doubtful: false,
        hears: true,
        handover: Handover::new(assignment.handing_over, assignment.port),
        look: None,
        built_in: built_in.clone(),
    };
    let probe = ServerStats {
        client,
        stat_url: assignment.stat_url,
        api_url: assignment.api_url,
        application: assignment.ladder.application,
        names,
        known: assignment.stat_known,
        port: assignment.port,
        built_in,
    };
    supervisor::supervise(assignment.job, place, program, probe, control, tell).await
}

/// Takes the locks of the names on the server, the stream's own being ours.
///
/// # Errors
/// Conflict if another stream of ours has one of them; internal if they cannot be used.
pub async fn lock_names(place: &mut StreamPlace, job: &Job) -> Outcome<()> {
    let mut names = Vec::new();
    for path in &job.name_locks {
        names.push(take_lock(place.spots(), path, name_held).await?);
    }
    place.add_locks(names);
    Ok(())
}

/// Takes the stream's own lock, at `lock`, and makes sure that its files can be written.
///
/// # Errors
/// As [`run`].
pub async fn take_place(spots: Spots, lock: &Path) -> Outcome<StreamPlace> {
    // The PID files are for everybody to read; only the state below is ours alone.
    if let Some(pids) = spots.pid_file.parent() {
        std::fs::create_dir_all(pids).map_err(|e| Failure::io("use the folder", pids, &e))?;
    }
    let running =
        |spots: &Spots, _: &Path| already(spots.key.as_str(), RunRecord::read(&spots.record).as_ref());
    let lock = take_lock(&spots, lock, running).await?;
    check_folders(&spots)?;
    Ok(StreamPlace::new(spots, vec![lock]))
}

/// Takes a lock, with some patience.
async fn take_lock(
    spots: &Spots,
    path: &Path,
    held: impl Fn(&Spots, &Path) -> Failure,
) -> Outcome<StreamLock> {
    let began = tokio::time::Instant::now();
    let boot_id = crate::process::identity::boot_id();
    // A supervisor that lives will not let go; the threads of a killed program will, soon.
    let patience = || match RunRecord::read(&spots.record) {
        Some(record) if record.supervisor_alive(&boot_id) => LOCK_PATIENCE,
        _ => stream_lock::LINGERING,
    };
    loop {
        match StreamLock::acquire(path) {
            Ok(lock) => return Ok(lock),
            Err(stream_lock::Error::Held(_)) if began.elapsed() < patience() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(stream_lock::Error::Held(path)) => return Err(held(spots, &path)),
            Err(stream_lock::Error::Network(folder, kind)) => {
                return Err(Failure::internal(format!(
                    "{} is on {kind}, where locks cannot be trusted",
                    folder.display()
                ))
                .hint(Advice::MoveHome(Trouble::Remote)));
            }
            Err(stream_lock::Error::Io(path, e)) => return Err(Failure::io("lock", &path, &e)),
        }
    }
}

fn name_held(_: &Spots, lock: &Path) -> Failure {
    let name = lock.file_stem().unwrap_or_default().to_string_lossy();
    Failure::new(Kind::Conflict, format!("the name {name} is in use by another stream of ours"))
        .hint("choose another key")
}

/// The failure of a stream that runs already.
pub fn already(key: &str, record: Option<&RunRecord>) -> Failure {
    let since = record.map(|r| {
        let pid = r.child.map(|c| format!(", pid {}", c.pid)).unwrap_or_default();
        format!(" since {}{pid}", clock::local_time(r.started_at_ms, clock::now_ms()))
    });
    Failure::new(Kind::Conflict, format!("{key} is already publishing{}", since.unwrap_or_default()))
        .hint(Advice::stop(key))
        .hint(Advice::ReplaceStream.in_column("stops it first"))
}

/// Fails early and clearly where files could not be written.
fn check_folders(spots: &Spots) -> Outcome<()> {
    for path in [&spots.pid_file, &spots.log] {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io("use the folder", folder, &e))?;
            nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK)
                .map_err(|e| Failure::io("write into", folder, &std::io::Error::from(e)))?;
        }
    }
    if spots.pid_file.is_dir() && !spots.pid_file.is_symlink() {
        return Err(Failure::internal(format!("{} is a folder", spots.pid_file.display())).hint("remove it"));
    }
    crate::process::child_log::LogFile::new(&spots.log).check().or_else(|e| match e.kind() {
        // A full disk costs the log, not the stream.
        std::io::ErrorKind::StorageFull => Ok(()),
        _ => Err(Failure::io("write the log", &spots.log, &e)),
    })
}

/// Tells the server what is published.
struct Announcer {
    client: Arc<Client>,
    api_url: HttpUrl,
    ladder: LadderFact,
}

impl Announcer {
    /// The next run begins, with outputs of these sizes. A server that is not ours takes no notice.
    fn announce(&mut self, sizes: &[(u32, u32)]) -> oneshot::Receiver<()> {
        self.ladder.run = u64::try_from(clock::now_ms()).unwrap_or(0).max(self.ladder.run.saturating_add(1));
        for (rendition, size) in self.ladder.renditions.iter_mut().zip(sizes) {
            (rendition.width, rendition.height) = *size;
        }
        let (client, api_url, ladder) = (self.client.clone(), self.api_url.clone(), self.ladder.clone());
        let (done, announced) = oneshot::channel();
        tokio::spawn(async move {
            let _ = own::tell(&client, &api_url, &ladder).await;
            let _ = done.send(());
        });
        announced
    }
}

/// What ffmpeg's lines and exits mean.
struct Ffmpeg {
    announcer: Announcer,
    parser: progress::Parser,
    endless: bool,
    source_url: Option<Secret>,
    patient: bool,
    replanning: Option<Replanning>,
    /// Whether the source may be another at the next start: it is not where ffmpeg itself was killed or crashed.
    doubtful: bool,
    /// Whether audio is read: what is not may still come.
    hears: bool,
    handover: Handover,
    /// The look at the processors that is under way.
    look: Option<Sample>,
    /// Whether the server is the one that is built into msconv.
    built_in: Arc<AtomicBool>,
}

impl Program for Ffmpeg {
    fn started(&mut self, command: &CommandLine) {
        self.parser = progress::Parser::default();
        self.doubtful = true;
        let feeder = command.feeder.iter().flat_map(|feeder| &feeder.args);
        self.hears = command.feeder.is_none() || feeder.into_iter().any(|arg| arg.text() == "--audio");
        self.handover.begins();
    }

    fn announce(&mut self, sizes: &[(u32, u32)]) -> Option<oneshot::Receiver<()>> {
        Some(self.announcer.announce(sizes))
    }

    fn progress(&mut self, line: &str) -> Option<Heartbeat> {
        let Progress { frame, out_time_us, dropped, dup, .. } = self.parser.push_line(line)?;
        let out_time = Duration::from_micros(u64::try_from(out_time_us?).unwrap_or(0));
        self.handover.beats(out_time);
        Some(Heartbeat {
            out_time,
            frames: frame.unwrap_or(0),
            dropped: dropped.unwrap_or(0),
            duplicated: dup.unwrap_or(0),
        })
    }

    fn log_line(&mut self, line: &str, by: Speaker, live_before: bool) -> Meaning {
        if diagnosis::is_harmless(line) || by == Speaker::Fed && diagnosis::is_of_input(line) {
            return Meaning::Noise;
        }
        if let Some((_, words)) = self.source_url.as_ref().and_then(|url| line.split_once(url.reveal())) {
            let words = words.trim_start_matches([':', ' ', '\'']);
            return Meaning::Fault(format!("the source cannot be read ({})", words.to_lowercase()));
        }
        match diagnosis::diagnose_line(line) {
            // On our own restart the old connection may still hold the name for a while; the queue tries on.
            Some(diagnosis::Finding::NameTaken) if !live_before && !self.patient => {
                Meaning::Fatal(Kind::Conflict, "the name is already published from elsewhere".into())
            }
            Some(Finding::NewAudio) if self.hears || self.replanning.is_none() => Meaning::Ordinary,
            Some(finding @ Finding::NewAudio) => Meaning::Anew(finding.to_string()),
            Some(finding) => Meaning::Fault(finding.to_string()),
            None => Meaning::Ordinary,
        }
    }

    fn verdict(&mut self, exit: &Exit, recent: &[String]) -> Verdict {
        self.doubtful = exit.signal.is_none();
        let unfit = |line: &String| matches!(diagnosis::diagnose_line(line), Some(Finding::EncoderFailed(_)));
        match diagnosis::exit_verdict(exit.code, exit.signal, self.endless, recent) {
            diagnosis::Verdict::Permanent(_, why) if recent.iter().any(unfit) => {
                if let Some(replanning) = &mut self.replanning {
                    replanning.use_x264();
                }
                Verdict::Unfit(why)
            }
            // What comes over the network may come back as it should be.
            diagnosis::Verdict::Permanent(Kind::Input, why) if self.replanning.is_some() => {
                Verdict::Transient(why)
            }
            diagnosis::Verdict::Clean => Verdict::Clean,
            diagnosis::Verdict::OperatorStop => Verdict::OperatorStop,
            diagnosis::Verdict::Transient(why) => Verdict::Transient(why),
            diagnosis::Verdict::Permanent(kind, why) => Verdict::Permanent(kind, why),
        }
    }

    fn look_again(&mut self, current: &CommandLine) -> Option<oneshot::Receiver<Seen>> {
        self.replanning.as_ref().filter(|_| self.doubtful).map(|replanning| replanning.look(current))
    }

    fn successor(&mut self, way: &CommandLine, child: i32, beside: bool) -> Option<CommandLine> {
        self.handover.successor(way, child, beside)
    }

    fn runs_beside(&self) -> bool {
        self.handover.runs_beside()
    }

    fn is_ripe(&mut self, line: Option<&str>, successor: i32) -> bool {
        self.handover.is_ripe(line, successor)
    }

    fn taken(&mut self) {
        self.parser = progress::Parser::default();
        self.handover.taken();
    }

    fn resumed(&mut self, way: &CommandLine) -> CommandLine {
        self.handover.resumed(way)
    }

    fn load(&mut self) -> Option<Load> {
        match self.look.take() {
            Some(look) if look.lasted() < LOOK_FOR => {
                self.look = Some(look);
                None
            }
            ended => {
                self.look = Sample::begin();
                ended.and_then(Sample::end)
            }
        }
    }

    fn goes_on_in(&mut self, way: usize) {
        if let Some(replanning) = &mut self.replanning {
            replanning.go_on_in(way);
        }
    }

    fn keeps_viewers(&self) -> bool {
        self.built_in.load(Ordering::Relaxed)
    }
}

/// Reads the byte counters: from our own server those of its names alone, from others out of nginx-rtmp's `/stat`; where
/// nothing answers, counts connections.
struct ServerStats {
    client: Arc<Client>,
    stat_url: HttpUrl,
    api_url: HttpUrl,
    application: String,
    names: Vec<String>,
    known: bool,
    port: u16,
    built_in: Arc<AtomicBool>,
}

impl ServerProbe for ServerStats {
    async fn look(&mut self, child: i32) -> watchdog::Reading {
        // The whole page of a server with many streams costs it more than their frames do.
        if self.built_in.load(Ordering::Relaxed)
            && self.stat_url.host() == self.api_url.host()
            && let Ok(list) = own::streams(&self.client, &self.api_url, &self.application, &self.names).await
        {
            let counter = |name: &String| {
                let stream = list.streams.iter().find(|stream| stream.name == *name && stream.published)?;
                Some(Counter { bytes: stream.bytes_in, viewers: stream.readers })
            };
            return watchdog::Reading::Counters(self.names.iter().map(counter).collect());
        }
        match status::nginx_snapshot(&self.client, &self.stat_url).await {
            Ok(snapshot) if snapshot.applications.iter().any(|a| a.name == self.application) => {
                self.known = true;
                self.built_in.store(snapshot.built_in().is_some(), Ordering::Relaxed);
                let counter = |name: &String| {
                    let stream = snapshot.stream(&self.application, name)?;
                    Some(Counter { bytes: stream.bytes_in, viewers: stream.nclients.saturating_sub(1) })
                };
                watchdog::Reading::Counters(self.names.iter().map(counter).collect())
            }
            Ok(_) if self.known => watchdog::Reading::Silent(format!(
                "the server has no application '{}' any more",
                self.application
            )),
            Err(why) if self.known => {
                watchdog::Reading::Silent(format!("the server's /stat does not answer ({why})"))
            }
            Ok(_) | Err(_) => watchdog::Reading::Blind(sockets::established(child, self.port)),
        }
    }
}
