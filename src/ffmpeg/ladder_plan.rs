//! Which rungs of a ladder are published for a picture of a given size, and how large each comes out.
//!
//! A rung is a box. The picture is fitted into it with its shape kept; for a picture higher than wide the box is
//! turned. Without an explicit ladder nothing is enlarged: the smallest rung that is not below the source carries the
//! source at its own size, and the rungs above it are left out.

use crate::model::rung::Label;
use crate::model::{Ladder, Rung};

/// Smallest side that is encoded.
pub const LEAST_SIDE: u32 = 16;

/// A rung with the size its picture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRung {
    /// The rung.
    pub rung: Rung,
    /// Width and height in pixels, even.
    pub size: (u32, u32),
    /// Whether the picture is larger than the source.
    pub enlarged: bool,
}

/// The rungs to publish, highest bitrate first, and what there is to say about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// At least one.
    pub rungs: Vec<PlannedRung>,
    /// Rungs left out.
    pub notes: Vec<String>,
    /// Rungs that enlarge because they were asked for.
    pub warnings: Vec<String>,
}

/// Fits `ladder` (the default one if `None`) to a source that is shown as `source` pixels.
pub fn choose(source: (u32, u32), ladder: Option<&Ladder>) -> Chosen {
    match ladder {
        Some(ladder) => obeyed(source, ladder),
        None => fitting(source, &Ladder::default()),
    }
}

/// As [`choose`] for a stream that runs: exactly the rungs of these labels, since people watch them by name, whatever
/// size the source has now. What was not asked for still enlarges nothing.
pub fn keep(source: (u32, u32), ladder: Option<&Ladder>, labels: &[Label]) -> Chosen {
    let default = Ladder::default();
    let rungs = ladder.unwrap_or(&default).rungs().iter().filter(|rung| labels.contains(&rung.label));
    let rungs = rungs.map(|rung| planned(source, rung, ladder.is_some())).collect();
    Chosen { rungs, ..Chosen::default() }
}

/// Every rung, as asked for.
fn obeyed(source: (u32, u32), ladder: &Ladder) -> Chosen {
    let rungs: Vec<PlannedRung> = ladder.rungs().iter().map(|rung| planned(source, rung, true)).collect();
    let enlarged: Vec<&str> = rungs.iter().filter(|r| r.enlarged).map(|r| r.rung.label.as_str()).collect();
    let warnings = match enlarged.as_slice() {
        [] => Vec::new(),
        labels => vec![format!(
            "{} {} the source ({}x{}), which costs bitrate and adds no detail",
            labels.join(", "),
            if labels.len() == 1 { "enlarges" } else { "enlarge" },
            source.0,
            source.1
        )],
    };
    Chosen { rungs, notes: Vec::new(), warnings }
}

/// The rungs up to the source's size.
fn fitting(source: (u32, u32), ladder: &Ladder) -> Chosen {
    let not_below = |rung: &Rung| scale(source, rung) >= 1.0;
    let top = ladder
        .rungs()
        .iter()
        .filter(|rung| not_below(rung))
        .min_by(|a, b| scale(source, a).total_cmp(&scale(source, b)));
    let (kept, left_out): (Vec<&Rung>, Vec<&Rung>) =
        ladder.rungs().iter().partition(|rung| !not_below(rung) || top == Some(rung));
    let rungs: Vec<PlannedRung> = kept.into_iter().map(|rung| planned(source, rung, false)).collect();
    let notes = match left_out.as_slice() {
        [] => Vec::new(),
        rungs => {
            let labels: Vec<&str> = rungs.iter().map(|r| r.label.as_str()).collect();
            vec![format!(
                "{} left out: the source is {}x{}, and nothing is enlarged",
                labels.join(", "),
                source.0,
                source.1
            )]
        }
    };
    Chosen { rungs, notes, warnings: Vec::new() }
}

fn planned(source: (u32, u32), rung: &Rung, may_enlarge: bool) -> PlannedRung {
    let wanted = scale(source, rung);
    let factor = if may_enlarge { wanted } else { wanted.min(1.0) };
    let (box_width, box_height) = turned(source, rung);
    let size = (side(source.0, factor, box_width), side(source.1, factor, box_height));
    PlannedRung { rung: rung.clone(), size, enlarged: size.0 > source.0 || size.1 > source.1 }
}

/// By how much the picture grows to touch its box; below 1 it shrinks.
fn scale(source: (u32, u32), rung: &Rung) -> f64 {
    let (width, height) = turned(source, rung);
    let across = f64::from(width) / f64::from(source.0.max(1));
    let down = f64::from(height) / f64::from(source.1.max(1));
    across.min(down)
}

/// The box as it lies: turned for a picture that is higher than wide.
fn turned(source: (u32, u32), rung: &Rung) -> (u32, u32) {
    let (long, short) = (rung.width.max(rung.height), rung.width.min(rung.height));
    // A box that was given upright is meant as it is for an upright picture.
    if source.1 > source.0 {
        (short, long)
    } else if rung.height > rung.width {
        (rung.width, rung.height)
    } else {
        (long, short)
    }
}

/// A scaled side: the nearest even number, neither above its box nor above what was scaled, and at least 16.
fn side(source: u32, factor: f64, most: u32) -> u32 {
    let exact = f64::from(source) * factor;
    let nearest = (exact / 2.0).round() * 2.0;
    let below = (exact / 2.0).floor() * 2.0;
    let even = if nearest > exact && factor >= 1.0 { below } else { nearest };
    (even as u32).min(most & !1).max(LEAST_SIDE)
}

#[cfg(test)]
#[path = "ladder_plan_tests.rs"]
mod tests;
