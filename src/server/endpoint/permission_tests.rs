//! Tests of `permission`.

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

fn shown(password: &str) -> Permission {
    Permission::Shown(Shown::Password { user: "publish".into(), password: Secret::new(password) })
}

#[test]
fn this_machine_and_trusted_networks_may() {
    for remote in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
        assert_eq!(rules(false).check(&sender(remote, Some("localhost:8080"))), Permission::Yes, "{remote}");
        assert_eq!(rules(true).check(&sender(remote, None)), Permission::Yes, "{remote}");
    }
}

#[test]
fn strangers_may_with_the_right_credentials_only() {
    for remote in ["10.2.0.1", "192.0.2.1", "fe80::1"] {
        assert!(matches!(rules(false).check(&sender(remote, None)), Permission::No(_)), "{remote}");
        assert_eq!(rules(true).check(&sender(remote, None)), Permission::Ask);
        let with = |authorization| {
            rules(true).check(&Sender { authorization: Some(authorization), ..sender(remote, None) })
        };
        // publish:pw, publish:px, and what is no Basic at all.
        assert_eq!(with("Basic cHVibGlzaDpwdw=="), shown("pw"));
        assert_eq!(with("basic  cHVibGlzaDpwdw=="), shown("pw"));
        assert_eq!(with("Basic cHVibGlzaDpweA=="), shown("px"));
        for none in ["Basic", "Basic !", "Bearer x", "Basic cHVibGlzaA=="] {
            assert_eq!(with(none), Permission::Ask, "{none}");
        }
    }
    let open = Sender { authorization: Some("Basic cHVibGlzaDpwdw=="), ..sender("192.0.2.1", None) };
    assert!(matches!(rules(false).check(&open), Permission::No(_)));
}

#[test]
fn web_pages_may_not() {
    let from = |origin, host| {
        rules(false).check(&Sender { origin: Some(origin), ..sender("127.0.0.1", Some(host)) })
    };
    assert!(matches!(from("https://evil.example", "127.0.0.1:9997"), Permission::No(_)));
    assert!(matches!(from("null", "127.0.0.1:9997"), Permission::No(_)));
    assert!(matches!(from("http://127.0.0.1:8080", "127.0.0.1:9997"), Permission::No(_)));
    assert_eq!(from("http://127.0.0.1:9997", "127.0.0.1:9997"), Permission::Yes);
}

#[test]
fn foreign_names_of_this_machine_are_refused() {
    for host in ["evil.example:9997", "EVIL.example.", "1.2.3.4.evil.example"] {
        assert!(matches!(rules(false).check(&sender("127.0.0.1", Some(host))), Permission::No(_)), "{host}");
    }
    for host in ["localhost", "localhost.:1", "127.0.0.1:9997", "[::1]:9997", "media", "a.localhost:1", ""] {
        assert_eq!(rules(false).check(&sender("127.0.0.1", Some(host))), Permission::Yes, "{host}");
    }
    let known = Sender {
        authorization: Some("Basic cHVibGlzaDpwdw=="),
        ..sender("127.0.0.1", Some("media.example"))
    };
    assert_eq!(rules(true).check(&known), shown("pw"));
}
