//! Quantities as people read them in tables.

/// `8.1 Mb/s`, `640 kb/s`, `0 b/s`.
pub fn bitrate(bps: u64) -> String {
    scaled(bps, 1000.0, &["b/s", "kb/s", "Mb/s", "Gb/s"])
}

/// `1.4 GB`, `640 kB`, `12 B`, in steps of 1000.
pub fn bytes(count: u64) -> String {
    scaled(count, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"])
}

fn scaled(count: u64, step: f64, units: &[&str]) -> String {
    let mut value = count as f64;
    let mut left = units.iter();
    let mut unit = left.next().copied().unwrap_or_default();
    // 999.95 would be shown as 1000.0.
    while value >= step - 0.05 {
        match left.next() {
            Some(larger) => {
                value /= step;
                unit = larger;
            }
            None => break,
        }
    }
    let whole = count < 1000 || value >= 99.95;
    if whole { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well() {
        for (bps, text) in [
            (0, "0 b/s"),
            (999, "999 b/s"),
            (1000, "1.0 kb/s"),
            (640_000, "640 kb/s"),
            (999_960, "1.0 Mb/s"),
            (8_140_000, "8.1 Mb/s"),
            (u64::MAX, "18446744074 Gb/s"),
        ] {
            assert_eq!(bitrate(bps), text);
        }
        assert_eq!(bytes(123_456_789), "123 MB");
        assert_eq!(bytes(1_400_000_000), "1.4 GB");
    }
}
