//! What a publish shows: while it waits a line for each rendition, in the foreground a live display.

use super::{Console, units};
use crate::base::{Failure, Outcome, clock, printable::printable};
use crate::model::State;
use crate::process::run_record::RunRecord;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How often a foreground publish without a terminal says how it is doing.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Progress on the way to the first bytes. Draws on stderr, on a terminal only; elsewhere it is silent.
pub struct Waiting {
    lines: Option<Lines>,
}

struct Lines {
    all: MultiProgress,
    head: ProgressBar,
    renditions: Vec<(String, ProgressBar)>,
}

impl Waiting {
    /// Begins; `key` is what is waited for.
    pub fn begin(console: &Console, key: &str) -> Waiting {
        if !console.err_terminal || console.quiet {
            return Waiting { lines: None };
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let head = all.add(ProgressBar::new_spinner());
        let template = if console.color_err {
            "{spinner:.cyan} {msg} {elapsed:.dim}"
        } else {
            "{spinner} {msg} {elapsed}"
        };
        head.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        head.enable_steady_tick(Duration::from_millis(120));
        head.set_message(format!("{key}: starting"));
        Waiting { lines: Some(Lines { all, head, renditions: Vec::new() }) }
    }

    /// Says what is waited for; false where nobody sees it.
    pub fn say(&self, text: &str) -> bool {
        if let Some(lines) = &self.lines {
            lines.head.set_message(printable(text));
        }
        self.lines.is_some()
    }

    /// Shows how each rendition is doing.
    pub fn update(&mut self, record: &RunRecord) {
        let Some(lines) = self.lines.as_mut() else { return };
        let waiting = record.renditions.iter().filter(|r| r.state != State::Live).count();
        let what = match (&record.reason, record.state) {
            (Some(reason), _) => reason.clone(),
            (None, State::Starting | State::Pending) => "waiting for the first bytes".into(),
            (None, state) => state.to_string(),
        };
        lines.head.set_message(format!(
            "{}: {} of {} live, {what}",
            record.key,
            record.renditions.len() - waiting,
            record.renditions.len()
        ));
        for rendition in &record.renditions {
            let known = lines.renditions.iter().position(|(label, _)| *label == rendition.label);
            let bar = match known.and_then(|at| lines.renditions.get(at)) {
                Some((_, bar)) => bar.clone(),
                None => {
                    let bar = lines.all.add(ProgressBar::new_spinner());
                    bar.set_style(
                        ProgressStyle::with_template("    {msg}")
                            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                    );
                    lines.renditions.push((rendition.label.clone(), bar.clone()));
                    bar
                }
            };
            let bytes = rendition.bytes_in.unwrap_or(0);
            let state = if rendition.state == State::Live { "live" } else { "waiting" };
            bar.set_message(format!("{:<16} {state:<8} {}", rendition.label, units::bytes(bytes)));
        }
    }

    /// Takes the lines off the screen.
    pub fn end(self) {
        if let Some(lines) = self.lines {
            for (_, bar) in &lines.renditions {
                bar.finish_and_clear();
            }
            lines.head.finish_and_clear();
            let _ = lines.all.clear();
        }
    }
}

/// The display of a foreground publish: redrawn in place on a terminal, a logfmt line every 30 s elsewhere.
pub struct Dashboard {
    terminal: Option<(MultiProgress, Vec<ProgressBar>)>,
    console: Console,
    last_line: Option<Instant>,
    last_state: Option<State>,
    unwritten: Option<Failure>,
}

impl Dashboard {
    /// Begins.
    pub fn begin(console: &Console) -> Dashboard {
        let terminal = (console.err_terminal && !console.quiet && !console.json)
            .then(|| (MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4)), Vec::new()));
        Dashboard { terminal, console: console.clone(), last_line: None, last_state: None, unwritten: None }
    }

    /// Shows the newest record.
    pub fn update(&mut self, record: &RunRecord) {
        if self.console.quiet {
            return;
        }
        let changed = self.last_state != Some(record.state);
        self.last_state = Some(record.state);
        if self.console.json {
            if changed || self.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
                self.last_line = Some(Instant::now());
                let state = serde_json::json!({"schema": "msconv.publish_state/1", "stream": record});
                // A full disk costs the report, not the stream.
                if let Err(failure) = self.console.object(&state) {
                    self.unwritten.get_or_insert(failure);
                }
            }
        } else if let Some((all, bars)) = self.terminal.as_mut() {
            let lines = display(record);
            while bars.len() < lines.len() {
                let bar = all.add(ProgressBar::new_spinner());
                bar.set_style(
                    ProgressStyle::with_template("{msg}")
                        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                );
                bars.push(bar);
            }
            for (bar, line) in bars.iter().zip(lines.iter().map(String::as_str).chain(std::iter::repeat("")))
            {
                bar.set_message(line.to_string());
                bar.tick();
            }
        } else if changed || self.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            self.last_line = Some(Instant::now());
            self.console.talk(&logfmt(record));
        }
    }

    /// Takes the display off the screen.
    ///
    /// # Errors
    /// Internal, if stdout could not take a report.
    pub fn end(self) -> Outcome<()> {
        if let Some((all, bars)) = self.terminal {
            bars.iter().for_each(ProgressBar::finish_and_clear);
            let _ = all.clear();
        }
        self.unwritten.map_or(Ok(()), Err)
    }
}

/// The lines of the display.
pub fn display(record: &RunRecord) -> Vec<String> {
    let now = clock::now_ms();
    let up = u64::try_from(now.saturating_sub(record.started_at_ms)).unwrap_or(0);
    let mut head = format!("{}  {}  {}", record.key, record.state, clock::uptime(Duration::from_millis(up)));
    if let Some(fps) = record.fps {
        head.push_str(&format!("  {fps:.1} fps"));
    }
    if let Some(speed) = record.speed {
        head.push_str(&format!("  speed {speed:.2}x"));
    }
    head.push_str(&format!("  dropped {}  restarts {}", record.dropped_frames, record.restarts));
    let mut lines = vec![head];
    for rendition in &record.renditions {
        let size = match rendition.size {
            (0, 0) => "audio".to_string(),
            (width, height) => format!("{width}x{height}"),
        };
        lines.push(format!(
            "  {:<16} {:<10} {:<9} {:>10} {:>10}  viewers {}",
            rendition.label,
            size,
            rendition.state,
            rendition.bitrate_bps.map_or_else(|| "-".into(), units::bitrate),
            rendition.bytes_in.map_or_else(|| "-".into(), units::bytes),
            rendition.viewers.map_or_else(|| "-".into(), |v| v.to_string()),
        ));
    }
    if let Some(reason) = &record.reason {
        lines.push(format!("  {}", printable(reason)));
    }
    lines
}

/// One line for logs: `time=... stream=stream1 state=live ...`.
pub fn logfmt(record: &RunRecord) -> String {
    let mut line =
        format!("time={} stream={} state={}", clock::rfc3339(clock::now_ms()), record.key, record.state);
    if let Some(fps) = record.fps {
        line.push_str(&format!(" fps={fps:.1}"));
    }
    if let Some(speed) = record.speed {
        line.push_str(&format!(" speed={speed:.2}"));
    }
    line.push_str(&format!(" dropped={} restarts={}", record.dropped_frames, record.restarts));
    for rendition in &record.renditions {
        if let Some(bps) = rendition.bitrate_bps {
            line.push_str(&format!(" {}_bps={bps}", rendition.label));
        }
    }
    let viewers: u64 = record.renditions.iter().filter_map(|r| r.viewers).sum();
    line.push_str(&format!(" viewers={viewers}"));
    if let Some(reason) = &record.reason {
        line.push_str(&format!(" reason=\"{}\"", printable(reason).replace('"', "'")));
    }
    line
}
