//! The text of media playlists (RFC 8216, 4.3.3; RFC 8216bis, 4.4).

use super::ladder::Ladder;
use super::listing::{Listed, Position};
use super::timeline::Cut;
use std::fmt::Write;
use std::time::Duration;

/// Parts are listed this many target durations back from the end: RFC 8216bis (4.4.4.9) wants them removed after three,
/// and hls.js takes parts only while what it has buffered lies beyond the first of them.
const PARTS_BACK: u32 = 4;
/// Hold-backs in lengths of what is held back from: three is the least (RFC 8216bis, 4.4.3.8), and more is only later.
const HOLD_BACK: u32 = 3;
/// How far back delta updates may leave segments out, in target durations: six is the least.
const SKIP: u32 = 6;

/// The name of an initialisation segment.
pub fn init_name(epoch: u64, number: u32) -> String {
    format!("{epoch:08x}-init{number}.mp4")
}

/// The name of a segment.
pub fn segment_name(epoch: u64, msn: u64) -> String {
    format!("{epoch:08x}-{msn}.m4s")
}

/// The name of a part.
pub fn part_name(epoch: u64, at: Position) -> String {
    format!("{epoch:08x}-{}.{}.m4s", at.msn, at.part)
}

/// The media playlist of a rendition; none if the ladder has none of this label. `skip`: leave out what a player that
/// has the playlist of before knows (EXT-X-SKIP). `others`: the playlists of the other renditions, as they stand in the
/// multivariant playlist seen from here, with their labels.
pub fn media_playlist(ladder: &Ladder, label: &str, skip: bool, others: &[(&str, String)]) -> Option<String> {
    let listing = ladder.listing(label)?;
    let target = Duration::from_secs(ladder.target_s());
    let part_target = ladder.rendition(label)?.part_target();
    let segments = listing.segments();
    let skipped = if skip { skippable(segments, target) } else { 0 };
    let mut text = String::with_capacity(4096);
    let begins = begins(segments);
    head(&mut text, ladder, part_target, segments);
    if let Some(first) = begins {
        nothing_before(&mut text, ladder.epoch(), first, target, part_target);
    }
    if skipped > 0 {
        let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
    }
    let first_with_parts = with_parts(segments, target);
    let mut init =
        skipped.checked_sub(1).and_then(|last| segments.get(last)).map(|listed| listed.segment.init);
    for (index, listed) in segments.iter().enumerate().skip(skipped) {
        if init.replace(listed.segment.init) != Some(listed.segment.init) || listed.segment.cut.discontinuity
        {
            discontinuity(&mut text, ladder.epoch(), listed);
        }
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(listed.segment.cut.wall_ms));
        if index >= first_with_parts {
            parts(&mut text, ladder.epoch(), listed, part_target);
        }
        if listed.complete {
            if listed.segment.is_gap() {
                text.push_str("#EXT-X-GAP\n");
            }
            let name = segment_name(ladder.epoch(), listed.segment.cut.msn);
            let _ = writeln!(text, "#EXTINF:{},\n{name}", seconds(listed.segment.length()));
        }
    }
    if let Some(next) = listing.next(part_target).filter(|_| ladder.rendition(label).is_some_and(|m| m.live))
    {
        let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", part_name(ladder.epoch(), next));
    }
    for (other, uri) in others {
        if let Some(last) = ladder.listing(other).and_then(|listing| listing.last()) {
            let Position { msn, part } = last;
            let _ = writeln!(text, "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn},LAST-PART={part}");
        }
    }
    Some(text)
}

fn head(text: &mut String, ladder: &Ladder, part_target: Duration, segments: &[Listed<'_>]) {
    let target = ladder.target_s();
    let longest_part = ladder.part_target();
    let first = segments.first().map(|listed| listed.segment.cut);
    let first_msn = first.map_or(0, |cut| cut.msn.saturating_sub(u64::from(begins(segments).is_some())));
    // The tag of the first segment counts itself.
    let discontinuities =
        first.map_or(0, |cut| cut.discontinuities.saturating_sub(u64::from(cut.discontinuity)));
    let _ = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={},PART-HOLD-BACK={},HOLD-BACK={}\n\
         #EXT-X-PART-INF:PART-TARGET={}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n",
        target.saturating_mul(SKIP.into()),
        seconds(longest_part.saturating_mul(HOLD_BACK)),
        target.saturating_mul(HOLD_BACK.into()),
        seconds(part_target),
        first_msn,
    );
}

/// The segment that a ladder begins with, while it is not complete.
fn begins<'a>(segments: &[Listed<'a>]) -> Option<&'a Cut> {
    match segments {
        [first] if !first.complete => Some(&first.segment.cut),
        _ => None,
    }
}

/// Lists a segment and a part before `first` that are not there: hls.js takes a playlist without a segment for a broken one,
/// and takes no parts while none is listed of an earlier segment. The first viewer would wait for two seconds.
fn nothing_before(text: &mut String, epoch: u64, first: &Cut, length: Duration, part: Duration) {
    let wall_ms = first.wall_ms.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    let (date, msn) = (date_time(wall_ms), first.msn.saturating_sub(1));
    let (name, part_name) = (segment_name(epoch, msn), part_name(epoch, Position { msn, part: 0 }));
    let _ = writeln!(
        text,
        "#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXT-X-PART:DURATION={},URI=\"{part_name}\",GAP=YES\n\
         #EXT-X-GAP\n#EXTINF:{},\n{name}",
        seconds(part),
        seconds(length)
    );
}

fn discontinuity(text: &mut String, epoch: u64, listed: &Listed<'_>) {
    if listed.segment.cut.discontinuity {
        text.push_str("#EXT-X-DISCONTINUITY\n");
    }
    let _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"", init_name(epoch, listed.segment.init));
}

fn parts(text: &mut String, epoch: u64, listed: &Listed<'_>, longest: Duration) {
    let msn = listed.segment.cut.msn;
    for (index, part) in listed.segment.parts.iter().take(listed.parts).enumerate() {
        let at = Position { msn, part: u64::try_from(index).unwrap_or(u64::MAX) };
        let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
        // A frame that lasts because others were lost makes a part longer than any may be (RFC 8216bis, 4.4.4.9); its
        // media say the truth, and so does the length of the segment.
        let (length, name) = (seconds(part.duration.min(longest)), part_name(epoch, at));
        let _ = writeln!(text, "#EXT-X-PART:DURATION={length},URI=\"{name}\"{independent}");
    }
}

/// How many segments a delta update leaves out: those further back than the skip boundary.
fn skippable(segments: &[Listed<'_>], target: Duration) -> usize {
    let boundary = target.saturating_mul(SKIP);
    let mut behind = Duration::ZERO;
    let mut kept = 0;
    for listed in segments.iter().rev() {
        behind = behind.saturating_add(listed.segment.length());
        if behind > boundary {
            break;
        }
        kept += 1;
    }
    segments.len().saturating_sub(kept)
}

/// The first segment whose parts are listed.
fn with_parts(segments: &[Listed<'_>], target: Duration) -> usize {
    let reach = target.saturating_mul(PARTS_BACK);
    let mut behind = Duration::ZERO;
    let listed = segments.iter().rev().take_while(|listed| {
        let within = behind < reach;
        behind = behind.saturating_add(listed.segment.length());
        within
    });
    segments.len().saturating_sub(listed.count())
}

/// Seconds with as many decimals as rounding of times needs.
pub fn seconds(length: Duration) -> String {
    format!("{:.5}", length.as_secs_f64())
}

/// RFC 3339 with milliseconds, in UTC.
fn date_time(wall_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{moment:.3}")
}
