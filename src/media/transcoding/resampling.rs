//! Brings samples to 48 kHz by a bank of filters, one for each place that a sample of 48 kHz can have between two of the
//! source (polyphase FIR, Kaiser window). Nothing is moved in time: what a filter must see of later samples is waited for.

use super::{OPUS_RATE, Planes};

/// Taps where the rate goes up; where it goes down they grow with the rate.
const TAPS: f64 = 48.0;
/// The window's shape: 70 dB beyond the transition.
const BETA: f64 = 6.76;

/// See the first line. For 48 kHz it hands over what it gets.
pub(super) struct Resampling {
    /// A second has `up` samples here for each `down` samples of the source.
    up: usize,
    down: usize,
    taps: usize,
    /// `up` filters of `taps` taps.
    bank: Vec<f32>,
    /// What the next filter may see, for each channel.
    seen: Planes,
    /// Where the next filter begins in `seen`, and which one it is.
    at: usize,
    phase: usize,
}

impl Resampling {
    /// From `rate` samples a second, which is not 0.
    pub(super) fn new(rate: u32, channels: usize) -> Resampling {
        let common = common_divisor(rate.max(1), OPUS_RATE);
        let (up, down) = ((OPUS_RATE / common) as usize, (rate.max(1) / common) as usize);
        let slower = (down as f64 / up as f64).max(1.0);
        let taps = ((TAPS * slower / 8.0).ceil() as usize) * 8;
        let bank = if up == down { Vec::new() } else { bank(up, taps, 1.0 / slower) };
        let mut made = Resampling { up, down, taps, bank, seen: Planes::new(channels), at: 0, phase: 0 };
        made.reset();
        made
    }

    /// What comes next does not follow upon what came before; its first sample is the first that comes out.
    pub(super) fn reset(&mut self) {
        self.seen.clear();
        // The middle of the first filter stands at the first sample.
        self.seen.append_silence(if self.up == self.down { 0 } else { self.taps / 2 - 1 });
        (self.at, self.phase) = (0, 0);
    }

    /// Appends what can be worked out now to `out`.
    pub(super) fn push(&mut self, samples: &Planes, out: &mut Planes) {
        if self.up == self.down {
            for (plane, more) in out.0.iter_mut().zip(&samples.0) {
                plane.extend_from_slice(more);
            }
            return;
        }
        for (plane, more) in self.seen.0.iter_mut().zip(&samples.0) {
            plane.extend_from_slice(more);
        }
        while let Some(filter) = self.next_filter() {
            for (seen, plane) in self.seen.0.iter().zip(&mut out.0) {
                let window = seen.get(self.at..self.at + self.taps).unwrap_or_default();
                plane.push(dot(window, filter));
            }
            let next = self.phase + self.down;
            (self.at, self.phase) = (self.at + next / self.up, next % self.up);
        }
        let passed = self.at.min(self.seen.len());
        self.seen.skip(passed);
        self.at -= passed;
    }

    /// The next filter, if all is there that it must see.
    fn next_filter(&self) -> Option<&[f32]> {
        let begin = self.phase * self.taps;
        (self.at + self.taps <= self.seen.len()).then(|| self.bank.get(begin..begin + self.taps))?
    }

    /// How many samples of the source are waited for beyond the one that is worked out.
    #[cfg(test)]
    pub(super) fn ahead(&self) -> usize {
        if self.up == self.down { 0 } else { self.taps / 2 }
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// A sinc up to `width` of the source's own band, windowed, for each of `up` places after a sample.
fn bank(up: usize, taps: usize, width: f64) -> Vec<f32> {
    let half = taps as f64 / 2.0;
    let mut bank = Vec::with_capacity(up * taps);
    for phase in 0..up {
        let between = phase as f64 / up as f64;
        let filter: Vec<f64> = (0..taps)
            .map(|tap| {
                let from = tap as f64 - (half - 1.0) - between;
                width * sinc(width * from) * kaiser(from / half)
            })
            .collect();
        // Every filter lets a steady level pass as it is: no tone of its own at the rate of the phases.
        let level: f64 = filter.iter().sum();
        bank.extend(filter.iter().map(|tap| (tap / level) as f32));
    }
    bank
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

fn kaiser(x: f64) -> f64 {
    bessel(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel(BETA)
}

/// The modified Bessel function of the first kind, of order 0.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..32 {
        term *= (x / (2.0 * f64::from(n))).powi(2);
        sum += term;
    }
    sum
}

/// Both have the same length, a multiple of eight. Eight sums, so that the processor can work on all at once.
fn dot(samples: &[f32], filter: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (samples, filter) in samples.as_chunks::<8>().0.iter().zip(filter.as_chunks::<8>().0) {
        for ((sum, sample), tap) in sums.iter_mut().zip(samples).zip(filter) {
            *sum += sample * tap;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn tone(hertz: f64, rate: f64, count: usize) -> Vec<f32> {
        (0..count).map(|i| (TAU * hertz * i as f64 / rate).sin() as f32).collect()
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn tones_come_out_as_they_are_and_where_they_are() {
        for rate in
            [96_000, 88_200, 64_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350]
        {
            let highest = f64::from(rate.min(48_000)) * 0.45;
            for part in [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] {
                let hertz = highest * part;
                let mut resampling = Resampling::new(rate, 1);
                let mut out = Planes::new(1);
                resampling.push(&Planes(vec![tone(hertz, f64::from(rate), rate as usize / 4)]), &mut out);
                // Against the tone itself at 48 kHz: level, place, and whatever else is there, in one figure. At the
                // beginning the tone sets in, which is no tone.
                let should = tone(hertz, 48_000.0, out.len());
                let settled = 48_000 / 20;
                let error = out.0[0].iter().zip(&should).skip(settled).map(|(a, b)| f64::from(a - b).powi(2));
                let error = decibels((error.sum::<f64>() / (out.len() - settled) as f64 * 2.0).sqrt());
                assert!(error < -60.0, "{rate} Hz, a tone of {hertz} Hz: {error} dB");
            }
        }
    }

    #[test]
    fn what_48_khz_cannot_hold_is_left_out() {
        for (rate, hertz) in [(96_000, 27_500.0), (96_000, 40_000.0), (88_200, 28_000.0), (64_000, 28_500.0)]
        {
            let mut resampling = Resampling::new(rate, 1);
            let mut out = Planes::new(1);
            resampling.push(&Planes(vec![tone(hertz, f64::from(rate), rate as usize / 4)]), &mut out);
            let rest = out.0[0].iter().skip(2400).map(|s| f64::from(s.abs())).fold(0.0, f64::max);
            assert!(decibels(rest) < -60.0, "{rate} Hz, a tone of {hertz} Hz: {} dB", decibels(rest));
        }
    }

    #[test]
    fn the_count_is_exact_for_ever() {
        for rate in [96_000_u32, 44_100, 22_050, 11_025, 8_000, 7_350] {
            let mut resampling = Resampling::new(rate, 2);
            let mut whole = 0_u64;
            let mut state = None;
            for second in 1..=3_u64 {
                let mut left = rate as usize;
                while left > 0 {
                    let now = left.min(1024);
                    let mut samples = Planes::new(2);
                    samples.append_silence(now);
                    let mut out = Planes::new(2);
                    resampling.push(&samples, &mut out);
                    whole += out.len() as u64;
                    left -= now;
                }
                // All that are before the samples that are waited for.
                let due = (second * u64::from(rate) - resampling.ahead() as u64) * 48_000;
                assert_eq!(whole, due.div_ceil(u64::from(rate)), "{rate} Hz");
                // After each second it stands as after the first: so also after ten minutes, or a year.
                let now = (resampling.at, resampling.phase, resampling.seen.len());
                assert_eq!(*state.get_or_insert(now), now, "{rate} Hz");
                // Of what is over, there is never more than one filter sees.
                assert!(resampling.seen.len() <= resampling.taps + 1);
            }
        }
    }

    #[test]
    fn pieces_of_any_size_make_the_same() {
        let all = Planes(vec![tone(700.0, 44_100.0, 5000), tone(300.0, 44_100.0, 5000)]);
        let mut whole = Planes::new(2);
        Resampling::new(44_100, 2).push(&all, &mut whole);
        let (mut resampling, mut pieces) = (Resampling::new(44_100, 2), Planes::new(2));
        for round in 0..2 {
            for at in (0..5000).step_by(7) {
                let piece = all.0.iter().map(|plane| plane[at..(at + 7).min(5000)].to_vec()).collect();
                resampling.push(&Planes(piece), &mut pieces);
            }
            assert_eq!(pieces, whole, "{round}");
            resampling.reset();
            pieces.clear();
        }
        let (mut same, mut out) = (Resampling::new(48_000, 2), Planes::new(2));
        same.push(&all, &mut out);
        assert_eq!(out, all);
    }
}
