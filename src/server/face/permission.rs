//! Who may use the control faces. They name every stream and viewer and can throw viewers out, so strangers get nothing
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
pub enum Verdict {
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
    /// Whether `sender` may use a face.
    pub fn check(&self, sender: &Sender<'_>) -> Verdict {
        if sender.origin.is_some_and(|origin| !same_host(origin, sender.host)) {
            return Verdict::No("requests of other web pages are refused");
        }
        if let Some(shown) = sender.authorization.and_then(Shown::basic)
            && self.demand != Demand::Nothing
        {
            return Verdict::Shown(shown);
        }
        if is_loopback(sender.remote) {
            return match sender.host {
                Some(host) if foreign(host) => {
                    Verdict::No("ask by localhost, by an IP address, or with the publish credentials")
                }
                _ => Verdict::Yes,
            };
        }
        if self.trusted.iter().any(|network| network.contains(sender.remote)) {
            return Verdict::Yes;
        }
        match self.demand {
            Demand::Login | Demand::Key => Verdict::Ask,
            Demand::Nothing => Verdict::No(
                "the control faces answer this machine only; `trusted` names networks that may ask as well, \
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

fn same_host(origin: &str, host: Option<&str>) -> bool {
    let place = origin.split_once("://").map(|(_, place)| place);
    place.zip(host).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    fn sender<'a>(remote: &str, host: Option<&'a str>) -> Sender<'a> {
        Sender { remote: remote.parse().unwrap(), host, origin: None, authorization: None }
    }

    fn rules(password: bool) -> Rules {
        Rules {
            trusted: vec!["10.1.0.0/16".parse().unwrap()],
            demand: if password { Demand::Login } else { Demand::Nothing },
        }
    }

    fn shown(password: &str) -> Verdict {
        Verdict::Shown(Shown::Password { user: "publish".into(), password: Secret::new(password) })
    }

    #[test]
    fn this_machine_and_trusted_networks_may() {
        for remote in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
            assert_eq!(rules(false).check(&sender(remote, Some("localhost:8080"))), Verdict::Yes, "{remote}");
            assert_eq!(rules(true).check(&sender(remote, None)), Verdict::Yes, "{remote}");
        }
    }

    #[test]
    fn strangers_may_with_the_right_credentials_only() {
        for remote in ["10.2.0.1", "192.0.2.1", "fe80::1"] {
            assert!(matches!(rules(false).check(&sender(remote, None)), Verdict::No(_)), "{remote}");
            assert_eq!(rules(true).check(&sender(remote, None)), Verdict::Ask);
            let with = |authorization| {
                rules(true).check(&Sender { authorization: Some(authorization), ..sender(remote, None) })
            };
            // publish:pw, publish:px, and what is no Basic at all.
            assert_eq!(with("Basic cHVibGlzaDpwdw=="), shown("pw"));
            assert_eq!(with("basic  cHVibGlzaDpwdw=="), shown("pw"));
            assert_eq!(with("Basic cHVibGlzaDpweA=="), shown("px"));
            for none in ["Basic", "Basic !", "Bearer x", "Basic cHVibGlzaA=="] {
                assert_eq!(with(none), Verdict::Ask, "{none}");
            }
        }
        let open = Sender { authorization: Some("Basic cHVibGlzaDpwdw=="), ..sender("192.0.2.1", None) };
        assert!(matches!(rules(false).check(&open), Verdict::No(_)));
    }

    #[test]
    fn web_pages_may_not() {
        let from = |origin, host| {
            rules(false).check(&Sender { origin: Some(origin), ..sender("127.0.0.1", Some(host)) })
        };
        assert!(matches!(from("https://evil.example", "127.0.0.1:9997"), Verdict::No(_)));
        assert!(matches!(from("null", "127.0.0.1:9997"), Verdict::No(_)));
        assert!(matches!(from("http://127.0.0.1:8080", "127.0.0.1:9997"), Verdict::No(_)));
        assert_eq!(from("http://127.0.0.1:9997", "127.0.0.1:9997"), Verdict::Yes);
    }

    #[test]
    fn foreign_names_of_this_machine_are_refused() {
        for host in ["evil.example:9997", "EVIL.example.", "1.2.3.4.evil.example"] {
            assert!(matches!(rules(false).check(&sender("127.0.0.1", Some(host))), Verdict::No(_)), "{host}");
        }
        for host in
            ["localhost", "localhost.:1", "127.0.0.1:9997", "[::1]:9997", "media", "a.localhost:1", ""]
        {
            assert_eq!(rules(false).check(&sender("127.0.0.1", Some(host))), Verdict::Yes, "{host}");
        }
        let known = Sender {
            authorization: Some("Basic cHVibGlzaDpwdw=="),
            ..sender("127.0.0.1", Some("media.example"))
        };
        assert_eq!(rules(true).check(&known), shown("pw"));
    }
}
