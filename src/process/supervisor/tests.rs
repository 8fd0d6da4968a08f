//! The supervisor with a scripted program (a shell) and a scripted server.

use super::*;
use crate::base::secret::Redactor;
use crate::process::budget;
use crate::process::cpu::Load;
use crate::process::pid_file;
use crate::process::restart::When;
use crate::process::spawn::Exit;
use crate::process::stream_lock::StreamLock;
use crate::process::stream_place::Spots;
use crate::process::watchdog::Heartbeat;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// A program whose stdout holds seconds of media time and whose stderr may say FATAL or FAULT.
#[derive(Default)]
struct Script {
    /// What the next looks at the source find; without one left, nothing is looked at.
    looks: Vec<Seen>,
    /// Whether a look takes for ever.
    blind: Option<oneshot::Sender<Seen>>,
    endless: bool,
    /// Whether a better way may take over; it is ripe when it says so.
    succeeds: bool,
}

impl Program for Script {
    fn started(&mut self, _: &CommandLine) {}

    fn progress(&mut self, line: &str) -> Option<Heartbeat> {
        let out_time = Duration::from_secs_f64(line.trim().parse().ok()?);
        Some(Heartbeat { out_time, frames: 0, dropped: 0, duplicated: 0 })
    }

    fn log_line(&mut self, line: &str, _: Speaker, _live_before: bool) -> Meaning {
        match line.split_once(' ') {
            Some(("ANEW", why)) => Meaning::Anew(why.to_string()),
            Some(("FATAL", why)) => Meaning::Fatal(Kind::Conflict, why.to_string()),
            Some(("FAULT", why)) => Meaning::Fault(why.to_string()),
            _ => Meaning::Ordinary,
        }
    }

    fn verdict(&mut self, exit: &Exit, recent: &[String]) -> Verdict {
        match (exit.code, exit.signal) {
            (Some(0), _) => Verdict::Clean,
            (Some(255), _) | (_, Some(15)) => Verdict::OperatorStop,
            (Some(7), _) => Verdict::Unfit("no free session".into()),
            (Some(8), _) => Verdict::Slow("half the speed".into()),
            (Some(9), _) => Verdict::Permanent(Kind::Input, recent.last().cloned().unwrap_or_default()),
            _ => Verdict::Transient(exit.to_string()),
        }
    }

    fn successor(&mut self, way: &CommandLine, _child: i32, _beside: bool) -> Option<CommandLine> {
        self.succeeds.then(|| way.clone())
    }

    fn is_ripe(&mut self, line: Option<&str>, _successor: i32) -> bool {
        line == Some("RIPE")
    }

    fn load(&mut self) -> Option<Load> {
        Some(Load { cpus: 2.0, busy: 0.0 })
    }

    fn keeps_viewers(&self) -> bool {
        true
    }

    fn look_again(&mut self, _current: &CommandLine) -> Option<oneshot::Receiver<Seen>> {
        let (tell, seen) = oneshot::channel();
        if self.endless {
            self.blind = Some(tell);
            return Some(seen);
        }
        tell.send(if self.looks.is_empty() { return None } else { self.looks.remove(0) }).unwrap();
        Some(seen)
    }
}

/// A server that counts up at every look while `moving`.
#[derive(Clone)]
struct Counting(Arc<AtomicU64>);

impl ServerProbe for Counting {
    async fn look(&mut self, _child: i32) -> Reading {
        let bytes = self.0.fetch_add(1000, Ordering::Relaxed);
        Reading::Counters(vec![Some(super::super::watchdog::Counter { bytes, viewers: 0 })])
    }
}

struct Bench {
    dir: tempfile::TempDir,
    job: Job,
}

impl Bench {
    fn new(script: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_path_buf();
        let mut command = CommandLine::new("/bin/sh");
        command.args(["-c", script]);
        let job = Job {
            lock: home.join("pids/.state/a.lock"),
            name_locks: Vec::new(),
            spots: Spots {
                key: "a".parse().unwrap(),
                pid_file: home.join("pids/a.pid"),
                record: home.join("pids/.state/a.json"),
                log: home.join("logs/a.log"),
                index: None,
                home,
            },
            command,
            outputs: vec![OutputSpec { label: "720p".into(), name: "a_720p".into(), size: (1280, 720) }],
            when: When::OnFailure,
            spec: serde_json::json!({ "key": "a" }),
            source: "a script".into(),
            endpoint: "nowhere".into(),
            redactor: Redactor::new(),
            if_unfit: None,
            ways: Vec::new(),
            way: 0,
            steps_down: true,
            budget: None,
            if_stuck: None,
            fixed_source: false,
            slow_hint: None,
            cost: None,
            unwatched: false,
        };
        Bench { dir, job }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("logs/a.log")).unwrap_or_default()
    }

    /// Supervises until the end; `act` sees every event and may ask to stop.
    async fn run(&self, act: impl FnMut(&Event, &mpsc::Sender<Control>)) -> Ended {
        self.run_with(Script::default(), act).await
    }

    /// As [`Bench::run`], with a program that finds something at its source.
    async fn run_with(&self, script: Script, mut act: impl FnMut(&Event, &mpsc::Sender<Control>)) -> Ended {
        let lock = StreamLock::acquire(&self.job.lock).unwrap();
        let place = StreamPlace::new(self.job.spots.clone(), vec![lock]);
        let (ask, control) = mpsc::channel(4);
        let probe = Counting(Arc::new(AtomicU64::new(0)));
        let supervised = supervise(self.job.clone(), place, script, probe, control, |event| act(event, &ask));
        let ended = tokio::time::timeout(Duration::from_secs(60), supervised)
            .await
            .unwrap_or_else(|_| panic!("the supervisor ends: {}", self.log()));
        // A test beside this one may be starting a program: until that has become one, it holds what we held.
        let free = async {
            while stream_lock::is_held(&self.job.lock) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), free).await.expect("nothing holds the lock any more");
        assert!(!self.job.spots.pid_file.exists(), "the PID file is gone");
        ended
    }
}

const BEATS: &str = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done";

fn live(event: &Event) -> bool {
    matches!(event, Event::Update(record) if record.state == State::Live)
}

#[tokio::test]
async fn the_same_end_at_the_same_place_is_read_in_another_way_and_then_given_up() {
    let mut bench = Bench::new("echo 3; sleep 0.3; exit 3");
    bench.job.fixed_source = true;
    let mut other = CommandLine::new("/bin/sh");
    other.args(["-c", "echo other >&2; echo 3; sleep 0.3; exit 3"]);
    bench.job.if_stuck =
        Some(Fallback { command: other, words: "went on in another way".into(), cost: None });
    let ended = bench.run(|_, _| {}).await;
    assert_eq!(ended.failure, Some(Kind::Input.exit_code()), "{}", bench.log());
    let why = ended.reason.unwrap();
    assert!(why.contains("3 times at 3.0 s of the source"), "{why}");
    let log = bench.log();
    assert_eq!(log.matches("other\n").count(), 3, "{log}");
    assert!(log.contains("2 times at 3.0 s of the source: went on in another way"), "{log}");
}

#[tokio::test]
async fn a_source_that_may_come_back_is_tried_on_and_says_so() {
    let bench = Bench::new("echo 3; sleep 0.3; exit 3");
    let mut told = None;
    bench
        .run(|event, ask| {
            if let Event::Update(record) = event
                && let Some(why) = record.reason.as_ref().filter(|why| why.contains("times at"))
            {
                told = Some(why.clone());
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert!(told.unwrap().contains("3 times at 3.0 s of the source"), "{}", bench.log());
}

#[tokio::test]
async fn stop_ends_a_live_stream_and_leaves_no_files() {
    let bench = Bench::new(BEATS);
    let ended = bench
        .run(|event, ask| {
            if live(event) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!((ended.failure, ended.reason), (None, None));
    assert!(!bench.job.spots.record.exists());
    assert!(bench.log().contains("asked to stop"));
}

#[tokio::test]
async fn a_stubborn_program_is_killed_after_two_requests() {
    let bench = Bench::new(&format!("trap 'echo ignored >&2' TERM; {BEATS}"));
    let ended = bench
        .run(|event, ask| {
            if live(event) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!(ended.failure, None);
    assert!(bench.log().matches("ignored").count() >= 2, "{}", bench.log());
}

#[tokio::test]
async fn a_request_to_kill_does_not_wait() {
    let bench = Bench::new(&format!("trap '' TERM; {BEATS}"));
    let began = Instant::now();
    bench
        .run(|event, ask| {
            if live(event) {
                let _ = ask.try_send(Control::Stop);
                let _ = ask.try_send(Control::Kill);
            }
        })
        .await;
    assert!(began.elapsed() < SECOND_TERM_AFTER + KILL_AFTER, "it did not wait for the escalation");
}

#[tokio::test]
async fn a_crash_is_mended_and_counted() {
    let bench = Bench::new(&format!("echo $$; [ -e crashed ] || {{ touch crashed; exit 1; }}; {BEATS}"));
    let mut bench = bench;
    let flag = bench.dir.path().join("crashed");
    bench.job.command.args[1] =
        format!("[ -e {f} ] || {{ touch {f}; exit 1; }}; {BEATS}", f = flag.display()).as_str().into();
    let mut restarts = 0;
    bench
        .run(|event, ask| {
            if let Event::Update(record) = event
                && record.state == State::Live
            {
                restarts = record.restarts;
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!(restarts, 1);
}

#[tokio::test]
async fn a_permanent_fault_ends_with_the_programs_words() {
    let bench = Bench::new("echo 'no such filter' >&2; exit 9");
    let ended = bench.run(|_, _| {}).await;
    assert_eq!(ended.failure, Some(7));
    assert_eq!(ended.reason.as_deref(), Some("no such filter"));
    assert!(!bench.job.spots.record.exists(), "it was never on the air: nothing to remember");
}

#[tokio::test]
async fn a_fatal_line_ends_a_program_that_would_go_on() {
    let bench = Bench::new(&format!("echo 'FATAL the name is taken' >&2; {BEATS}"));
    let ended = bench.run(|_, _| {}).await;
    assert_eq!((ended.failure, ended.reason.as_deref()), (Some(8), Some("the name is taken")));
}

#[tokio::test]
async fn sigterm_by_hand_is_a_stop() {
    let bench = Bench::new(BEATS);
    let ended = bench
        .run(|event, _| {
            if let Event::Update(record) = event
                && record.state == State::Live
            {
                let pid = pid_file::read(&bench.job.spots.pid_file);
                assert_eq!(pid, pid_file::PidFile::Pid(record.child.unwrap().pid));
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(record.child.unwrap().pid),
                    Signal::SIGTERM,
                );
            }
        })
        .await;
    assert_eq!(ended.failure, None);
    assert!(!bench.job.spots.record.exists());
}

#[tokio::test]
async fn a_grandchild_in_a_session_of_its_own_goes_too() {
    let bench = Bench::new(&format!("setsid sleep 79 & {BEATS}"));
    bench
        .run(|event, ask| {
            if live(event) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert!(bench.log().contains("left behind"), "{}", bench.log());
}

#[tokio::test]
async fn an_end_after_success_keeps_the_record_for_list() {
    let mut bench = Bench::new(
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $n; sleep 0.1; done",
    );
    bench.job.when = When::OnFailure;
    let mut seen_live = false;
    let ended = bench.run(|event, _| seen_live |= live(event)).await;
    assert!(seen_live);
    assert_eq!(ended.failure, None);
    let record = RunRecord::read(&bench.job.spots.record).unwrap();
    assert_eq!((record.state, record.supervisor, record.child), (State::Finished, None, None));
}

#[tokio::test]
async fn a_flood_of_log_does_not_block_the_program() {
    let bench = Bench::new("yes 'noise noise noise' | head -c 3000000 >&2; echo >&2; echo done >&2; exit 0");
    let ended = bench.run(|_, _| {}).await;
    assert_eq!(ended.failure, None);
    let log = bench.log();
    assert!(log.len() < 200_000, "the log is bounded: {}", log.len());
    assert!(ended.words.iter().any(|l| l == "done"));
}

#[tokio::test]
async fn secrets_do_not_reach_log_or_record() {
    let mut bench = Bench::new(&format!("echo 'opening rtmp://u:hunter22@h/live/x?t=9' >&2; {BEATS}"));
    bench.job.redactor.learn("hunter22");
    let mut records = String::new();
    bench
        .run(|event, ask| {
            records.push_str(&serde_json::to_string(event).unwrap());
            if live(event) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert!(!bench.log().contains("hunter22") && bench.log().contains("opening"));
    assert!(!records.contains("hunter22"));
}

fn script(script: &str) -> CommandLine {
    let mut command = CommandLine::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn way(text: &str, words: &str, cost: f64) -> Way {
    Way { command: script(text), words: words.into(), cost, needs: cost }
}

#[tokio::test]
async fn what_does_not_work_here_goes_on_in_another_way() {
    let mut bench = Bench::new("exit 7");
    let words = "went on with x264".to_string();
    bench.job.if_unfit = Some(Fallback { command: script(BEATS), words, cost: Some(0.5) });
    let ended = bench
        .run(|event, ask| {
            if live(event) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!(ended.failure, None);
    assert!(bench.log().contains("no free session: went on with x264"), "{}", bench.log());
    // It is taken once; without another one the end is what it was.
    let ended = Bench::new("exit 7").run(|_, _| ()).await;
    assert_eq!((ended.failure, ended.reason.as_deref()), (Some(7), Some("no free session")));
}

#[tokio::test]
async fn what_is_too_slow_goes_on_in_a_cheaper_way() {
    let mut bench = Bench::new("exit 8");
    bench.job.ways = vec![way("exit 8", "best", 2.0), way("exit 8", "fast", 1.0), way(BEATS, "fastest", 0.5)];
    bench.job.cost = Some(2.0);
    let mut told = None;
    let ended = bench
        .run(|event, ask| {
            if let Event::Update(record) = event
                && record.state == State::Live
            {
                told = Some((record.last_error.clone().unwrap(), record.cost, record.argv.clone()));
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!(ended.failure, None);
    let (why, cost, argv) = told.expect("live");
    assert_eq!((why.as_str(), cost), ("half the speed: went on at fastest", Some(0.5)));
    assert!(argv.last().unwrap().contains("sleep 0.05"), "{argv:?}");
    // Where there is no cheaper one, it is tried again as it is.
    let mut bench = Bench::new("exit 8");
    bench.job.when = When::Never;
    let ended = bench.run(|_, _| ()).await;
    assert_eq!(ended.reason.as_deref(), Some("half the speed"));
}

#[tokio::test]
async fn a_successor_takes_over_and_one_that_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // The last line of a successor that is ripe.
    let ripe = "n=0; while :; do n=$((n+1)); echo $n; test $n = 3 && echo RIPE; sleep 0.05; done";
    for (better, taken) in [(ripe, true), ("echo 'no room' >&2; exit 5", false)] {
        let budget = dir.path().join(format!("run-{taken}/budget.json"));
        let mut bench = Bench::new(BEATS);
        bench.job.ways = vec![way(better, "balanced", 0.002), way(BEATS, "fastest", 0.001)];
        (bench.job.way, bench.job.cost) = (1, Some(0.001));
        bench.job.budget = Some(budget.clone());
        let mut children = Vec::new();
        let mut states = Vec::new();
        let ended = bench
            .run_with(Script { succeeds: true, ..Script::default() }, |event, ask| {
                let Event::Update(record) = event else { return };
                states.push(record.state);
                children.extend(record.child);
                children.dedup();
                let shares = budget::read(&budget);
                let told = bench.log();
                let done = match taken {
                    true => children.len() == 2 && shares.iter().any(|share| share.way == 0),
                    false => told.contains("is not taken") && shares.iter().all(|share| share.way == 1),
                };
                if done && record.state == State::Live {
                    let _ = ask.try_send(Control::Stop);
                }
            })
            .await;
        assert_eq!(ended.failure, None);
        let log = bench.log();
        assert_eq!(log.contains("went on at balanced"), taken, "{log}");
        assert_eq!(log.contains("no room"), !taken, "{log}");
        let first = states.iter().position(|state| *state == State::Live).unwrap();
        let after: Vec<State> = states[first..].to_vec();
        assert!(
            after.iter().all(|s| matches!(s, State::Live | State::Stopping | State::Finished)),
            "{after:?}"
        );
    }
}

#[tokio::test]
async fn a_source_that_became_another_is_run_in_another_way() {
    let mut command = CommandLine::new("/bin/sh");
    command.args(["-c", BEATS]);
    let renewal =
        Renewal { command, source: "a smaller script".into(), sizes: vec![(640, 360)], ways: vec![] };
    let looks = vec![Seen::Absent("nobody is there".into()), Seen::Changed(Box::new(renewal))];
    let bench = Bench::new("exit 1");
    let mut absent = None;
    let mut found = None;
    let ended = bench
        .run_with(Script { looks, ..Script::default() }, |event, ask| {
            let Event::Update(record) = event else { return };
            if record.last_error.as_deref() == Some("nobody is there") {
                absent.get_or_insert(record.state);
            }
            if record.state == State::Live {
                found.get_or_insert((record.source.clone(), record.renditions[0].size, record.restarts));
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!(ended.failure, None);
    assert_eq!(absent, Some(State::Restarting), "an absent source is waited for");
    assert_eq!(found, Some(("a smaller script".into(), (640, 360), 2)));
    assert!(bench.log().contains("the source changed: a smaller script"), "{}", bench.log());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_look_at_the_source() {
    let bench = Bench::new("exit 1");
    let ended = bench
        .run_with(Script { endless: true, ..Script::default() }, |event, ask| {
            if matches!(event, Event::Update(record) if record.restarts == 1) {
                let _ = ask.try_send(Control::Stop);
            }
        })
        .await;
    assert_eq!((ended.failure, ended.reason), (None, None));
}
