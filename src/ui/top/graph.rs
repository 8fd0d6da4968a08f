//! Small graphs of block characters, and lines of pieces that each have a style.

use console::{measure_text_width, truncate_str};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One block for a share of a whole.
fn block(share: f64) -> char {
    let place = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
    BLOCKS.get(place).copied().unwrap_or('█')
}

/// The last values as blocks, the newest at the right; nothing where none is known. `most` is the top of the graph, or the
/// largest value if there is none.
pub fn spark(values: &[Option<f64>], most: Option<f64>, width: usize) -> String {
    let values = values.get(values.len().saturating_sub(width)..).unwrap_or_default();
    let largest = || values.iter().flatten().copied().fold(0.0, f64::max);
    let most = most.unwrap_or_else(largest);
    let mut graph = " ".repeat(width.saturating_sub(values.len()));
    graph.extend(values.iter().map(|value| match value {
        Some(value) if most > 0.0 => block(value / most),
        Some(_) => block(0.0),
        None => ' ',
    }));
    graph
}

/// A block for each core, at most `width`: of more only the busiest.
pub fn cores(percents: &[f64], width: usize) -> String {
    let mut shown = percents.to_vec();
    if shown.len() > width {
        shown.sort_by(|a, b| b.total_cmp(a));
        shown.truncate(width);
    }
    shown.iter().map(|percent| block(percent / 100.0)).collect()
}

/// A line of pieces with their ANSI styles.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<(String, &'static str)>);

impl Line {
    /// Adds a piece.
    pub fn add(&mut self, style: &'static str, text: impl Into<String>) {
        self.0.push((text.into(), style));
    }

    /// How wide it is.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| measure_text_width(text)).sum()
    }

    /// Adds a piece if there is room for the whole of it within `width` columns; whether there was.
    pub fn add_whole(&mut self, style: &'static str, text: impl Into<String>, width: usize) -> bool {
        let text = text.into();
        let fits = self.width().saturating_add(measure_text_width(&text)) <= width;
        if fits {
            self.add(style, text);
        }
        fits
    }

    /// The line within `width` columns.
    pub fn shown(&self, width: usize, color: bool) -> String {
        let mut line = String::new();
        let mut left = width;
        for (text, style) in &self.0 {
            if left == 0 {
                break;
            }
            let whole = measure_text_width(text) <= left;
            let text = if whole { text.as_str().into() } else { truncate_str(text, left, "…") };
            left = if whole { left.saturating_sub(measure_text_width(&text)) } else { 0 };
            if color && !style.is_empty() && !text.trim().is_empty() {
                line.push_str(&format!("\u{1b}[{style}m{text}\u{1b}[0m"));
            } else {
                line.push_str(&text);
            }
        }
        line.trim_end().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_are_as_wide_as_they_shall_be() {
        let values = [Some(0.0), None, Some(50.0), Some(100.0), Some(300.0)];
        assert_eq!(spark(&values, Some(100.0), 6), " ▁ ▅██");
        assert_eq!(spark(&values, None, 3), "▂▃█");
        assert_eq!(spark(&[Some(0.0); 3], None, 2), "▁▁");
        assert_eq!(spark(&[], None, 3), "   ");
        assert_eq!(
            (cores(&[0.0, 100.0, 40.0], 8), cores(&[0.0, 100.0, 40.0], 2)),
            ("▁█▄".into(), "█▄".into())
        );
    }

    #[test]
    fn lines_are_cut_by_what_can_be_seen() {
        let mut line = Line::default();
        line.add("1", "видео");
        line.add("", "  ");
        line.add("32", "漢字漢字");
        assert_eq!(line.shown(80, false), "видео  漢字漢字");
        assert_eq!(line.shown(12, true), "\u{1b}[1mвидео\u{1b}[0m  \u{1b}[32m漢字…\u{1b}[0m");
        assert_eq!(line.shown(5, false), "видео");
        assert_eq!(line.shown(0, true), "");
    }
}
