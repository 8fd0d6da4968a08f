//! Reading `-progress`: blocks of `name=value` lines, each ended by `progress=continue` or `progress=end`.
//!
//! ffmpeg writes its rates as averages since the start, which hide what happens now: whoever wants a rate takes the
//! difference of two blocks.

/// One block. Fields that ffmpeg did not know (`N/A`) or did not write are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Frames encoded so far, of the first picture output.
    pub frame: Option<u64>,
    /// Frames a second, averaged since the start.
    pub fps_avg: Option<f64>,
    /// Time stamp reached, in microseconds; may be negative at first.
    pub out_time_us: Option<i64>,
    /// Speed against real time, averaged since the start.
    pub speed: Option<f64>,
    /// Frames dropped so far.
    pub dropped: Option<u64>,
    /// Frames repeated so far.
    pub dup: Option<u64>,
    /// Bytes written; unknown behind `tee`.
    pub total_size: Option<u64>,
    /// Whether ffmpeg says that this was its last block.
    pub end: bool,
}

/// Longest line that is looked at, in bytes; ffmpeg's have under 40.
const LONGEST_LINE: usize = 400;

/// Reads blocks line by line. A broken line loses its own field, nothing else.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    block: Progress,
}

impl Parser {
    /// Takes one line, with or without its line break. Gives the block that it ended.
    pub fn push_line(&mut self, line: &str) -> Option<Progress> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let (name, value) = line.trim().split_once('=')?;
        let value = value.trim();
        let block = &mut self.block;
        match name.trim() {
            "frame" => block.frame = value.parse().ok(),
            "fps" => block.fps_avg = number(value),
            // `out_time_ms` holds microseconds too, by an old mistake; versions before 4.1 have nothing else.
            "out_time_us" => block.out_time_us = value.parse().ok(),
            "out_time_ms" => block.out_time_us = block.out_time_us.or_else(|| value.parse().ok()),
            "speed" => block.speed = number(value.trim_end_matches('x')),
            "drop_frames" => block.dropped = value.parse().ok(),
            "dup_frames" => block.dup = value.parse().ok(),
            "total_size" => block.total_size = value.parse().ok(),
            "progress" => {
                block.end = value == "end";
                return Some(std::mem::take(block));
            }
            _ => {}
        }
        None
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(text: &str) -> Vec<Progress> {
        let mut parser = Parser::default();
        text.lines().filter_map(|line| parser.push_line(line)).collect()
    }

    #[test]
    fn reads_what_ffmpeg_writes() {
        let tee = blocks(include_str!("../../tests/data/ffmpeg_progress/5.1.9-tee-four-renditions.txt"));
        assert!(tee.len() >= 3);
        assert!(tee.windows(2).all(|w| w[0].frame < w[1].frame && w[0].out_time_us < w[1].out_time_us));
        let last = tee.last().unwrap();
        assert!(last.end && last.total_size.is_none() && last.dropped == Some(0));
        let copy = blocks(include_str!("../../tests/data/ffmpeg_progress/5.1.9-copy.txt"));
        assert!(copy.iter().all(|b| b.out_time_us.is_some()));
        let audio = blocks(include_str!("../../tests/data/ffmpeg_progress/5.1.9-sound-only.txt"));
        assert!(audio.iter().all(|b| b.frame.is_none() && b.out_time_us.is_some()));
    }

    #[test]
    fn broken_lines_lose_only_themselves() {
        let read =
            blocks("frame=12\nfps=nan\nspeed=N/A\nout_time_us=-23220\ngarbage\n=\nprogress=continue\n");
        assert_eq!(read, [Progress { frame: Some(12), out_time_us: Some(-23_220), ..Progress::default() }]);
        assert_eq!(blocks("out_time_ms=5\nprogress=end")[0].out_time_us, Some(5));
    }

    proptest! {
        #[test]
        fn any_lines_are_taken(lines in proptest::collection::vec("\\PC{0,60}|(frame|fps|out_time_us|speed|progress)=[-0-9.naNinf]{0,24}", 0..40)) {
            let mut parser = Parser::default();
            for line in &lines {
                let _ = parser.push_line(line);
            }
        }
    }
}
