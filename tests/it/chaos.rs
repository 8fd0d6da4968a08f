//! Random steps of publishing, stopping and breaking things, with strangers beside that must never be hurt. The seed
//! is printed; `MSCONV_CHAOS_SEED` runs one again, as continuous integration does, and `MSCONV_CHAOS_STEPS` sets how many steps.

use crate::live::{Air, SMALL, SOON, ready};
use crate::stage::wait_for;
use msconv::process::identity::Identity;
use msconv::process::run_record::RunRecord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::hash::{BuildHasher, RandomState};

/// A small generator of numbers that a seed reproduces (Knuth's 64-bit linear congruential).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn hurt(identity: Option<Identity>, signal: Signal) {
    if let Some(identity) = identity.filter(Identity::alive) {
        let _ = kill(Pid::from_raw(identity.pid), signal);
    }
}

#[test]
fn whatever_happens_one_program_at_most_and_no_stranger_hurt() {
    if !ready() {
        return;
    }
    let seed = number("MSCONV_CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let steps = number("MSCONV_CHAOS_STEPS").unwrap_or(24);
    println!("MSCONV_CHAOS_SEED={seed} MSCONV_CHAOS_STEPS={steps}");
    let mut dice = Dice(seed);
    let mut air = Air::new("chaos");
    let clip = air.film();
    let mut strangers: Vec<_> = (0..3).map(|_| air.stage.spawn("sleep", &["300"])).collect();
    let publish = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    for step in 0..steps {
        let record = air.record();
        let (child, supervisor) =
            (record.as_ref().and_then(|r| r.child), record.as_ref().and_then(|r| r.supervisor));
        let action = dice.roll(12);
        println!("step {step}: action {action}");
        match action {
            0..=2 => {
                let code = air.stage.msconv(&publish).code;
                assert!(matches!(code, 0 | 8), "publish ended with {code}");
            }
            3 | 4 => {
                let code = air.stage.msconv(&["stop", "-s", "a"]).code;
                assert!(matches!(code, 0 | 3), "stop ended with {code}");
                nothing_runs(&air, &record);
            }
            5 => hurt(child, Signal::SIGKILL),
            6 => hurt(supervisor, Signal::SIGKILL),
            7 => hurt(child, Signal::SIGTERM),
            8 => hurt(child, Signal::SIGSTOP),
            9 => {
                let stranger = strangers[dice.roll(3) as usize].pid();
                let _ = std::fs::create_dir_all(air.stage.file("pids"));
                let _ = std::fs::remove_file(air.stage.file("pids/a.pid"));
                std::fs::write(air.stage.file("pids/a.pid"), format!("{stranger}\n")).unwrap();
            }
            10 => {
                let _ = std::fs::remove_file(air.stage.file("pids/a.pid"));
                if dice.roll(2) == 0 {
                    let _ = std::fs::write(air.stage.file("pids/.state/a.json"), b"{\"schema\":1,");
                }
            }
            _ => air.nginx.restart(),
        }
        let running = ffmpegs(&air);
        assert!(running.len() <= 1, "more than one program: {running:?}");
        for stranger in &mut strangers {
            assert!(stranger.running(), "a stranger was hurt at step {step}");
        }
    }
    air.stage.msconv(&["stop", "-s", "a"]);
    wait_for("every program to end", SOON, || ffmpegs(&air).is_empty());
    for stranger in &mut strangers {
        assert!(stranger.running());
    }
    air.stage.msconv(&publish).expect(0);
    air.stage.msconv(&["stop", "-s", "a"]).expect(0);
}

fn ffmpegs(air: &Air) -> Vec<String> {
    air.stage
        .still_running()
        .into_iter()
        .filter(|l| l.contains("ffmpeg") && l.contains("-progress"))
        .collect()
}

fn nothing_runs(air: &Air, before: &Option<RunRecord>) {
    assert!(ffmpegs(air).is_empty(), "{:?}", ffmpegs(air));
    if let Some(supervisor) = before.as_ref().and_then(|r| r.supervisor) {
        assert!(!supervisor.alive(), "the supervisor is gone");
    }
}
