//! Draws a block of lines again and again in the same place: each frame is one write, lines are overwritten rather
//! than cleared first, so nothing flickers, and what was on the screen above stays.

use console::{measure_text_width, truncate_str};
use std::io::{self, Write};

/// A block that is redrawn on a terminal; elsewhere frames follow each other, with a blank line between.
pub struct Redraw {
    terminal: bool,
    drawn: usize,
    any: bool,
}

impl Redraw {
    /// A block on stdout that has not been drawn yet.
    pub fn new(terminal: bool) -> Redraw {
        Redraw { terminal, drawn: 0, any: false }
    }

    /// Draws the block. Lines are cut to the width of the terminal, the block to its height.
    ///
    /// # Errors
    /// What stdout says, a broken pipe included.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let frame = if self.terminal {
            let (rows, columns) = console::Term::stdout().size_checked().unwrap_or((24, 80));
            self.frame(lines, rows.into(), columns.into())
        } else {
            let mut frame = if self.any { "\n".to_string() } else { String::new() };
            for line in lines {
                frame.push_str(line);
                frame.push('\n');
            }
            frame
        };
        self.any = true;
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    fn frame(&mut self, lines: &[String], rows: usize, columns: usize) -> String {
        let room = rows.saturating_sub(1).max(1);
        let mut shown: Vec<String> = lines
            .iter()
            .take(room)
            .map(|line| match measure_text_width(line) > columns {
                true => truncate_str(line, columns, "…").into_owned(),
                false => line.clone(),
            })
            .collect();
        if lines.len() > room
            && let Some(last) = shown.last_mut()
        {
            *last = format!("… {} more lines", lines.len() + 1 - room);
        }
        let mut frame = String::new();
        // A terminal that was made smaller has scrolled what was drawn: never go up further than it is high.
        let up = self.drawn.min(room);
        if up > 0 {
            frame.push_str(&format!("\u{1b}[{up}F"));
        }
        for line in &shown {
            frame.push_str(line);
            frame.push_str("\u{1b}[0m\u{1b}[K\r\n");
        }
        frame.push_str("\u{1b}[J");
        self.drawn = shown.len();
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("line {i}")).collect()
    }

    #[test]
    fn goes_up_by_what_was_drawn_before() {
        let mut block = Redraw::new(true);
        assert!(!block.frame(&lines(3), 24, 80).contains('F'));
        assert!(block.frame(&lines(2), 24, 80).starts_with("\u{1b}[3F"));
        assert!(block.frame(&lines(2), 24, 80).starts_with("\u{1b}[2F"));
    }

    #[test]
    fn fits_the_terminal() {
        let mut block = Redraw::new(true);
        let frame = block.frame(&lines(50), 10, 6);
        assert_eq!(frame.matches("\r\n").count(), 9);
        assert!(frame.contains("… 42 more lines"));
        assert!(frame.contains("line …") || frame.contains("line 0"), "{frame}");
        let frame = block.frame(&["\u{1b}[31mwide as a house\u{1b}[0m".to_string()], 10, 6);
        assert!(frame.contains("wide …"), "{frame}");
    }
}
