//! The forms: what a back end is asked in its own, what its answer means, what it is told.

use super::answer::{HttpAnswer, HttpRequest, Verdict};
use super::ask::Ask;
use super::target::{Happened, Target};
use super::{mediamtx, msconv, nginx_rtmp, nms, ome, srs, streamly};
use crate::config::admission::Form;

impl Target {
    /// What it is asked; nothing if the form has no such question.
    pub fn question(&self, ask: &Ask) -> Option<HttpRequest> {
        match self.form {
            Form::Streamly => streamly::question(ask, self),
            Form::NginxRtmp => Some(nginx_rtmp::question(ask, self)),
            Form::Srs => Some(srs::question(ask, self)),
            Form::Mediamtx => Some(mediamtx::question(ask, self)),
            Form::Ome => Some(ome::question(ask, self)),
            Form::Nms => Some(nms::question(ask, self)),
            Form::Msconv => Some(msconv::question(ask, self)),
        }
    }

    /// Whether the form has a question about reading.
    pub fn decides_reading(&self) -> bool {
        self.form != Form::Streamly
    }

    /// What its answer means at this moment. `shown` is whether a user, a password or a token was.
    pub fn verdict(&self, answer: &HttpAnswer, shown: bool, now_ms: i64) -> Verdict {
        match self.form {
            Form::Streamly => streamly::verdict(answer, now_ms),
            Form::NginxRtmp => nginx_rtmp::verdict(answer),
            Form::Srs => srs::verdict(answer),
            Form::Mediamtx => mediamtx::verdict(answer, shown),
            Form::Ome => ome::verdict(answer),
            Form::Nms => nms::verdict(answer),
            Form::Msconv => msconv::verdict(answer, now_ms),
        }
    }

    /// What it is told; nothing if the form does not say this.
    pub fn notice(&self, ask: &Ask, happened: Happened) -> Option<HttpRequest> {
        match (self.form, happened) {
            (Form::Nms, happened) => nms::notice(ask, happened, self),
            (_, Happened::Began) | (Form::Streamly | Form::Mediamtx, _) => None,
            (Form::NginxRtmp, _) => Some(nginx_rtmp::ended(ask, self)),
            (Form::Srs, _) => Some(srs::ended(ask, self)),
            (Form::Ome, Happened::Ended { at_ms, .. }) => Some(ome::ended(ask, at_ms, self)),
            (Form::Msconv, Happened::Ended { at_ms, .. }) => Some(msconv::ended(ask, at_ms, self)),
        }
    }

    /// Whether it is told a user, a password or a token beside the name.
    pub fn takes_logins(&self) -> bool {
        matches!(self.form, Form::Mediamtx | Form::Msconv)
    }

    /// Whether it is told anything at all.
    pub fn is_told(&self) -> bool {
        !matches!(self.form, Form::Streamly | Form::Mediamtx)
    }
}
