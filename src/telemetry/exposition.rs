//! Prometheus' text form (version 0.0.4), written: names, labels with their escapes, numbers. Pure.

use std::fmt::Write;

/// The content type of the form.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

/// A page of metrics while it is written.
#[derive(Clone, Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// An empty page.
    pub fn new() -> Page {
        Page::default()
    }

    /// What the next samples mean: `# HELP` and `# TYPE`.
    pub fn describe(&mut self, name: &str, kind: Kind, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.word());
    }

    /// A comment for people.
    pub fn comment(&mut self, text: &str) {
        let _ = writeln!(self.text, "# {text}");
    }

    /// A line without anything.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// One value.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        if !labels.is_empty() {
            self.text.push('{');
            for (at, (label, content)) in labels.iter().enumerate() {
                if at > 0 {
                    self.text.push(',');
                }
                let _ = write!(self.text, "{label}=\"");
                escape(content, &mut self.text);
                self.text.push('"');
            }
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", number(value));
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// A label's content: backslash, quote and line end are escaped (the form's own rule); other control characters, which
/// it allows, become the replacement character, since these pages are also read by people at terminals.
fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            other if other.is_control() => into.push('\u{fffd}'),
            other => into.push(other),
        }
    }
}

/// Whole numbers without a point, the others in full; what is no number as the form spells it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_the_form() {
        let mut page = Page::new();
        page.describe("a_total", Kind::Counter, "Things\\that\nhappened.");
        page.sample("a_total", &[("name", "x\"y\\z\n\u{1b}"), ("state", "ready")], 5.0);
        page.sample("b", &[], 0.25);
        page.blank();
        page.sample("c", &[], 1e15);
        page.sample("d", &[], f64::NAN);
        page.sample("e", &[], f64::INFINITY);
        assert_eq!(
            page.finish(),
            "# HELP a_total Things\\\\that\\nhappened.\n# TYPE a_total counter\n\
             a_total{name=\"x\\\"y\\\\z\\n\u{fffd}\",state=\"ready\"} 5\nb 0.25\n\nc 1000000000000000\nd NaN\ne +Inf\n"
        );
    }

    proptest! {
        #[test]
        fn any_label_stays_on_its_line(text in ".{0,60}") {
            let mut page = Page::new();
            page.sample("a", &[("b", &text)], 1.0);
            let page = page.finish();
            prop_assert_eq!(page.matches('\n').count(), 1);
            let ends = page.ends_with("\"} 1\n");
            prop_assert!(ends);
        }
    }
}
