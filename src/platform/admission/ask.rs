//! A question as every form needs it: who wants to do what, from where, and what is shown.

use crate::auth::{Action, Caller, Protocol, Request, Shown};
use crate::base::percent::argument;
use crate::base::secret::Secret;
use std::net::IpAddr;
use uuid::Uuid;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which connection or session it is, for the back end.
    pub id: Uuid,
    /// The same as a number.
    pub number: u32,
    /// What is to be done: [`Action::Publish`] or [`Action::Read`].
    pub action: Action,
    /// How.
    pub protocol: Protocol,
    /// The application.
    pub application: String,
    /// The name as it was shown, which may be a secret.
    pub name: Secret,
    /// What stood behind it, without what only HLS says.
    pub query: Secret,
    /// The user, if one was shown.
    pub user: String,
    /// The password, likewise.
    pub password: Secret,
    /// A token without a user, likewise.
    pub token: Secret,
    /// Where it comes from.
    pub address: IpAddr,
    /// What the client says of itself.
    pub caller: Caller,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Ask {
    /// Of what a protocol asks at this moment.
    pub fn of(request: &Request, number: u32, at_ms: i64) -> Ask {
        let (mut user, mut password, mut token) = (String::new(), Secret::default(), Secret::default());
        match &request.shown {
            Shown::Nothing => {}
            Shown::Password { user: name, password: word } => (user, password) = (name.clone(), word.clone()),
            Shown::Token(word) => token = word.clone(),
            // Only its protocol can compare it, so there is nothing to pass on.
            Shown::Proof { user: name, .. } => user.clone_from(name),
        }
        let mut query = request.query.clone();
        if request.protocol == Protocol::Hls {
            let stays = |pair: &&str| !pair.starts_with("_HLS_");
            let pairs: Vec<&str> = query.reveal().split('&').filter(stays).collect();
            query = Secret::new(pairs.join("&"));
        }
        Ask {
            id: Uuid::new_v4(),
            number,
            action: request.action,
            protocol: request.protocol,
            application: request.application.clone(),
            name: request.name.clone(),
            query,
            user,
            password,
            token,
            address: request.address.to_canonical(),
            caller: request.caller.clone(),
            at_ms,
        }
    }

    /// Whether somebody wants to publish.
    pub fn publishes(&self) -> bool {
        self.action == Action::Publish
    }

    /// Whether anything was shown but the name.
    pub fn shows_login(&self) -> bool {
        !self.user.is_empty() || !self.password.reveal().is_empty() || !self.token.reveal().is_empty()
    }

    /// An argument of the query.
    pub fn argument(&self, key: &str) -> Option<String> {
        argument(self.query.reveal(), key)
    }

    /// The protocol in a word.
    pub const fn protocol_word(&self) -> &'static str {
        match self.protocol {
            Protocol::Rtmp => "rtmp",
            Protocol::Rtsp => "rtsp",
            Protocol::Hls => "hls",
            Protocol::WebRtc => "webrtc",
            Protocol::Control => "control",
        }
    }

    /// Scheme and host of the URL by which it came, as `rtmp://host:1935`; made up if there is none.
    pub fn origin(&self) -> String {
        let url = self.caller.url.reveal();
        let end = url.find("://").and_then(|at| {
            let host = at.checked_add(3)?;
            let rest = url.get(host..)?;
            host.checked_add(rest.find(['/', '?']).unwrap_or(rest.len()))
        });
        let known = end.and_then(|end| url.get(..end)).filter(|origin| !origin.ends_with("://"));
        let scheme = match self.protocol {
            Protocol::Rtmp => "rtmp",
            Protocol::Rtsp => "rtsp",
            _ => "http",
        };
        known.map_or_else(|| format!("{scheme}://localhost"), str::to_string)
    }
}
