//! A back end and its form: what it is asked, what its answer means, what it is told.

use super::answer::{HttpAnswer, HttpRequest, Verdict};
use super::ask::Ask;
use super::{mediamtx, msconv, nginx_rtmp, nms, ome, srs, streamly};
use crate::base::secret::Secret;
use crate::config::admission::Form;
use crate::model::HttpUrl;

/// See the module.
#[derive(Clone, Debug)]
pub struct Target {
    /// How it is asked.
    pub form: Form,
    /// Where.
    pub url: HttpUrl,
    /// What signs questions, in forms that sign.
    pub secret: Option<Secret>,
}

/// What a back end can be told of somebody whom it let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It has begun.
    Began,
    /// It is over.
    Ended {
        /// When, in milliseconds since 1970.
        at_ms: i64,
        /// Bytes that came in.
        bytes_in: u64,
        /// Bytes that went out.
        bytes_out: u64,
    },
}

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::auth::{Action, Caller, Protocol};

    /// A publisher or reader, as the recorded requests have them.
    pub(in crate::platform) fn ask(action: Action) -> Ask {
        Ask {
            id: uuid::Uuid::from_u128(0x9def6040_d7cc_42e1_91f7_239497a9c1ab),
            number: 1,
            action,
            protocol: Protocol::Rtmp,
            application: "live".into(),
            name: Secret::new("key1"),
            query: Secret::new("token=a%20b&x=1"),
            user: String::new(),
            password: Secret::default(),
            token: Secret::default(),
            address: "127.0.0.1".parse().unwrap(),
            caller: Caller {
                agent: "FMLE/3.0 (compatible; Lavf59.27.100)".into(),
                url: Secret::new("rtmp://127.0.0.1:28102/live"),
                page: String::new(),
                player: String::new(),
                port: 41548,
            },
            at_ms: 1_700_000_000_123,
        }
    }

    pub(in crate::platform) fn target(form: Form, url: &str) -> Target {
        Target { form, url: url.parse().unwrap(), secret: None }
    }

    pub(in crate::platform) fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer { status, location: None, body: body.as_bytes().to_vec() }
    }
}
