//! The ordered set of rungs, and its text form `label:bitrate:width:height,...`.

use super::rung::{Label, Rung, parse_bitrate};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most rungs in one ladder.
pub const MOST_RUNGS: usize = 12;
/// What is published when nothing is said.
pub const DEFAULT: &str = "1080p:4000k:1920:1080,720p:2500k:1280:720,480p:1200k:854:480,360p:600k:640:360";

/// 1 to 12 rungs with unique labels, highest bitrate first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ladder {
    rungs: Vec<Rung>,
}

/// What is wrong with a ladder's text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The sentence, naming item and field.
    pub what: String,
    /// A repaired item where one is plain to see.
    pub suggestion: Option<String>,
    /// The text as given.
    pub text: String,
    /// Where the mistake stands, in characters from the start, and its length.
    pub at: (usize, usize),
}

impl Error {
    /// The text with a caret under the mistake, cut to a window that fits a terminal.
    pub fn caret(&self) -> String {
        let (start, length) = self.at;
        let from = start.saturating_sub(40);
        let window: String = self.text.chars().skip(from).take(100).collect();
        let window = window.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
        let room = window.chars().count().saturating_sub(start - from).max(1);
        format!("{window}\n{}{}", " ".repeat(start - from), "^".repeat(length.clamp(1, room)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl Ladder {
    /// The rungs, highest bitrate first.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The labels, in the same order.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.rungs.iter().map(|r| &r.label)
    }
}

impl Default for Ladder {
    fn default() -> Ladder {
        DEFAULT.parse().expect("the default ladder is valid, as its test shows")
    }
}

/// One field of an item: its text and where it begins in the whole, in characters.
struct Field<'a> {
    text: &'a str,
    start: usize,
}

impl Field<'_> {
    fn span(&self) -> (usize, usize) {
        (self.start, self.text.chars().count())
    }
}

impl FromStr for Ladder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Ladder, Error> {
        let fail = |what: String, at: (usize, usize), suggestion: Option<String>| Error {
            what,
            suggestion,
            text: text.chars().take(4096).collect(),
            at,
        };
        if text.trim().is_empty() {
            return Err(fail("the list of variants is empty".into(), (0, 1), None));
        }
        let mut rungs: Vec<Rung> = Vec::new();
        let mut start = 0;
        for (index, item) in text.split(',').enumerate() {
            let number = index + 1;
            let length = item.chars().count();
            if number > MOST_RUNGS {
                let all = text.split(',').count();
                return Err(fail(
                    format!("{all} variants; at most {MOST_RUNGS} are possible"),
                    (start, length),
                    None,
                ));
            }
            let rung = rung(item, start)
                .map_err(|(what, at, near)| fail(format!("item {number}, {what}"), at, near))?;
            if rungs.iter().any(|r| r.label == rung.label) {
                let what = format!("item {number}, label: '{}' stands twice", rung.label);
                return Err(fail(what, (start, rung.label.as_str().len()), None));
            }
            rungs.push(rung);
            start += length + 1;
        }
        rungs.sort_by_key(|r| (std::cmp::Reverse(r.bitrate_bps), std::cmp::Reverse(r.area())));
        Ok(Ladder { rungs })
    }
}

type Mistake = (String, (usize, usize), Option<String>);

/// Reads one item that begins at character `start` of the list.
fn rung(item: &str, start: usize) -> Result<Rung, Mistake> {
    if item.trim().is_empty() {
        return Err((format!("empty: {SHAPE}"), (start, 1), None));
    }
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut at = start;
    for text in item.split(':') {
        fields.push(Field { text, start: at });
        at += text.chars().count() + 1;
    }
    let [label, bitrate, width, height] = fields.as_slice() else {
        return Err((
            format!("'{item}' has {} of 4 fields: {SHAPE}", fields.len()),
            (start, item.chars().count()),
            None,
        ));
    };
    let bitrate_bps =
        parse_bitrate(bitrate.text).map_err(|e| (format!("bitrate: {e}"), bitrate.span(), None))?;
    let name = label.text.parse::<Label>().map_err(|e| (format!("label: {e}"), label.span(), None))?;
    let side = |field: &Field<'_>, name: &str, other: &dyn Fn(u32) -> String| -> Result<u32, Mistake> {
        let wrong = |what: String, near| Err((format!("{name}: {what}"), field.span(), near));
        let text = field.text;
        if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return wrong(format!("'{text}' is not a whole number of pixels"), None);
        }
        match text.parse::<u32>() {
            Ok(n) if !(16..=8192).contains(&n) => wrong(format!("{n} is outside 16 to 8192"), None),
            Ok(n) if n % 2 == 1 => {
                wrong(format!("{n} is odd, and H.264 wants even sizes"), Some(other(n + 1)))
            }
            Ok(n) => Ok(n),
            Err(_) => wrong(format!("'{text}' is not a whole number of pixels"), None),
        }
    };
    let (l, b, w, h) = (label.text, bitrate.text, width.text, height.text);
    let width = side(width, "width", &|n| format!("{l}:{b}:{n}:{h}"))?;
    let height = side(height, "height", &|n| format!("{l}:{b}:{w}:{n}"))?;
    Ok(Rung { label: name, bitrate_bps, width, height })
}

const SHAPE: &str = "each is label:bitrate:width:height, like 720p:2500k:1280:720";

impl TryFrom<String> for Ladder {
    type Error = Error;
    fn try_from(text: String) -> Result<Ladder, Error> {
        text.parse()
    }
}

impl From<Ladder> for String {
    fn from(ladder: Ladder) -> String {
        ladder.to_string()
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rung) in self.rungs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{rung}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrong(text: &str) -> Error {
        text.parse::<Ladder>().expect_err(text)
    }

    #[test]
    fn the_default_is_four_rungs() {
        let labels: Vec<_> = Ladder::default().labels().map(|l| l.to_string()).collect();
        assert_eq!(labels, ["1080p", "720p", "480p", "360p"]);
        assert_eq!(Ladder::default().to_string(), DEFAULT);
    }

    #[test]
    fn points_at_the_mistake() {
        let error = wrong("720p:2500k:1280:720,480p:1200k:853:480");
        assert_eq!(error.what, "item 2, width: 853 is odd, and H.264 wants even sizes");
        assert_eq!(error.suggestion.as_deref(), Some("480p:1200k:854:480"));
        assert_eq!(
            error.caret(),
            "720p:2500k:1280:720,480p:1200k:853:480\n                               ^^^"
        );
    }

    #[test]
    fn refuses_each_way_to_be_wrong() {
        for (text, part) in [
            ("", "empty"),
            ("720p:2500k:1280:720,", "item 2, empty"),
            (",720p:2500k:1280:720", "item 1, empty"),
            ("720p:2500k:1280", "3 of 4 fields"),
            ("720p:2500k:1280:720:9", "5 of 4 fields"),
            ("72_0p:2500k:1280:720", "label"),
            ("original:2500k:1280:720", "reserved"),
            ("720p:0:1280:720", "outside 16k to 200M"),
            ("720p:fast:1280:720", "bitrate"),
            ("720p:2500k:0:720", "outside 16 to 8192"),
            ("720p:2500k:1280:9000", "outside 16 to 8192"),
            ("720p:2500k:-1280:720", "whole number"),
            ("720p:2500k:1280:99999999999", "whole number"),
            ("a:1M:16:16,a:1M:16:16", "stands twice"),
        ] {
            let error = wrong(text);
            assert!(error.what.contains(part), "{text}: {}", error.what);
            assert!(error.caret().contains('^'));
        }
        let many = (0..100).map(|n| format!("l{n}:1M:16:16")).collect::<Vec<_>>().join(",");
        assert!(wrong(&many).what.contains("at most 12"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_caret(text in "\\PC{0,200}") {
            match text.parse::<Ladder>() {
                Ok(ladder) => prop_assert_eq!(ladder.to_string().parse::<Ladder>().unwrap(), ladder),
                Err(error) => prop_assert!(error.caret().contains('^')),
            }
        }

        #[test]
        fn text_and_value_agree(
            items in proptest::collection::btree_map("[A-Za-z0-9]{1,7}p", (16u64..200_000, 8u32..4096, 8u32..4096), 1..12)
        ) {
            let text = items.iter().map(|(l, (b, w, h))| format!("{l}:{b}k:{}:{}", w * 2, h * 2)).collect::<Vec<_>>().join(",");
            let ladder: Ladder = text.parse().unwrap();
            prop_assert_eq!(ladder.rungs().len(), items.len());
            prop_assert!(ladder.rungs().windows(2).all(|w| w[0].bitrate_bps >= w[1].bitrate_bps));
            prop_assert_eq!(ladder.to_string().parse::<Ladder>().unwrap(), ladder);
        }
    }
}
