//! Who may use the control endpoints. They name every stream and viewer and can throw viewers out, so strangers get nothing
//! but `/health`:
//!
//! - this machine and trusted networks may do everything;
//! - others must show credentials that [`crate::auth::Action::Control`] is granted for, and get nothing where none are
//!   set;
//! - a web page may ask nothing: a browser's request from another page is refused, and so is one that reached us under
//!   a foreign name (DNS rebinding). Hence no `Access-Control-Allow-Origin`, which MediaMTX sends.

use crate::auth::{Demand, Shown};
use crate::model::Network;
use crate::model::network::is_loopback;
use std::net::IpAddr;

/// The rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Networks that may do what this machine may.
    pub trusted: Vec<Network>,
    /// What others must show.
    pub demand: Demand,
}

/// What a request says of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The other end.
    pub remote: IpAddr,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`, which browsers send for other pages.
    pub origin: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
}

/// Whether it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Yes,
    /// It may if these credentials are right.
    Shown(Shown),
    /// It may if it shows credentials.
    Ask,
    /// It may not, and why.
    No(&'static str),
}

impl Rules {
    /// Whether `sender` may use an endpoint.
    pub fn check(&self, sender: &Sender<'_>) -> Permission {
        if sender.origin.is_some_and(|origin| !same_host(origin, sender.host)) {
            return Permission::No("requests of other web pages are refused");
        }
        if let Some(shown) = sender.authorization.and_then(Shown::basic)
            && self.demand != Demand::Nothing
        {
            return Permission::Shown(shown);
        }
        if is_loopback(sender.remote) {
            return match sender.host {
                Some(host) if foreign(host) => {
                    Permission::No("ask by localhost, by an IP address, or with the publish credentials")
                }
                _ => Permission::Yes,
            };
        }
        if self.trusted.iter().any(|network| network.contains(sender.remote)) {
            return Permission::Yes;
        }
        match self.demand {
            Demand::Login | Demand::Key => Permission::Ask,
            Demand::Nothing => Permission::No(
                "the control endpoints answer this machine only; `trusted` names networks that may ask as well, \
                 and with a publish password whoever knows it may",
            ),
        }
    }
}

/// The host of `Host` without its port.
fn bare(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.split(':').next().unwrap_or(host),
    }
}

/// Whether a name could be somebody else's that was made to point here: one with a dot that is no address.
fn foreign(host: &str) -> bool {
    let name = bare(host).trim_end_matches('.');
    name.contains('.')
        && name.parse::<IpAddr>().is_err()
        && !name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// Whether an `Origin` is that of a page at `host`.
pub fn same_host(origin: &str, host: Option<&str>) -> bool {
    let place = origin.split_once("://").map(|(_, place)| place);
    place.zip(host).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host))
}

#[cfg(test)]
#[path = "permission_tests.rs"]
mod tests;
