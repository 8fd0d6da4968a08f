//! Whether the times of a file's packets can be left to ffmpeg: it corrects steps in some containers only, for each track by
//! itself in others, and waits an hour of a hole out. A file in which something of that kind was found is read through a
//! feeder (see [`feeder`](super::feeder)).

/// A track may lie so much before its own end: containers round, and some write a packet twice.
const BACK: f64 = 0.1;
/// Longest hole that is left to ffmpeg, in seconds: in all tracks, and in audio beside video.
const HOLE: f64 = 1.0;

/// What was found out about a file's times.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Times {
    /// They were not read, or not to the end.
    #[default]
    Unread,
    /// There is nothing in them that ffmpeg would stumble over.
    Plain,
    /// There is; the first of it, as a clause: `they step back by 50.0 s at 00:00:04`.
    Faulty(String),
}

/// Reads what [`packets::command`](super::packets::command) printed; `tracks` are those that are published.
pub fn parse(list: &[u8], video: Option<u32>, audio: Option<u32>) -> Times {
    let mut ways = [video.map(Way::of), audio.map(Way::of)].into_iter().flatten().collect::<Vec<_>>();
    let heard = audio.filter(|_| video.is_some());
    let (mut begin, mut end): (Option<f64>, Option<f64>) = (None, None);
    for line in list.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((track, time)) = packet(&line) else { continue };
        let Some(way) = ways.iter_mut().find(|way| way.track == track) else { continue };
        let at = time - *begin.get_or_insert(time);
        let fault = match (way.end, end) {
            (Some(own), _) if at < own - BACK => Some(("step back by", own - at)),
            (_, Some(all)) if at > all + HOLE => Some(("leave a hole of", at - all)),
            (Some(own), _) if at > own + HOLE && heard == Some(track) => {
                Some(("leave audio out for", at - own))
            }
            (None, Some(all)) if heard == Some(track) && all > HOLE && at > HOLE => {
                Some(("leave audio out for", at))
            }
            _ => None,
        };
        if let Some((what, by)) = fault {
            return faulty(what, by, end.unwrap_or(0.0));
        }
        way.end = Some(at.max(way.end.unwrap_or(at)));
        end = Some(at.max(end.unwrap_or(at)));
    }
    let ended = |track: Option<u32>| ways.iter().find(|way| Some(way.track) == track).and_then(|way| way.end);
    match (ended(video), ended(heard)) {
        (Some(video), Some(audio)) if video > audio + HOLE => {
            faulty("leave audio out for", video - audio, audio)
        }
        (None, None) if ended(audio).is_none() => Times::Unread,
        _ => Times::Plain,
    }
}

/// A track and the end of it so far.
struct Way {
    track: u32,
    end: Option<f64>,
}

impl Way {
    fn of(track: u32) -> Way {
        Way { track, end: None }
    }
}

fn faulty(what: &str, by: f64, at: f64) -> Times {
    let at = at.max(0.0) as u64;
    let (hours, minutes, seconds) = (at / 3600, at / 60 % 60, at % 60);
    Times::Faulty(format!("they {what} {by:.1} s at {hours:02}:{minutes:02}:{seconds:02}"))
}

/// The track of a packet and when it is sent; packets without a time are passed over.
fn packet(line: &str) -> Option<(u32, f64)> {
    let (mut track, mut shown, mut sent) = (None, None, None);
    let time = |value: &str| value.parse::<f64>().ok().filter(|t| t.abs() < 1e9);
    for field in line.trim().split('|').take(16) {
        match field.split_once('=') {
            Some(("stream_index", value)) => track = value.parse().ok(),
            Some(("pts_time", value)) => shown = time(value),
            Some(("dts_time", value)) => sent = time(value),
            _ => {}
        }
    }
    Some((track?, sent.or(shown)?))
}

#[cfg(test)]
#[path = "packet_times_tests.rs"]
mod tests;
