//! Makes a piece of audio one sample longer or shorter, over its whole length, so that nobody hears it.

use super::Planes;

/// `samples` with one more (`longer`) or one less. What has fewer than 16 samples stays as it is.
pub(super) fn by_one(samples: &mut Planes, longer: bool) {
    let count = samples.len();
    if count < 16 {
        return;
    }
    let wanted = if longer { count + 1 } else { count - 1 };
    let step = (count - 1) as f64 / (wanted - 1) as f64;
    for plane in &mut samples.0 {
        *plane = (0..wanted).map(|index| between(plane, index as f64 * step)).collect();
    }
}

/// The value at a place between samples, by the cubic through its four neighbours (Catmull-Rom).
fn between(plane: &[f32], at: f64) -> f32 {
    let last = plane.len().saturating_sub(1);
    let index = at.max(0.0) as usize;
    let x = (at - index as f64) as f32;
    let of = |index: usize| plane.get(index.min(last)).copied().unwrap_or(0.0);
    let (a, b, c, d) = (of(index.saturating_sub(1)), of(index), of(index + 1), of(index + 2));
    b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_stays_a_tone_and_its_ends_stay_where_they_are() {
        let tone = |count: usize, over: usize| -> Vec<f32> {
            (0..count).map(|i| (i as f32 * 40.0 / (over - 1) as f32).sin()).collect()
        };
        for (longer, wanted) in [(true, 1025), (false, 1023)] {
            let mut samples = Planes(vec![tone(1024, 1024); 2]);
            by_one(&mut samples, longer);
            assert_eq!(samples.len(), wanted);
            for (made, should) in samples.0[1].iter().zip(tone(wanted, wanted)) {
                assert!((made - should).abs() < 1e-4, "{made} {should}");
            }
        }
        let mut short = Planes(vec![vec![1.0; 15]]);
        by_one(&mut short, false);
        assert_eq!(short.len(), 15);
    }
}
