//! The first second of a file is read at once.
//!
//! An encoder looks ahead: x264 gives its first picture away when it has seen ten to forty more, and where a file is read at
//! the speed of time nobody sees anything until then. Read at once, the second fills the encoder as fast as the machine can,
//! and everything behind it keeps the speed of time. Measured on 24 frames a second and 20 to look ahead: bytes of all
//! renditions 0.7 s earlier for 0.75 s read at once.
//!
//! Since 6.1 ffmpeg can be told so. Before, times below zero are never waited for: the source is moved a second into the
//! past (`-itsoffset`), and the filters move its video and audio back. Copied packets pass no filter; beside them
//! everything stays in the past, and goes out a second later.

use super::capability::Capability;
use super::report::Report;
use crate::model::Source;

/// How the first second comes at once, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadStart {
    /// It comes in a second, as all others do.
    None,
    /// This ffmpeg knows how.
    Known,
    /// The source is moved into the past, and its frames are moved back.
    Moved,
    /// The source is moved into the past and stays there: some of it is copied.
    Past,
}

impl HeadStart {
    /// For this source, of which something is encoded, and something `copied` or not.
    pub fn of(source: &Source, report: &Report, capability: &Capability, copied: bool) -> HeadStart {
        // AVI counts in video and audio packets: what is moved there lands beside its place.
        let coarse = report.is_format(&["avi"]);
        match source {
            Source::File(_) if report.still || capability.version == (0, 0, 0) => HeadStart::None,
            Source::File(_) if capability.at_least(6, 1) => HeadStart::Known,
            Source::File(_) if coarse => HeadStart::None,
            Source::File(_) if copied => HeadStart::Past,
            Source::File(_) => HeadStart::Moved,
            _ => HeadStart::None,
        }
    }

    /// What stands before the input, behind the pace.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            HeadStart::None => &[],
            HeadStart::Known => &["-readrate_initial_burst", "1"],
            HeadStart::Moved | HeadStart::Past => &["-itsoffset", "-1"],
        }
    }

    /// The filter that moves video back into their time.
    pub fn video(self) -> Option<&'static str> {
        (self == HeadStart::Moved).then_some("setpts=PTS+1/TB")
    }

    /// The filter that moves audio back.
    pub fn audio(self) -> Option<&'static str> {
        (self == HeadStart::Moved).then_some("asetpts=PTS+1/TB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_have_a_first_second_that_is_there() {
        let ffmpeg = |version| Capability { version, ..Capability::default() };
        let file = Source::File("/films/a.mp4".into());
        let of = |source: &Source, format: &str, still, version| {
            HeadStart::of(
                source,
                &Report { format: format.into(), still, ..Report::default() },
                &ffmpeg(version),
                false,
            )
        };
        assert_eq!(of(&file, "mov,mp4", false, (5, 1, 9)), HeadStart::Moved);
        assert_eq!(of(&file, "mov,mp4", false, (6, 0, 1)), HeadStart::Moved);
        assert_eq!(of(&file, "mov,mp4", false, (6, 1, 0)), HeadStart::Known);
        assert_eq!(of(&file, "avi", false, (5, 1, 9)), HeadStart::None);
        assert_eq!(of(&file, "avi", false, (9, 0, 2)), HeadStart::Known);
        assert_eq!(of(&file, "mov,mp4", false, (0, 0, 0)), HeadStart::None);
        assert_eq!(of(&file, "png_pipe", true, (5, 1, 9)), HeadStart::None);
        assert_eq!(of(&Source::Test, "lavfi", false, (5, 1, 9)), HeadStart::None);
        let copied = |version| HeadStart::of(&file, &Report::default(), &ffmpeg(version), true);
        assert_eq!((copied((5, 1, 9)), copied((9, 0, 2))), (HeadStart::Past, HeadStart::Known));
        let live = Source::Url("rtmp://h/live/x".parse().unwrap());
        assert_eq!(of(&live, "flv", false, (9, 0, 2)), HeadStart::None);
    }
}
