//! Tables: aligned columns on a terminal, cut to its width; elsewhere tabs, nothing cut, nothing coloured.

use crate::base::printable::printable;
use console::{measure_text_width, truncate_str};

/// Blanks between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    right: bool,
    least: Option<usize>,
}

impl Column {
    /// A column whose texts begin at its left edge and are never cut.
    pub const fn left(title: &'static str) -> Column {
        Column { title, right: false, least: None }
    }

    /// A column of numbers, aligned at its right edge and never cut.
    pub const fn right(title: &'static str) -> Column {
        Column { title, right: true, least: None }
    }

    /// As [`Column::left`], but cut where the terminal is narrow, down to `least` characters.
    pub const fn cut(title: &'static str, least: usize) -> Column {
        Column { title, right: false, least: Some(least) }
    }
}

/// One text in a table, with the ANSI style it has on a terminal with colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: &'static str,
}

impl Cell {
    /// A text without a style; nothing at all is shown as `-`, so that columns can be counted.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::styled(text, "")
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A text with a style.
    pub fn styled(text: impl Into<String>, style: &'static str) -> Cell {
        let text = printable(&text.into());
        Cell { text: if text.is_empty() { "-".to_string() } else { text }, style }
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Tabs between the columns.
    Tabs,
    /// Aligned, at most `width` characters a line.
    Terminal {
        /// Of the terminal, in characters.
        width: usize,
        /// Whether styles are written.
        color: bool,
    },
}

/// Rows under a line of titles.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub fn row(&mut self, mut cells: Vec<Cell>) {
        cells.resize_with(self.columns.len(), || Cell::plain(""));
        self.rows.push(cells);
    }

    /// The lines, titles first.
    pub fn lines(&self, layout: Layout) -> Vec<String> {
        let titles: Vec<Cell> = self.columns.iter().map(|c| Cell::styled(c.title, "1")).collect();
        let all = std::iter::once(&titles).chain(&self.rows);
        match layout {
            Layout::Tabs => {
                all.map(|row| row.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join("\t")).collect()
            }
            Layout::Terminal { width, color } => {
                let widths = self.widths(&titles, width);
                all.map(|row| self.line(row, &widths, width, color)).collect()
            }
        }
    }

    /// Widths that fit into the terminal where that is possible: the widest column that may be cut loses first.
    fn widths(&self, titles: &[Cell], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = titles.iter().map(|c| measure_text_width(&c.text)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(measure_text_width(&cell.text));
            }
        }
        let gaps = GAP.saturating_mul(widths.len().saturating_sub(1));
        let mut surplus = widths.iter().sum::<usize>().saturating_add(gaps).saturating_sub(width);
        while surplus > 0 {
            let next = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(now, column)| column.least.is_some_and(|least| **now > least))
                .max_by_key(|(now, _)| **now);
            let Some((now, _)) = next else { break };
            *now = now.saturating_sub(1);
            surplus = surplus.saturating_sub(1);
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], width: usize, color: bool) -> String {
        let mut line = String::new();
        let mut used = 0usize;
        let last = row.len().saturating_sub(1);
        for (at, ((cell, column), room)) in row.iter().zip(&self.columns).zip(widths).enumerate() {
            let gap = if at == 0 { 0 } else { GAP };
            let left = width.saturating_sub(used).saturating_sub(gap);
            if left == 0 {
                break;
            }
            let room = (*room).min(left);
            let text = truncate_str(&cell.text, room, "…");
            let blanks = " ".repeat(room.saturating_sub(measure_text_width(&text)));
            let shown = if color && !cell.style.is_empty() {
                format!("\u{1b}[{}m{text}\u{1b}[0m", cell.style)
            } else {
                text.to_string()
            };
            line.push_str(&" ".repeat(gap));
            if column.right {
                line.push_str(&blanks);
                line.push_str(&shown);
            } else {
                line.push_str(&shown);
                if at != last {
                    line.push_str(&blanks);
                }
            }
            used = used.saturating_add(gap).saturating_add(room);
        }
        line.trim_end().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        let columns = [Column::cut("NAME", 4), Column::right("N"), Column::cut("FROM", 4)];
        let mut table = Table::new(&columns);
        table.row(vec![Cell::plain("a"), Cell::plain("5"), Cell::styled("here", "32")]);
        table.row(vec![Cell::plain("a-long-name"), Cell::plain("1000"), Cell::plain("")]);
        table
    }

    #[test]
    fn aligned_on_a_terminal() {
        let lines = table().lines(Layout::Terminal { width: 80, color: false });
        assert_eq!(lines, ["NAME            N  FROM", "a               5  here", "a-long-name  1000  -"]);
        let lines = table().lines(Layout::Terminal { width: 80, color: true });
        assert_eq!(lines.get(1).unwrap(), "a               5  \u{1b}[32mhere\u{1b}[0m");
    }

    #[test]
    fn tabs_elsewhere_and_nothing_is_cut() {
        let lines = table().lines(Layout::Tabs);
        assert_eq!(lines, ["NAME\tN\tFROM", "a\t5\there", "a-long-name\t1000\t-"]);
        let mut table = Table::new(&[Column::cut("A", 1), Column::left("B")]);
        table.row(vec![Cell::plain("x\ty\u{1b}[2J"), Cell::plain("n".repeat(500))]);
        let line = table.lines(Layout::Tabs).pop().unwrap();
        assert_eq!((line.matches('\t').count(), line.contains('\u{1b}'), line.len() > 500), (1, false, true));
    }

    #[test]
    fn the_widest_loses_first_on_a_narrow_terminal() {
        let lines = table().lines(Layout::Terminal { width: 18, color: false });
        assert_eq!(lines, ["NAME       N  FROM", "a          5  here", "a-lon…  1000  -"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            names in prop::collection::vec("\\PC{0,40}", 0..6), width in 1usize..60, color in any::<bool>()
        ) {
            let mut table = Table::new(&[Column::cut("NAME", 4), Column::right("SIZE"), Column::left("FROM")]);
            for name in names {
                table.row(vec![Cell::plain(name.clone()), Cell::styled("1", "32"), Cell::plain(name)]);
            }
            for line in table.lines(Layout::Terminal { width, color }) {
                prop_assert!(measure_text_width(&console::strip_ansi_codes(&line)) <= width, "{:?}", line);
            }
        }
    }
}
