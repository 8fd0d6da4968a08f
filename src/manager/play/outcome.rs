//! What the end of a player means: exit codes alone do not tell, VLC and ffplay end with 0 on errors.

use super::PlayPlan;
use crate::base::clock::spoken;
use crate::base::next::Advice;
use crate::base::secret::Redactor;
use crate::base::{Failure, Kind};
use crate::player::{Kind as Player, words};
use crate::process::player_run::Ended;
use std::time::Duration;

/// A player that ends sooner has hardly been watched.
pub const SOON: Duration = Duration::from_secs(3);

/// How a viewing ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// As it should.
    Well,
    /// With exit code 0 and without an error, but sooner than anybody watches; what it said last.
    Soon(String),
    /// By Ctrl-C.
    Interrupted,
    /// By a fault.
    Failed(Failure),
}

/// Reads the end of a player.
pub fn judge(plan: &PlayPlan, ended: &Ended, redactor: &Redactor) -> Verdict {
    if ended.interrupted {
        return Verdict::Interrupted;
    }
    let soon = ended.lasted < SOON;
    let clean = ended.exit.code == Some(0);
    let gave_up = words::gave_up(plan.kind, &ended.lines, &plan.url);
    // mpv's exit code can be believed; of the others the words count while nobody can have watched.
    let doubtful = soon && plan.kind != Player::Mpv && words::speaks_of_a_fault(&ended.lines);
    let quoted: Vec<String> = words::last_words(&ended.lines).iter().map(|l| redactor.clean(l)).collect();
    if clean && !gave_up && !doubtful {
        if !soon {
            return Verdict::Well;
        }
        let last = quoted.last().map(|l| format!(": {l}")).unwrap_or_default();
        return Verdict::Soon(format!("{} ended after {}{last}", plan.player(), spoken(ended.lasted)));
    }
    let mut failure = Failure::new(
        Kind::Missing,
        format!("{} could not play {} {}", plan.player(), plan.target.key, plan.target.label),
    );
    for line in &quoted {
        failure = failure.why(line.clone());
    }
    failure = failure.why(format!("it {} after {}", ended.exit, spoken(ended.lasted)));
    let other = if plan.kind == Player::Mpv { "ffplay" } else { "mpv" };
    Verdict::Failed(failure.hint(Advice::set("player", other)).hint(Advice::print_address()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CommandLine;
    use crate::manager::play::{Address, Target};
    use crate::player::Protocol;
    use crate::process::spawn::Exit;

    fn plan(kind: Player) -> PlayPlan {
        let url = "rtsp://u:pw@h:8554/a_720p".to_string();
        let address = Address { url: url.clone(), shown: "rtsp://***@h:8554/a_720p".into() };
        PlayPlan {
            target: Target {
                key: "a".into(),
                label: "720p".into(),
                path: "a_720p".into(),
                rtmp: Some(address.clone()),
                rtsp: Some(address.clone()),
                hls: None,
                whep: None,
                page: None,
            },
            protocol: Protocol::Rtsp,
            kind,
            shown_url: address.shown,
            url,
            command: CommandLine::new("/usr/bin/thing"),
            note: None,
        }
    }

    fn end(code: i32, seconds: f64, lines: &[&str]) -> Ended {
        Ended {
            exit: Exit { code: Some(code), signal: None },
            lasted: Duration::from_secs_f64(seconds),
            lines: lines.iter().map(|l| l.to_string()).collect(),
            interrupted: false,
        }
    }

    fn judged(kind: Player, ended: Ended) -> Verdict {
        judge(&plan(kind), &ended, &Redactor::new())
    }

    #[test]
    fn a_good_end_is_good() {
        assert!(matches!(
            judged(Player::Vlc, end(0, 60.0, &["[h264 @ 0x0011223344] error while decoding"])),
            Verdict::Well
        ));
        assert!(matches!(
            judged(Player::Mpv, end(0, 1.0, &["Failed to initialize a decoder"])),
            Verdict::Soon(_)
        ));
        assert!(matches!(judged(Player::Other, end(0, 0.1, &[])), Verdict::Soon(_)));
    }

    #[test]
    fn an_exit_code_of_0_does_not_hide_a_fault() {
        let gave_up = ["[00007f0774000cb0] main input error: Your input can't be opened"];
        let Verdict::Failed(failure) = judged(Player::Vlc, end(0, 30.0, &gave_up)) else { panic!() };
        assert_eq!(failure.kind(), Kind::Missing);
        assert_eq!(failure.what(), "VLC could not play a 720p");
        let words = ["rtsp://u:pw@h:8554/a_720p: Server returned 404 Not Found"];
        let Verdict::Failed(failure) = judged(Player::Ffplay, end(0, 12.0, &words)) else { panic!() };
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "ffplay could not play a 720p\n  why: rtsp://***@h:8554/a_720p: Server returned 404 Not Found\n  \
             why: it ended with exit code 0 after 12 s\n  try: --player mpv\n  try: --print-url"
        );
        let early = judged(Player::Other, end(0, 0.2, &["cannot open display"]));
        assert!(matches!(early, Verdict::Failed(_)));
    }

    #[test]
    fn another_exit_code_is_a_fault_whenever_it_comes() {
        let Verdict::Failed(failure) = judged(Player::Other, end(2, 100.0, &["went wrong"])) else {
            panic!()
        };
        assert_eq!(failure.what(), "thing could not play a 720p");
        assert!(
            crate::ui::failure_text::text(&failure)
                .contains("why: went wrong\n  why: it ended with exit code 2")
        );
        let mut killed = end(0, 100.0, &[]);
        killed.exit = Exit { code: None, signal: Some(11) };
        let Verdict::Failed(failure) = judged(Player::Mpv, killed) else { panic!() };
        assert!(crate::ui::failure_text::text(&failure).contains("it was ended by SIGSEGV"), "{failure}");
    }
}
