//! Frame rates as exact fractions, and which rate a publish encodes.

use std::fmt;

/// Frames per second as a fraction; both parts non-zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    num: u32,
    den: u32,
}

/// Above this a rate is divided, and at most [`CALM`] may remain.
const FAST: f64 = 31.0;
/// What a divided rate may not pass (a little above 30 for rates like 30.02).
const CALM: f64 = 30.05;

/// Below this a rate is multiplied: encoders hold back a number of frames, and at one picture a second these are many
/// seconds. Repeated frames cost next to nothing.
const SLOW: f64 = 8.0;
/// Above this the finest step of a variable rate is no rate but the clock of the container.
const CLOCK: f64 = 241.0;

/// Rates that people and cameras mean; what a variable rate becomes.
const USUAL: [(u32, u32); 14] = [
    (5, 1),
    (10, 1),
    (12, 1),
    (15, 1),
    (20, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

/// Further rates that a source may well have, but that a variable one does not become.
const RARER: [(u32, u32); 5] = [(6, 1), (8, 1), (25, 2), (16, 1), (18, 1)];

impl Rate {
    /// A rate of `num/den`; `None` if it is outside 0.01 to 1000.
    pub fn new(num: u32, den: u32) -> Option<Rate> {
        if num == 0 || den == 0 {
            return None;
        }
        let rate = Rate { num, den }.reduced();
        (0.01..=1000.0).contains(&rate.value()).then_some(rate)
    }

    /// A rate as ffprobe writes it: `30000/1001`, `25/1`, `25`. `0/0` is `None`.
    pub fn parse(text: &str) -> Option<Rate> {
        let (num, den) = text.split_once('/').unwrap_or((text, "1"));
        Rate::new(num.trim().parse().ok()?, den.trim().parse().ok()?)
    }

    /// The fraction that a number means: 29.97 is 30000/1001, 23.976 is 24000/1001.
    pub fn meaning(value: f64) -> Option<Rate> {
        if !(0.01..=1000.0).contains(&value) {
            return None;
        }
        let whole = (value * 1.001).round();
        if (value - value.round()).abs() > 0.001 && (value - whole / 1.001).abs() < 0.006 && whole >= 1.0 {
            return Rate::new((whole as u32).checked_mul(1000)?, 1001);
        }
        Rate::new((value * 1000.0).round() as u32, 1000)
    }

    /// Frames per second.
    pub fn value(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// As ffmpeg's options want it: `25` or `30000/1001`.
    pub fn argument(self) -> String {
        if self.den == 1 { self.num.to_string() } else { format!("{}/{}", self.num, self.den) }
    }

    /// The usual rate that this is, written exactly: metadata have 989/33 for 30000/1001. What is counted over a few frames
    /// seldom hits one by chance.
    fn usual(self) -> Option<Rate> {
        self.nearest_usual(0.0003)
    }

    /// The usual rate nearest to this one, if it is no further than `share` of it. Whole numbers come first: a count over
    /// a few frames cannot tell 30 from 29.97.
    fn nearest_usual(self, share: f64) -> Option<Rate> {
        let all = USUAL.iter().chain(&RARER).map(|(num, den)| Rate { num: *num, den: *den });
        let near = all.filter(|usual| self.near(*usual, share));
        let off =
            |rate: &Rate| (rate.value() - self.value()).abs() + f64::from(u8::from(rate.den == 1001)) * 0.05;
        near.min_by(|a, b| off(a).total_cmp(&off(b)))
    }

    fn divided(self, by: u32) -> Option<Rate> {
        Rate::new(self.num, self.den.checked_mul(by)?)
    }

    fn multiplied(self, by: u32) -> Option<Rate> {
        Rate::new(self.num.checked_mul(by)?, self.den)
    }

    fn near(self, other: Rate, share: f64) -> bool {
        (self.value() - other.value()).abs() <= share * self.value().max(other.value())
    }

    fn reduced(self) -> Rate {
        let (mut a, mut b) = (self.num, self.den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Rate { num: self.num / a.max(1), den: self.den / a.max(1) }
    }
}

/// `30`, `29.97`, `23.976`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.value());
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.pad(if text.is_empty() { "0" } else { text })
    }
}

/// What is known of a picture's timing: the average rate and the finest step (`r_frame_rate`) that ffprobe saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Frames divided by duration.
    pub average: Option<Rate>,
    /// The lowest rate that can carry every time stamp exactly.
    pub real: Option<Rate>,
    /// Two fields to a picture: the real rate then counts fields.
    pub interlaced: bool,
}

impl Timing {
    /// Whether frames come at uneven distances.
    pub fn variable(&self) -> bool {
        match (self.average, self.real) {
            (Some(average), Some(real)) => {
                let fields = self.interlaced && real.near(Rate { num: average.num, den: average.den }, 0.6);
                !average.near(real, 0.005) && !fields
            }
            _ => false,
        }
    }

    /// The rate of a live source of which only the first frames were seen: what it says of itself (`average`) or what was
    /// counted (`real`), whichever is a usual rate. `None` if neither is, or both are and differ: then more frames have to
    /// be counted.
    ///
    /// Over RTMP the rate stands in the metadata or in the SPS, if it stands anywhere. Without both, ffprobe guesses from
    /// the frames that come before the first packet of audio, which are few where such a packet is long: 179/6 or 76/3
    /// for 30 and 25, or 1000, the clock of the container.
    pub fn told(&self) -> Option<Rate> {
        let usual = |rate: Option<Rate>| rate?.usual();
        match (usual(self.average), usual(self.real)) {
            (Some(average), Some(real)) => (average.near(real, 0.005) || self.interlaced).then_some(average),
            (average, real) => average.or(real),
        }
    }

    /// The rate where [`Timing::told`] gives none and no more frames will be counted: the count goes before the metadata,
    /// and what is near a usual rate is one.
    pub fn counted(&self) -> Option<Rate> {
        let rate = |rate: Option<Rate>| rate.filter(|rate| rate.value() <= CLOCK);
        let usual = |found: Option<Rate>| rate(found)?.nearest_usual(0.02);
        usual(self.real).or(usual(self.average)).or(rate(self.average)).or(rate(self.real))
    }

    /// The timing of a live source that was looked at for some seconds: an average of so few frames is off by one or two of
    /// them, which is no variable rate.
    pub fn within_a_look(self) -> Timing {
        match (self.average, self.real) {
            (Some(average), Some(real))
                if !self.interlaced && real.usual().is_some() && average.near(real, 0.04) =>
            {
                self.steady(Some(real))
            }
            _ => self,
        }
    }

    /// The timing of a source that keeps this rate.
    pub fn steady(self, rate: Option<Rate>) -> Timing {
        Timing { average: rate, real: rate, ..self }
    }

    /// The constant rate that this source has or is best shown at; `None` if ffprobe could not tell.
    pub fn constant(&self) -> Option<Rate> {
        let found = self.average.or(self.real)?;
        if !self.variable() {
            // An average of 24.98 over a short clip means the 25 that the real rate says.
            return Some(match self.real {
                Some(real) if found.near(real, 0.005) => real,
                _ => found,
            });
        }
        // A phone or a recorded screen: the finest step is the rate at which nothing is lost.
        if let Some(real) = self.real.filter(|real| real.value() <= CLOCK) {
            return Some(real);
        }
        let usual = USUAL.iter().find_map(|(num, den)| {
            let rate = Rate { num: *num, den: *den };
            (rate.value() >= found.value() * 0.99).then_some(rate)
        });
        Some(usual.unwrap_or(found))
    }
}

/// The rate to encode for a source of `timing`: what was asked for, else the source's own, divided by the smallest
/// whole number that brings a rate above 31 to 30 or less (60 becomes 30, 59.94 becomes 29.97, 48 becomes 24), and
/// multiplied by the smallest one that brings a rate under 8 to 8 or more. 25 where nothing is known.
pub fn wanted(timing: &Timing, asked: Option<f64>) -> Rate {
    let fallback = Rate { num: 25, den: 1 };
    if let Some(rate) = asked.and_then(Rate::meaning) {
        return rate;
    }
    let Some(source) = timing.constant() else { return fallback };
    if source.value() < SLOW {
        let times = (SLOW / source.value()).ceil() as u32;
        return source.multiplied(times).unwrap_or(fallback);
    }
    if source.value() <= FAST {
        return source;
    }
    (2..=64).filter_map(|by| source.divided(by)).find(|rate| rate.value() <= CALM).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timing(average: &str, real: &str) -> Timing {
        Timing { average: Rate::parse(average), real: Rate::parse(real), interlaced: false }
    }

    #[test]
    fn fast_rates_are_divided() {
        for (source, expected) in [
            ("48/1", "24"),
            ("50/1", "25"),
            ("60000/1001", "30000/1001"),
            ("60/1", "30"),
            ("120/1", "30"),
            ("240/1", "30"),
            ("30/1", "30"),
            ("31/1", "31"),
            ("24000/1001", "24000/1001"),
            ("5/1", "10"),
            ("1/1", "8"),
            ("1/2", "8"),
        ] {
            assert_eq!(wanted(&timing(source, source), None).argument(), expected, "{source}");
        }
        assert_eq!(wanted(&timing("1/1", "1/1"), Some(1.0)).argument(), "1");
        assert_eq!(wanted(&timing("60/1", "60/1"), Some(60.0)).argument(), "60");
        assert_eq!(wanted(&timing("0/0", "0/0"), None).argument(), "25");
    }

    #[test]
    fn variable_rates_become_usual_ones() {
        assert_eq!(wanted(&timing("2983/100", "30/1"), None).argument(), "30");
        assert_eq!(wanted(&timing("2983/100", "120/1"), None).argument(), "30");
        assert_eq!(wanted(&timing("21/1", "30/1"), None).argument(), "30");
        assert_eq!(wanted(&timing("123/10", "1000/1"), None).argument(), "15");
        assert!(timing("123/10", "1000/1").variable());
        assert!(!timing("2498/100", "25/1").variable());
        assert_eq!(wanted(&timing("2498/100", "25/1"), None).argument(), "25");
        let fields = Timing { interlaced: true, ..timing("25/1", "50/1") };
        assert!(!fields.variable());
        assert_eq!(wanted(&fields, None).argument(), "25");
    }

    #[test]
    fn a_live_source_says_its_rate_or_is_counted() {
        for (average, real, told) in [
            // What 8 kHz of audio left ffprobe to guess from.
            ("25/1", "76/3", Some("25")),
            ("30/1", "179/6", Some("30")),
            ("25/1", "1000/1", Some("25")),
            ("30000/1001", "1000/1", Some("30000/1001")),
            ("2997/100", "1000/1", Some("30000/1001")),
            ("989/33", "1000/1", Some("30000/1001")),
            ("25/2", "1000/1", Some("25/2")),
            ("0/0", "25/1", Some("25")),
            ("0/0", "1000/1", None),
            ("179/6", "179/6", None),
            ("30/1", "15/1", None),
        ] {
            assert_eq!(timing(average, real).told().map(Rate::argument).as_deref(), told, "{average} {real}");
        }
        for (average, real, counted) in [
            ("30/1", "15/1", Some("15")),
            ("179/6", "179/6", Some("30")),
            ("0/0", "1000/1", None),
            ("7/1", "1000/1", Some("7")),
            ("2996/100", "0/0", Some("30")),
        ] {
            let found = timing(average, real).counted().map(Rate::argument);
            assert_eq!(found.as_deref(), counted, "{average} {real}");
        }
        let fields = Timing { interlaced: true, ..timing("25/1", "50/1") };
        assert_eq!(fields.told().map(Rate::argument).as_deref(), Some("25"));
        assert!(!timing("304/12", "25/1").within_a_look().variable());
        assert!(timing("21/1", "30/1").within_a_look().variable());
    }

    #[test]
    fn a_number_means_a_fraction() {
        for (value, text, shown) in [
            (29.97, "30000/1001", "29.97"),
            (23.976, "24000/1001", "23.976"),
            (59.94, "60000/1001", "59.94"),
            (25.0, "25", "25"),
            (12.5, "25/2", "12.5"),
        ] {
            let rate = Rate::meaning(value).unwrap();
            assert_eq!((rate.argument().as_str(), rate.to_string().as_str()), (text, shown));
        }
        assert_eq!(Rate::meaning(f64::NAN), None);
        assert_eq!(Rate::meaning(-1.0), None);
    }

    proptest! {
        #[test]
        fn any_fractions_give_a_rate(a in any::<u32>(), b in any::<u32>(), c in any::<u32>(), d in any::<u32>(), interlaced: bool) {
            let timing = Timing { average: Rate::new(a, b), real: Rate::new(c, d), interlaced };
            for rate in [timing.told(), timing.counted()].into_iter().flatten() {
                prop_assert!(rate.value() > 0.0);
            }
            let _ = timing.within_a_look().variable();
            let rate = wanted(&timing, None);
            prop_assert!(rate.value() > 0.0 && rate.value() <= FAST);
            prop_assert_eq!(Rate::parse(&rate.argument()), Some(rate));
        }

        #[test]
        fn any_text_is_a_rate_or_not(text in "\\PC{0,30}") {
            let _ = Rate::parse(&text);
        }
    }
}
