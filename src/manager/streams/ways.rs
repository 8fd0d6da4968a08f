//! The ways to make the same variants, with more or less work, where the machine may choose.

use crate::base::Outcome;
use crate::ffmpeg::cost::EFFORTS;
use crate::ffmpeg::plan_ladder::{Plan, Request};
use crate::model::rung::Label;
use crate::model::{Quality, Rendition};
use crate::process::supervisor::Way;
use std::path::Path;

/// Each quality that `chosen` could have been, dearest first; none where the quality was asked for, or what it costs here
/// is not known. `plan` plans with labels that are kept, if any are.
pub fn ways(
    asked: &Request,
    chosen: &Plan,
    in_hardware: bool,
    plan: impl Fn(&Request, Option<Vec<Label>>) -> Outcome<Plan>,
) -> Vec<(Quality, Plan)> {
    if asked.quality != Quality::Auto || chosen.quality.is_none() || chosen.cost.is_none() {
        return Vec::new();
    }
    let labels: Vec<Label> = chosen
        .renditions
        .iter()
        .filter_map(|r| match &r.rendition {
            Rendition::Rung(label) => Some(label.clone()),
            _ => None,
        })
        .collect();
    let same = |plan: &Plan| plan.renditions == chosen.renditions && plan.cost.is_some();
    let of = |quality: Quality| {
        let request = Request { quality, ..asked.clone() };
        // What was left out stays out, whatever the quality.
        let plans = [None, Some(labels.clone())].into_iter().filter_map(|kept| plan(&request, kept).ok());
        Some((quality, plans.into_iter().find(same)?))
    };
    // The dearest has little to give to a card.
    EFFORTS.into_iter().filter(|quality| !(in_hardware && *quality == Quality::Best)).filter_map(of).collect()
}

/// A way as the supervisor takes it.
pub fn way(quality: Quality, plan: &Plan, ffmpeg: &Path) -> Option<Way> {
    let cost = plan.cost?;
    // As where it is chosen first: the dearest only where as much is left for others.
    let needs = if quality == Quality::Best { cost * 2.0 } else { cost };
    Some(Way {
        command: plan.command_line(ffmpeg, Some(1)),
        words: format!("quality {quality}"),
        cost,
        needs,
    })
}
