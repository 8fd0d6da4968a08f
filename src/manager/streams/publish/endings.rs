//! How a publish that did not come to its first bytes is told.

use crate::base::next::Advice;
use crate::base::{Failure, Kind, clock};
use crate::config::Settings;
use crate::ffmpeg::diagnosis;
use crate::model::{State, StreamKey};
use crate::process::run_record::RunRecord;
use crate::process::supervisor::Ended;
use std::time::Duration;

/// The failure of a stream that was not live when the time was over.
pub(super) fn not_in_time(
    (settings, wait): (&Settings, Duration),
    key: &StreamKey,
    last: Option<&RunRecord>,
    words: &[String],
) -> Failure {
    let missing: Vec<&str> = last
        .map(|r| r.renditions.iter().filter(|o| o.state != State::Live).map(|o| o.label.as_str()).collect())
        .unwrap_or_default();
    let what = match last {
        Some(record) if missing.len() < record.renditions.len() && !missing.is_empty() => {
            format!("{} not live within {}", missing.join(", "), clock::spoken(wait))
        }
        _ => format!("not live within {}", clock::spoken(wait)),
    };
    let nothing = last.is_none_or(|r| r.renditions.iter().all(|o| o.state != State::Live));
    if nothing && diagnosis::cannot_decode(words) {
        let failure = Failure::new(Kind::Input, format!("{what}: its frames cannot be decoded"));
        let said = diagnosis::last_words(words, 1).into_iter();
        return said
            .fold(failure, Failure::why)
            .hint("check that it plays: it may be encrypted or damaged")
            .log(shown_log(settings, key));
    }
    let reason = last.and_then(|r| r.reason.clone().or(r.last_error.clone()));
    let further = diagnosis::further_words(words, 3, reason.as_deref().unwrap_or_default());
    let failure = reason.into_iter().chain(further).fold(Failure::new(Kind::Server, what), Failure::why);
    failure
        .hint(Advice::set("wait", "60s").in_column("waits longer; --wait 0 leaves it trying"))
        .log(shown_log(settings, key))
}

/// The failure of a stream that ended before it was live.
pub(super) fn ended_early(settings: &Settings, key: &StreamKey, ended: &Ended) -> Failure {
    let log = shown_log(settings, key);
    let Some(code) = ended.failure else {
        return Failure::new(Kind::Interrupted, "it was stopped before it was live").log(log);
    };
    let reason = ended.reason.as_deref().unwrap_or("ffmpeg failed");
    let further = diagnosis::further_words(&ended.words, 3, reason);
    let failure = further.into_iter().fold(Failure::new(Kind::from_exit_code(code), reason), Failure::why);
    let failure = match failure.kind() {
        Kind::Conflict => {
            failure.hint(Advice::ChooseKey).hint(Advice::ListStreams.in_column("shows what is live"))
        }
        Kind::Input | Kind::Usage => {
            failure.hint(Advice::ShowCommand.behind("prints the ffmpeg command to try by hand"))
        }
        _ => failure,
    };
    failure.log(log)
}

fn shown_log(settings: &Settings, key: &StreamKey) -> String {
    settings.paths.ffmpeg_log(key).display().to_string()
}
