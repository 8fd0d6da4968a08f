//! One row for each figure, with its goal.

use std::fs;

/// The head of the table.
pub fn head() {
    println!("| what | measured | goal | load |");
    println!("|---|---|---|---|");
}

/// A row.
pub fn row(what: &str, measured: &str, goal: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("| {what} | {measured} | {goal} | {} |", load.split(' ').next().unwrap_or_default());
}

/// Of sorted figures, the one below which this share of them lies.
pub fn part(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// In order.
pub fn sorted(mut figures: Vec<f64>) -> Vec<f64> {
    figures.sort_by(f64::total_cmp);
    figures
}
