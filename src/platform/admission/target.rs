//! A back end: where it is and in which form it is asked.

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::auth::{Action, Caller, Protocol};
    use crate::platform::admission::{Ask, HttpAnswer};

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
