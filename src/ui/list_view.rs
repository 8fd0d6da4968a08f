//! The text of `msconv list`: one row for each stream, or for each rendition.

use super::table::{Cell, Column, Table};
use super::units::bitrate;
use crate::base::clock;
use crate::base::printable::bounded;
use crate::manager::records::owners::REBOOT;
use crate::model::State;
use crate::model::listing::{Listing, RenditionInfo, Stream, Video};
use std::time::Duration;

/// Longest reason shown in a row, in characters.
const LONGEST_REASON: usize = 80;

/// One row for each stream. `application` is the one that needs no mention.
pub fn streams(listing: &Listing, application: &str) -> Table {
    let mut table = Table::new(&[
        Column::cut("STREAM", 12),
        Column::left("STATE"),
        Column::cut("VARIANTS", 10),
        Column::cut("VIDEO", 8),
        Column::right("BITRATE"),
        Column::right("VIEWERS"),
        Column::right("UPTIME"),
        Column::cut("FROM", 12),
    ]);
    for stream in &listing.streams {
        table.row(vec![
            Cell::plain(name(stream, application)),
            state(stream.state),
            Cell::plain(labels(stream)),
            Cell::plain(picture(stream)),
            Cell::plain(stream.bitrate_bps.map(bitrate).unwrap_or_default()),
            Cell::plain(stream.viewers.to_string()),
            Cell::plain(uptime(stream)),
            Cell::plain(from(stream)),
        ]);
    }
    table
}

/// One row for each rendition.
pub fn renditions(listing: &Listing, application: &str) -> Table {
    let mut table = Table::new(&[
        Column::cut("STREAM", 12),
        Column::left("VARIANT"),
        Column::left("STATE"),
        Column::cut("VIDEO", 8),
        Column::left("AUDIO"),
        Column::right("BITRATE"),
        Column::right("VIEWERS"),
        Column::cut("URL", 20),
    ]);
    for stream in &listing.streams {
        for rendition in &stream.renditions {
            table.row(vec![
                Cell::plain(name(stream, application)),
                Cell::plain(&rendition.label),
                state(rendition.state),
                Cell::plain(rendition.video.as_ref().map(video).unwrap_or_default()),
                Cell::plain(rendition.audio.as_ref().map(|a| a.codec.clone()).unwrap_or_default()),
                Cell::plain(rendition.bitrate_bps.map(bitrate).unwrap_or_default()),
                Cell::plain(rendition.viewers.to_string()),
                Cell::plain(&rendition.rtsp_url),
            ]);
        }
    }
    table
}

/// Each key once, in the order of the listing.
pub fn keys(listing: &Listing) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    listing.streams.iter().map(|s| s.key.as_str()).filter(|key| seen.insert(*key)).collect()
}

/// The rendition that is watched where nobody says which: the best that is on the air.
pub fn best(stream: &Stream) -> Option<&RenditionInfo> {
    let picture = |r: &&RenditionInfo| r.label != "audio";
    let on_air = || stream.renditions.iter().filter(|r| r.state.on_air());
    on_air().find(picture).or_else(|| on_air().next()).or(stream.renditions.first())
}

/// The key, with its application where that is not the usual one. Blanks at its ends would not be seen: what
/// nginx-rtmp makes of a name in Cyrillic is nothing but blanks.
fn name(stream: &Stream, application: &str) -> String {
    let shown = if stream.application == application || stream.application.is_empty() {
        stream.key.clone()
    } else {
        format!("{}/{}", stream.application, stream.key)
    };
    if stream.key.is_empty() || stream.key.trim() != stream.key { format!("'{shown}'") } else { shown }
}

fn state(state: State) -> Cell {
    let style = match state {
        State::Live => "32",
        State::Failed | State::Stalled => "31",
        State::Finished => "2",
        _ => "33",
    };
    Cell::styled(state.word(), style)
}

/// The labels; one that is not as the whole stream is says so.
fn labels(stream: &Stream) -> String {
    let label = |r: &RenditionInfo| {
        let ordinary = r.state == State::Live || r.state == stream.state || !stream.state.on_air();
        if ordinary { r.label.clone() } else { format!("{}({})", r.label, r.state) }
    };
    stream.renditions.iter().map(label).collect::<Vec<_>>().join(" ")
}

/// The largest picture; a stream of audio alone says so.
fn picture(stream: &Stream) -> String {
    let largest = stream.renditions.iter().filter_map(|r| r.video.as_ref()).next();
    match largest {
        Some(found) => video(found),
        None if stream.renditions.iter().any(|r| r.audio.is_some()) => "no picture".to_string(),
        None => String::new(),
    }
}

fn video(video: &Video) -> String {
    if video.width == 0 {
        return video.codec.clone();
    }
    format!("{} {}x{}", video.codec, video.width, video.height).trim_start().to_string()
}

fn uptime(stream: &Stream) -> String {
    stream.uptime_s.map(|s| clock::uptime(Duration::from_secs(s))).unwrap_or_default()
}

fn from(stream: &Stream) -> String {
    let Some(local) = &stream.local else { return stream.from.clone().unwrap_or_default() };
    let mut text = match (&stream.from, local.pid) {
        (Some(from), Some(pid)) => format!("{from}, pid {pid}"),
        (Some(from), None) => from.clone(),
        (None, _) if local.reason.as_deref() == Some(REBOOT) => "stopped".to_string(),
        (None, _) => "not running".to_string(),
    };
    if let Some(reason) = &local.reason
        && stream.state != State::Live
    {
        text.push_str(&format!(" ({})", bounded(reason, LONGEST_REASON)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::table::Layout;
    use super::*;
    use crate::model::listing::{Audio, Local};

    fn rendition(label: &str, state: State, size: (u32, u32)) -> RenditionInfo {
        let video = Video { codec: "h264".into(), width: size.0, height: size.1, fps: Some(30.0) };
        RenditionInfo {
            label: label.into(),
            name: format!("x_{label}"),
            state,
            video: (size.0 > 0).then_some(video),
            audio: Some(Audio { codec: "aac".into(), sample_rate_hz: None, channels: None }),
            bitrate_bps: Some(1_000_000),
            viewers: 1,
            rtmp_url: format!("rtmp://localhost:1935/live/x_{label}"),
            rtsp_url: format!("rtsp://localhost:8554/x_{label}"),
            page_url: None,
            hls_url: None,
            whep_url: None,
        }
    }

    fn listing() -> Listing {
        let own = Stream {
            key: "stream1".into(),
            application: "live".into(),
            state: State::Live,
            uptime_s: Some(761),
            viewers: 3,
            bitrate_bps: Some(8_100_000),
            from: Some("here".into()),
            page_url: None,
            hls_url: None,
            whep_url: None,
            local: Some(Local {
                pid: Some(41233),
                supervisor_pid: Some(41230),
                home: "/srv".into(),
                restarts: 0,
                log: "/srv/x.log".into(),
                reason: None,
            }),
            renditions: vec![
                rendition("1080p", State::Live, (1920, 1080)),
                rendition("720p", State::Live, (1280, 720)),
                rendition("480p", State::Live, (854, 480)),
                rendition("360p", State::Live, (640, 360)),
            ],
        };
        let relay = Stream {
            key: "relayCam".into(),
            uptime_s: Some(7390),
            viewers: 1,
            bitrate_bps: Some(2_400_000),
            from: Some("10.0.0.7".into()),
            local: None,
            renditions: vec![rendition("original", State::Live, (1280, 720))],
            ..own.clone()
        };
        Listing { streams: vec![own, relay], ..Listing::default() }
    }

    #[test]
    fn looks_as_promised() {
        let lines = streams(&listing(), "live").lines(Layout::Terminal { width: 120, color: false });
        let promised = [
            "STREAM    STATE  VARIANTS              VIDEO            BITRATE  VIEWERS    UPTIME  FROM",
            "stream1   live   1080p 720p 480p 360p  h264 1920x1080  8.1 Mb/s        3  00:12:41  here, pid 41233",
            "relayCam  live   original              h264 1280x720   2.4 Mb/s        1  02:03:10  10.0.0.7",
        ];
        assert_eq!(lines, promised);
        let lines = renditions(&listing(), "other").lines(Layout::Tabs);
        assert_eq!(lines.first().unwrap(), "STREAM\tVARIANT\tSTATE\tVIDEO\tAUDIO\tBITRATE\tVIEWERS\tURL");
        assert_eq!(
            lines.last().unwrap(),
            "live/relayCam\toriginal\tlive\th264 1280x720\taac\t1.0 Mb/s\t1\trtsp://localhost:8554/x_original"
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn what_is_odd_is_said() {
        let mut odd = listing();
        let stream = odd.streams.first_mut().unwrap();
        stream.state = State::Weak;
        stream.key = "   ".into();
        stream.local.as_mut().unwrap().reason = Some("480p is gone".into());
        stream.renditions.get_mut(2).unwrap().state = State::Stalled;
        let lines = streams(&odd, "live").lines(Layout::Tabs);
        assert_eq!(
            lines.get(1).unwrap(),
            "'   '\tweak\t1080p 720p 480p(stalled) 360p\th264 1920x1080\t8.1 Mb/s\t3\t00:12:41\there, pid 41233 (480p is gone)"
        );
        let stream = odd.streams.first_mut().unwrap();
        (stream.from, stream.uptime_s, stream.bitrate_bps, stream.state) = (None, None, None, State::Failed);
        stream.renditions = vec![rendition("audio", State::Failed, (0, 0))];
        let lines = streams(&odd, "live").lines(Layout::Tabs);
        assert_eq!(
            lines.get(1).unwrap(),
            "'   '\tfailed\taudio\tno picture\t-\t3\t-\tnot running (480p is gone)"
        );
    }

    #[test]
    fn keys_stand_once_and_the_best_is_on_the_air() {
        let mut twice = listing();
        twice.streams.extend(listing().streams);
        assert_eq!(keys(&twice), ["stream1", "relayCam"]);
        let mut stream = twice.streams.remove(0);
        assert_eq!(best(&stream).unwrap().label, "1080p");
        stream.renditions.first_mut().unwrap().state = State::Stalled;
        assert_eq!(best(&stream).unwrap().label, "720p");
        stream.renditions =
            vec![rendition("audio", State::Live, (0, 0)), rendition("360p", State::Stalled, (2, 2))];
        assert_eq!(best(&stream).unwrap().label, "audio");
        stream.renditions.clear();
        assert_eq!(best(&stream), None);
    }
}
