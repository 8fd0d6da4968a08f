//! Reading `-progress`: blocks of `name=value` lines, each ended by `progress=continue` or `progress=end`.
//!
//! ffmpeg writes its rates as averages since the start, which hide what happens now; [`Rates`] computes them from the
//! difference of two blocks instead.

use std::time::Duration;

/// One block. Fields that ffmpeg did not know (`N/A`) or did not write are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Pictures encoded so far, of the first picture output.
    pub frame: Option<u64>,
    /// Pictures a second, averaged since the start.
    pub fps_avg: Option<f64>,
    /// Time stamp reached, in microseconds; may be negative at first.
    pub out_time_us: Option<i64>,
    /// Speed against real time, averaged since the start.
    pub speed: Option<f64>,
    /// Pictures dropped so far.
    pub dropped: Option<u64>,
    /// Pictures repeated so far.
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

/// How fast the work goes now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Pictures a second.
    pub fps: Option<f64>,
    /// Speed against real time: 1.0 keeps up.
    pub speed: Option<f64>,
    /// Pictures dropped since the block before.
    pub dropped: u64,
}

/// Rates over the last few blocks. Time comes in as an argument: any monotonic clock's distance from a fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    window: std::collections::VecDeque<(Duration, Progress)>,
}

/// Blocks that a rate is taken over: at one a second, long enough that a frame more or less does not show.
const WINDOW: usize = 5;

impl Rates {
    /// Takes the block seen at `now`. `None` until two blocks are there, and after a block that runs backwards, which
    /// is a new start.
    pub fn push(&mut self, now: Duration, block: &Progress) -> Option<Rate> {
        let last = self.window.back();
        let backwards = last.is_some_and(|(then, before)| {
            now < *then || block.frame < before.frame || block.out_time_us < before.out_time_us
        });
        if backwards {
            self.window.clear();
        }
        let before = self.window.back().map_or(0, |(_, b)| b.dropped.unwrap_or(0));
        self.window.push_back((now, block.clone()));
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let (then, first) = self.window.front()?;
        let seconds = now.checked_sub(*then)?.as_secs_f64();
        if self.window.len() < 2 || seconds < 0.05 {
            return None;
        }
        let frames = block.frame.zip(first.frame).map(|(now, then)| now.saturating_sub(then) as f64);
        let media =
            block.out_time_us.zip(first.out_time_us).map(|(now, then)| now.saturating_sub(then) as f64);
        Some(Rate {
            fps: frames.map(|n| n / seconds),
            speed: media.map(|us| us / 1e6 / seconds),
            dropped: block.dropped.unwrap_or(0).saturating_sub(before),
        })
    }
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
        let sound = blocks(include_str!("../../tests/data/ffmpeg_progress/5.1.9-sound-only.txt"));
        assert!(sound.iter().all(|b| b.frame.is_none() && b.out_time_us.is_some()));
    }

    #[test]
    fn broken_lines_lose_only_themselves() {
        let read =
            blocks("frame=12\nfps=nan\nspeed=N/A\nout_time_us=-23220\ngarbage\n=\nprogress=continue\n");
        assert_eq!(read, [Progress { frame: Some(12), out_time_us: Some(-23_220), ..Progress::default() }]);
        assert_eq!(blocks("out_time_ms=5\nprogress=end")[0].out_time_us, Some(5));
    }

    #[test]
    fn rates_are_of_now() {
        let mut rates = Rates::default();
        let at = |frame: u64, seconds: u64| Progress {
            frame: Some(frame),
            out_time_us: Some(seconds as i64 * 1_000_000),
            dropped: Some(frame / 100),
            ..Progress::default()
        };
        assert_eq!(rates.push(Duration::from_secs(1), &at(25, 1)), None);
        for second in 2..10 {
            rates.push(Duration::from_secs(second), &at(25 * second, second));
        }
        // From now on at half the speed: after a window nothing is left of the old one.
        let mut rate = Rate::default();
        for second in 10..20 {
            let media = 9 + (second - 9) / 2;
            rate = rates.push(Duration::from_secs(second), &at(25 * media, media)).unwrap();
        }
        assert!((rate.speed.unwrap() - 0.5).abs() < 0.13, "{rate:?}");
        assert_eq!(rates.push(Duration::from_secs(20), &at(0, 0)), None, "a new start");
    }

    proptest! {
        #[test]
        fn any_lines_are_taken(lines in proptest::collection::vec("\\PC{0,60}|(frame|fps|out_time_us|speed|progress)=[-0-9.naNinf]{0,24}", 0..40), times in proptest::collection::vec(any::<u32>(), 40)) {
            let mut parser = Parser::default();
            let mut rates = Rates::default();
            for (line, time) in lines.iter().zip(times) {
                if let Some(block) = parser.push_line(line) {
                    let _ = rates.push(Duration::from_millis(u64::from(time)), &block);
                }
            }
        }
    }
}
