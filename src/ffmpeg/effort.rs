//! How much work goes into the video: what was asked for, or the best that this machine carries; and what gives way
//! where it carries nothing of it.

use super::cost::{self, Power, Work};
use super::encoder::Making;
use super::frame_rate::Rate;
use super::ladder_plan::Chosen;
use super::plan::Request;
use super::report::Report;
use crate::model::{LeaveOut, Quality};

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Effort {
    /// The effort; never [`Quality::Auto`] where the machine's power is known.
    pub quality: Quality,
    /// For the first line: `, quality fast (about 1.0 of 1.7 free CPUs, balanced 1.4)`; empty where it was asked for.
    pub words: String,
    /// CPU-seconds a second here, if the machine's power is known.
    pub cost: Option<f64>,
}

/// Decides, and takes rungs out of `chosen` (with a warning) where even the least effort is too much; gives back who
/// makes those that stay. `timing` is the rate, and whether zscale is there.
pub fn chosen(
    request: &Request,
    report: &Report,
    chosen: &mut Chosen,
    mut making: Vec<Making>,
    timing: (Rate, bool),
    power: Option<Power>,
) -> (Effort, Vec<Making>) {
    let encodes = making.iter().any(|making| *making != Making::Copied);
    let (Some(power), true) = (power, encodes) else {
        return (Effort { quality: request.quality, words: String::new(), cost: None }, making);
    };
    let needs = |chosen: &Chosen, making: &[Making], quality| {
        cost::estimate(&work(report, chosen, making, timing), quality) * power.slowness
    };
    if request.quality != Quality::Auto {
        let cost = needs(chosen, &making, request.quality);
        if cost > power.free {
            chosen.warnings.push(format!(
                "quality {} needs about {} CPUs and {} are free: it may fall behind; --quality auto takes what keeps up",
                request.quality,
                short(cost),
                short(power.free)
            ));
        }
        return (Effort { quality: request.quality, words: String::new(), cost: Some(cost) }, making);
    }
    let wanted = needs(chosen, &making, Quality::Fastest);
    let mut left_out: Vec<String> = Vec::new();
    let quality = loop {
        if let Some(quality) = cost::best_that_keeps_up(&work(report, chosen, &making, timing), power) {
            break quality;
        }
        if needs(chosen, &making, Quality::Fastest) <= power.most {
            break Quality::Fastest;
        }
        let Some(index) = next_out(&making, request.leave_out) else { break Quality::Fastest };
        let rung = chosen.rungs.remove(index);
        making.remove(index);
        left_out.push(rung.rung.label.to_string());
    };
    let cost = needs(chosen, &making, quality);
    if !left_out.is_empty() {
        let which = if request.leave_out == LeaveOut::Top { "bottom" } else { "top" };
        chosen.warnings.push(format!(
            "{} left out: all variants need about {} CPUs at the fastest quality and {} can be had \
             (--leave-out {which} or none, --variants)",
            left_out.join(", "),
            short(wanted),
            short(power.most)
        ));
    }
    if cost > power.free {
        let until = if cost <= power.most { " until others let go" } else { "" };
        chosen.warnings.push(format!(
            "it may fall behind{until}: about {} CPUs are needed and {} are free",
            short(cost),
            short(power.free)
        ));
    }
    let better = cost::EFFORTS.into_iter().rev().skip_while(|q| *q != quality).nth(1);
    let better = better.map(|better| format!(", {better} {}", short(needs(chosen, &making, better))));
    let words = format!(
        ", quality {quality} (about {} of {} free CPUs{})",
        short(cost),
        short(power.free),
        better.unwrap_or_default()
    );
    (Effort { quality, words, cost: Some(cost) }, making)
}

fn work<'a>(report: &'a Report, chosen: &'a Chosen, making: &'a [Making], timing: (Rate, bool)) -> Work<'a> {
    Work { report, rungs: &chosen.rungs, making, rate: timing.0.value(), zscale: timing.1 }
}

/// The rung to leave out next: an encoded one, as long as another is there.
fn next_out(making: &[Making], leave_out: LeaveOut) -> Option<usize> {
    let encoded = |index: &usize| making.get(*index).is_some_and(|making| *making != Making::Copied);
    let mut rungs = (0..making.len()).filter(encoded);
    let index = match leave_out {
        LeaveOut::Top => rungs.next(),
        LeaveOut::Bottom => rungs.next_back(),
        LeaveOut::None => None,
    };
    index.filter(|_| making.len() > 1)
}

/// One decimal, two below a tenth.
fn short(cpus: f64) -> String {
    if cpus < 0.1 { format!("{cpus:.2}") } else { format!("{cpus:.1}") }
}
