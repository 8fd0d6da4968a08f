//! How a request's source is read and decoded.

use super::capability::Capability;
use super::cost;
use super::frame_rate::Rate;
use super::head_start::HeadStart;
use super::input::{self, Opening};
use super::loop_input::{self, Repeat};
use super::plan::{Known, Request};
use super::report::{Report, VideoTrack};
use crate::base::command_line::Argument;
use crate::model::Source;

/// The inputs of a request. `rate` reaches what has no rate of its own: screens, test pictures, stills.
pub(super) fn inputs(
    request: &Request,
    report: &Report,
    capability: &Capability,
    rate: Option<Rate>,
    copied: bool,
    caption: bool,
    head_start: HeadStart,
) -> Vec<input::Input> {
    let asked = request.fps.and(rate).map(Rate::argument);
    let opening = Opening {
        source: &request.source,
        report,
        repeat: repeat(request, report, capability, copied),
        rate: asked.as_deref(),
        caption: caption.then_some(request.key.as_str()),
        head_start,
    };
    input::publishing(&opening, capability)
}

/// Most of a CPU that decoding may take in one thread: the same thread feeds the filters and encoders.
const ONE_THREAD: f64 = 0.4;

/// Decoding in one thread where that is surely quick enough: threads that wait for each other cost a sixth more (5.1.9,
/// 1080p film). Beside a copied picture what is decoded is only made smaller: deblocking the frames that no other
/// refers to, up to a tenth of decoding, would show nowhere.
pub(super) fn decoded_cheaply(
    mut inputs: Vec<input::Input>,
    video: &VideoTrack,
    rate: Rate,
    known: &Known,
    copied: bool,
) -> Vec<input::Input> {
    let needed = known.power.map(|power| cost::decoding(video, rate.value()) * power.slowness);
    let mut options: Vec<&str> = Vec::new();
    if needed.is_some_and(|cpus| cpus <= ONE_THREAD) {
        options.extend(["-threads", "1"]);
    }
    if copied {
        options.extend(["-skip_loop_filter", "noref"]);
    }
    if let Some(input) = inputs.first_mut() {
        input.args.splice(0..0, options.into_iter().map(Argument::from));
    }
    inputs
}

fn repeat(request: &Request, report: &Report, capability: &Capability, copied: bool) -> Option<Repeat> {
    let Source::File(path) = &request.source else { return None };
    let can_list = capability.demuxers.contains("concat") && capability.input_protocols.contains("pipe");
    (!request.once).then(|| loop_input::way(path, report, copied, can_list))
}
