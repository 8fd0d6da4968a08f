//! The series of one page while they are gathered, in whatever order, and how they are written. Pure.

use super::names::{ALL, Metric};
use crate::base::printable::bounded;
use crate::telemetry::exposition::Page;
use std::collections::{BTreeMap, BTreeSet};

/// Longest content of a label, in characters.
pub const LONGEST_LABEL: usize = 128;

/// Text from outside as a label shows it: one line, bounded, without characters that hide.
pub fn label(text: &str) -> String {
    bounded(text, LONGEST_LABEL)
}

/// The series of one page.
#[derive(Debug, Default)]
pub struct Sheet {
    rows: BTreeMap<&'static str, Vec<(Vec<String>, f64)>>,
    seen: BTreeSet<(&'static str, Vec<String>)>,
}

impl Sheet {
    /// Adds a value. `labels` are the contents of the metric's labels, in their order. A second value of the same
    /// series is ignored: one doubled series would make Prometheus refuse the whole page.
    pub fn add(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels: Vec<String> = labels.iter().map(|text| label(text)).collect();
        if self.seen.insert((metric.name, labels.clone())) {
            self.rows.entry(metric.name).or_default().push((labels, value));
        }
    }

    /// Adds a value that may not be known.
    pub fn add_known(&mut self, metric: &Metric, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            self.add(metric, labels, value);
        }
    }

    /// The page in Prometheus' text form. Every metric is described, also one that has no series now.
    pub fn page(self) -> String {
        let mut page = Page::new();
        for metric in ALL {
            page.describe(metric.name, metric.kind, metric.help);
            for (contents, value) in self.rows.get(metric.name).into_iter().flatten() {
                let labels: Vec<(&str, &str)> =
                    metric.labels.iter().copied().zip(contents.iter().map(String::as_str)).collect();
                page.sample(metric.name, &labels, *value);
            }
        }
        page.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::{COLLECT, RENDITION_VIEWERS};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_doubled_series_is_written_once_and_labels_are_bounded() {
        let mut sheet = Sheet::default();
        let long = "x".repeat(5000);
        sheet.add(&RENDITION_VIEWERS, &["live", &long, "720p"], 1.0);
        sheet.add(&RENDITION_VIEWERS, &["live", &format!("{long}y"), "720p"], 2.0);
        sheet.add(&RENDITION_VIEWERS, &["live", "a\u{1b}\"\\\n\u{202e}b", "720p"], 3.0);
        sheet.add_known(&COLLECT, &[], Some(f64::NAN));
        let page = sheet.page();
        assert_eq!(page.matches("msconv_rendition_viewers{").count(), 2, "{page}");
        assert!(page.contains("stream=\"a\u{fffd}\\\"\\\\ \u{fffd}b\""), "{page}");
        assert!(page.lines().all(|line| line.len() < 1000));
        assert!(!page.contains("NaN"));
    }

    proptest! {
        #[test]
        fn hostile_names_keep_the_form(names in proptest::collection::vec(".{0,40}", 0..20)) {
            let mut sheet = Sheet::default();
            for name in &names {
                sheet.add(&RENDITION_VIEWERS, &["live", name, "original"], 1.0);
            }
            let page = sheet.page();
            let series: Vec<&str> = page.lines().filter(|l| l.starts_with("msconv_rendition_viewers{")).collect();
            let unique: BTreeSet<&&str> = series.iter().collect();
            prop_assert_eq!(unique.len(), series.len());
            prop_assert!(page.lines().all(|l| l.starts_with("# ") || l.starts_with("msconv_")), "{}", page);
        }
    }
}
