//! How a terminal spells a failure: its next steps are command lines.

use crate::base::next::{Advice, By, Next, Remark, Trouble};
use crate::base::{Failure, printable::printable};

/// Where remarks begin that stand in a column, in characters.
const COLUMN: usize = 21;

/// The whole of a failure: the sentence, then `why:`, `try:` and `log:`.
pub fn text(failure: &Failure) -> String {
    let mut lines = vec![failure.what().to_string()];
    lines.extend(failure.figure_lines().map(|line| format!("    {line}")));
    lines.extend(failure.reasons().iter().map(|why| format!("  why: {why}")));
    lines.extend(steps(failure.hints()).iter().map(|step| format!("  try: {step}")));
    lines.extend(failure.log_path().map(|path| format!("  log: {path}")));
    lines.join("\n")
}

/// Each next step as a command line, an argument or a sentence.
pub fn steps(steps: &[Next]) -> Vec<String> {
    steps.iter().map(step).collect()
}

/// One next step.
pub fn step(next: &Next) -> String {
    let step = spelled(&next.step);
    printable(&match &next.remark {
        None => step,
        Some(Remark::Behind(remark)) => format!("{step}    ({remark})"),
        Some(Remark::InColumn(remark)) => format!("{step:<COLUMN$}({remark})"),
    })
}

fn spelled(step: &Advice) -> String {
    match step {
        Advice::StartServers => "msconv up".into(),
        Advice::StartBackend { backend, monitoring, with } => {
            let with = with.as_ref().map(|(name, value)| format!("{name}={value} ")).unwrap_or_default();
            let monitoring = if *monitoring { " --monitoring" } else { "" };
            with + &format!("msconv up --backend {backend}") + monitoring
        }
        Advice::StopServers => "msconv down".into(),
        Advice::Serve => "msconv serve".into(),
        Advice::ListStreams => "msconv list".into(),
        Advice::ShowStreams => "msconv status".into(),
        Advice::ShowStream(key) => format!("msconv status {key}"),
        Advice::StopStream { key, by } => {
            let stop = format!("msconv stop -s {key}");
            match by {
                By::Asker => stop,
                By::User(uid) => format!("sudo -u '#{uid}' {stop}"),
                By::Root => format!("sudo {stop}"),
            }
        }
        Advice::ReplaceStream => "--replace".into(),
        Advice::Publish => "msconv publish -s stream1 -f video.mp4".into(),
        Advice::ShowCommand => "msconv publish ... --dry-run".into(),
        Advice::Play { key, label, wait } => {
            let mut line = format!("msconv play -s {key}");
            line.extend(label.iter().map(|label| format!(" -v {label}")));
            line.extend(wait.iter().map(|wait| format!(" --wait {wait}")));
            line
        }
        Advice::ShowLogs => "msconv logs".into(),
        Advice::ShowLog(key) => format!("msconv logs {key}"),
        Advice::ShowServiceLog(name) => format!("msconv logs --service {name}"),
        Advice::Examine { fix: false } => "msconv doctor".into(),
        Advice::Examine { fix: true } => "msconv doctor --fix".into(),
        Advice::ListDevices => "msconv devices".into(),
        Advice::WriteConfiguration => "msconv config init".into(),
        Advice::ReadFile(path) => format!("-f {path}"),
        Advice::ReadDevice(device) => format!("-d {device}"),
        Advice::PrintAddress { key: None } => "--print-url".into(),
        Advice::PrintAddress { key: Some(key) } => format!("msconv play -s {key} --print-url"),
        Advice::Set { name, value } if value.is_empty() => flag(name),
        Advice::Set { name, value } | Advice::Change { name, how: value } => {
            format!("{} {value}", flag(name))
        }
        Advice::ChooseKey => "choose another key with -s".into(),
        Advice::MoveHome(Trouble::Rights) => {
            "choose a folder that you may write with --home, or mend its rights".into()
        }
        Advice::MoveHome(Trouble::Full) => "free some disk space, or choose another --home".into(),
        Advice::MoveHome(Trouble::Remote) => "choose a local folder with --home".into(),
        Advice::MoveHome(Trouble::Other) => "check the path, or choose another folder with --home".into(),
        Advice::Raw(text) => text.clone(),
    }
}

/// A setting as it is typed.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    #[test]
    fn looks_as_promised() {
        let failure = Failure::new(Kind::Server, "nothing listens at rtmp://localhost:1935/live")
            .why("connection refused")
            .hint(Advice::StartServers.in_column("starts the built-in server"))
            .hint(Advice::set("wait", "60s").behind("waits"))
            .hint(Advice::StopStream { key: "a".into(), by: By::User(7) })
            .log("/x.log")
            .during("cannot publish stream1");
        assert_eq!(
            text(&failure),
            "cannot publish stream1: nothing listens at rtmp://localhost:1935/live\n  \
             why: connection refused\n  try: msconv up            (starts the built-in server)\n  \
             try: --wait 60s    (waits)\n  try: sudo -u '#7' msconv stop -s a\n  log: /x.log"
        );
    }

    #[test]
    fn escape_codes_from_outside_do_not_reach_the_terminal() {
        let failure =
            Failure::usage("bad \u{1b}[2Jkey").why("line\nbreak").hint(Advice::ShowLog("\u{1b}[2J".into()));
        assert!(!text(&failure).contains('\u{1b}'));
        assert_eq!(text(&failure).lines().count(), 3);
    }
}
