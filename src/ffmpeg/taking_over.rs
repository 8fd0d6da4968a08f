//! How a call of ffmpeg takes over from another one that publishes the same names: it begins where the other one is, tries
//! for the names until they are free, and tells often how far it is.

use super::head_start::HeadStart;
use super::loop_input;
use crate::base::command_line::{Argument, CommandLine, file_url};
use std::path::Path;

/// How often it tells how far it is, in seconds.
const TOLD_EVERY: &str = "0.1";
/// What its queues wait between two tries, in the place of a second.
const TRIES: (&str, &str) = ("recovery_wait_time=1", "recovery_wait_time=0.1");
/// So often a file is named behind the place where it is taken up: ffmpeg cannot rewind what it entered in the middle.
const ROUNDS: usize = 43_200;

/// The same call, eager for names that are still another's.
pub fn eager(command: &CommandLine) -> CommandLine {
    let mut eager = command.clone();
    let mut period = false;
    for arg in &mut eager.args {
        if std::mem::replace(&mut period, arg.text() == "-stats_period") {
            *arg = TOLD_EVERY.into();
        }
        *arg = arg.replaced(TRIES.0, TRIES.1);
    }
    eager
}

/// The same call, taking the file up `seconds` behind its beginning; `None` if it reads it in a way that cannot be
/// entered there. `round` is how long the file is, where that is known.
pub fn from(command: &CommandLine, path: &Path, seconds: f64, round: Option<f64>) -> Option<CommandLine> {
    let at = command.args.iter().position(|arg| arg.text() == "-i")?;
    let (head, tail) = (command.args.get(..at)?, command.args.get(at.checked_add(2)?..)?);
    let is_file = command.args.get(at.checked_add(1)?)? == &Argument::plain(file_url(path));
    let listed = command.stdin().is_some();
    if !is_file && !listed {
        return None;
    }
    let mut input = unmoved(head)?;
    let looped =
        input.windows(2).position(|pair| pair.first().is_some_and(|arg| arg.text() == "-stream_loop"));
    let place = format!("{:.3}", seconds.max(0.0));
    match looped {
        Some(_) if !loop_input::listable(path) => return None,
        Some(looped) => {
            input.drain(looped..looped.checked_add(2)?);
            // What may be spoken and how the list is read stand in the arguments of the list.
            for option in ["-protocol_whitelist", "-f", "-safe"] {
                if let Some(found) = input.iter().position(|arg| arg.text() == option) {
                    input.drain(found..found.checked_add(2)?);
                }
            }
            input.extend([Argument::from("-ss"), place.into()]);
            input.extend(loop_input::listed(path, ROUNDS, Some(round?)));
        }
        None => {
            input.extend([Argument::from("-ss"), place.into()]);
            input.extend(command.args.get(at..at.checked_add(2)?)?.iter().cloned());
        }
    }
    input.extend(tail.iter().map(back_in_their_time));
    Some(CommandLine { args: input, ..command.clone() })
}

/// The arguments of the input without those of a head start: what lies below zero is cut off where a file is entered in
/// the middle, and that is where the head start puts its second.
fn unmoved(head: &[Argument]) -> Option<Vec<Argument>> {
    let mut head = head.to_vec();
    let words = HeadStart::Moved.arguments();
    let found =
        head.windows(words.len()).position(|args| args.iter().zip(words).all(|(a, word)| a.text() == *word));
    if let Some(found) = found {
        head.drain(found..found.checked_add(words.len())?);
    }
    Some(head)
}

/// The filters without those that move frames back from a head start.
fn back_in_their_time(arg: &Argument) -> Argument {
    let filters = [HeadStart::Moved.audio(), HeadStart::Moved.video()].into_iter().flatten();
    filters.fold(arg.clone(), |arg, filter| arg.replaced(&format!("{filter},"), ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::loop_input::Repeat;

    fn reading(repeat: Option<Repeat>) -> CommandLine {
        let mut command = CommandLine::new("ffmpeg");
        command.args(["-progress", "pipe:1", "-stats_period", "1", "-re", "-itsoffset", "-1"]);
        command.args(loop_input::arguments(
            Path::new("/a.mp4"),
            &crate::ffmpeg::report::Report::default(),
            repeat,
        ));
        command.args([
            "-filter_complex",
            "[0:0]setpts=PTS+1/TB,fps=24[v];[0:1]asetpts=PTS+1/TB,aresample=48000[a]",
        ]);
        command.args(["-f", "tee", r"[fifo_options=recovery_wait_time=1\\:x=1]rtmp://h/a|[fifo_options=recovery_wait_time=1]rtmp://h/b"]);
        command
    }

    #[test]
    fn it_tries_often_and_says_so_often() {
        let line = eager(&reading(None)).shell_line();
        assert_eq!(line.matches("recovery_wait_time=0.1").count(), 2, "{line}");
        assert!(line.contains("-stats_period 0.1 -re") && !line.contains("time=1"), "{line}");
    }

    #[test]
    fn a_file_is_taken_up_where_it_is() {
        let path = Path::new("/a.mp4");
        let of = |repeat| from(&reading(repeat), path, 12.5, Some(20.0)).unwrap();
        let once = of(None).shell_line();
        assert!(
            once.contains("-re -protocol_whitelist file -ss 12.500 -i file:/a.mp4 -filter_complex"),
            "{once}"
        );
        for repeat in [Repeat::Rewind, Repeat::Reopen(5)] {
            let command = of(Some(repeat));
            let line = command.shell_line();
            let list = command.stdin().unwrap();
            assert_eq!(
                (list.times(), list.lines().as_str()),
                (ROUNDS, "file file:/a.mp4\nduration 20.000000")
            );
            assert!(
                line.contains(
                    "-re -ss 12.500 -protocol_whitelist file,pipe -f concat -safe 0 -i pipe:0 -filter_complex"
                ),
                "{line}"
            );
            assert!(line.contains("'[0:0]fps=24[v];[0:1]aresample=48000[a]'"), "{line}");
            assert!(!line.contains("stream_loop"), "{line}");
        }
        let mut live = CommandLine::new("ffmpeg");
        live.args(["-i", "rtmp://h/live/x", "-f", "tee"]);
        assert_eq!(from(&live, path, 1.0, None), None);
    }
}
