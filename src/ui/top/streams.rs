//! The streams as a table: sorted by a column, and with as many columns as there is room for.

use super::header::up;
use crate::base::printable::bounded;
use crate::platform::load::moment::StreamLoad;
use crate::ui::table::{Cell, Column, Layout, Table};
use crate::ui::units::bitrate;
use console::measure_text_width;
use std::cmp::Reverse;

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// What takes most of the processors first.
    Cpu,
    /// What brings most first.
    In,
    /// What sends most first.
    Out,
    /// What is watched most first.
    Viewers,
    /// The newest first.
    Newest,
}

impl Sort {
    /// The next one, round and round.
    pub fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Cpu,
            Sort::Cpu => Sort::In,
            Sort::In => Sort::Out,
            Sort::Out => Sort::Viewers,
            Sort::Viewers => Sort::Newest,
            Sort::Newest => Sort::Name,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Cpu => "CPU",
            Sort::In => "in",
            Sort::Out => "out",
            Sort::Viewers => "viewers",
            Sort::Newest => "newest",
        }
    }

    /// The streams in this order; what is the same stays in the order of names.
    pub fn sorted(self, streams: &[StreamLoad]) -> Vec<&StreamLoad> {
        let mut sorted: Vec<&StreamLoad> = streams.iter().collect();
        let tenths = |cpu: Option<f64>| cpu.map_or(0, |cpu| (cpu * 10.0) as u64);
        sorted.sort_by(|a, b| (&a.name, &a.application).cmp(&(&b.name, &b.application)));
        match self {
            Sort::Name => {}
            Sort::Cpu => sorted.sort_by_key(|stream| Reverse(tenths(stream.cpu_percent))),
            Sort::In => sorted.sort_by_key(|stream| Reverse(stream.in_bps)),
            Sort::Out => sorted.sort_by_key(|stream| Reverse(stream.out_bps)),
            Sort::Viewers => sorted.sort_by_key(|stream| Reverse(stream.viewers)),
            Sort::Newest => sorted.sort_by_key(|stream| stream.uptime_s.unwrap_or(0)),
        }
        sorted
    }
}

/// One column: its form, its texts, and how soon it goes where there is no room; 0 never.
struct Shown {
    column: Column,
    title: &'static str,
    goes: u8,
    cell: fn(&StreamLoad) -> Cell,
}

const fn shown(column: Column, title: &'static str, goes: u8, cell: fn(&StreamLoad) -> Cell) -> Shown {
    Shown { column, title, goes, cell }
}

const COLUMNS: [Shown; 11] = [
    shown(Column::cut("STREAM", 8), "STREAM", 0, |of| Cell::styled(bounded(&of.name, 64), "1")),
    shown(Column::left("STATE"), "STATE", 0, |of| Cell::styled(of.state.clone(), style(&of.state))),
    shown(Column::cut("VARIANTS", 8), "VARIANTS", 1, |of| Cell::plain(variants(&of.renditions))),
    shown(Column::right("CPU"), "CPU", 0, |of| {
        Cell::plain(of.cpu_percent.map(|cpu| format!("{cpu:.0} %")).unwrap_or_default())
    }),
    shown(Column::left("ENCODER"), "ENCODER", 2, |of| Cell::plain(of.encoder.clone().unwrap_or_default())),
    shown(Column::right("SPEED"), "SPEED", 6, |of| {
        let style = if of.speed.is_some_and(|speed| speed < 0.97) { "33" } else { "" };
        Cell::styled(of.speed.map(|speed| format!("{speed:.2}x")).unwrap_or_default(), style)
    }),
    shown(Column::right("DROPS"), "DROPS", 4, |of| Cell::plain(drops(of))),
    shown(Column::right("IN"), "IN", 5, |of| Cell::plain(bitrate(of.in_bps))),
    shown(Column::right("OUT"), "OUT", 7, |of| Cell::plain(bitrate(of.out_bps))),
    shown(Column::right("VIEWERS"), "VIEWERS", 0, |of| Cell::plain(of.viewers.to_string())),
    shown(Column::right("UP"), "UP", 3, |of| Cell::plain(of.uptime_s.map(up).unwrap_or_default())),
];

fn style(state: &str) -> &'static str {
    match state {
        "live" => "32",
        "failed" | "stalled" => "31",
        "finished" | "stopped" | "waiting" => "2",
        _ => "33",
    }
}

fn variants(labels: &[String]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| bounded(label, 16)).collect();
    match labels.get(..4) {
        Some(first) if labels.len() > 4 => format!("{} +{}", first.join(" "), labels.len().saturating_sub(4)),
        _ => labels.join(" "),
    }
}

/// Frames that were left out, by the encoder and for slow viewers.
fn drops(of: &StreamLoad) -> String {
    of.dropped_frames.unwrap_or(0).saturating_add(of.viewer_dropped_frames).to_string()
}

/// The lines of the table, titles first: every column where it is not cut.
pub fn table(streams: &[&StreamLoad], layout: Layout) -> Vec<String> {
    let columns = match layout {
        Layout::Tabs => COLUMNS.iter().collect(),
        Layout::Terminal { width, .. } => fitting(streams, width),
    };
    let mut table = Table::new(&columns.iter().map(|shown| shown.column).collect::<Vec<_>>());
    for stream in streams {
        table.row(columns.iter().map(|shown| (shown.cell)(stream)).collect());
    }
    table.lines(layout)
}

/// The columns for which there is room: those of least use go first. Names may be cut down to a few letters.
fn fitting(streams: &[&StreamLoad], width: usize) -> Vec<&'static Shown> {
    const NAME: usize = 16;
    let width_of = |shown: &Shown| {
        let cells = streams.iter().map(|stream| measure_text_width((shown.cell)(stream).text())).max();
        let widest = cells.unwrap_or(0).max(shown.title.len());
        if shown.title == "STREAM" { widest.min(NAME) } else { widest }
    };
    let mut columns: Vec<(&'static Shown, usize)> =
        COLUMNS.iter().map(|shown| (shown, width_of(shown))).collect();
    loop {
        let needed: usize = columns.iter().map(|(_, width)| width.saturating_add(2)).sum();
        let next = columns.iter().map(|(shown, _)| shown.goes).filter(|goes| *goes > 0).min();
        match next {
            Some(next) if needed > width.saturating_add(2) => columns.retain(|(shown, _)| shown.goes != next),
            _ => return columns.into_iter().map(|(shown, _)| shown).collect(),
        }
    }
}
