//! Passwords of the settings: one pair for publishing, one for reading, or none. Pure.

use super::{Action, Answer, Authorizer, Credentials, Demand, Denied, Grant, Request};

/// The server's rules of access. The default lets everybody publish and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What a publisher must show; none if anybody may publish.
    pub publish: Option<Credentials>,
    /// What a reader must show; none if anybody may read.
    pub read: Option<Credentials>,
    /// Publishers that do not come from this machine are refused as long as [`Access::publish`] is not set.
    pub outside_needs_password: bool,
}

impl Access {
    /// What must be shown for `action`. Whoever may publish may also see and end streams; the read credentials control
    /// nothing, since viewers have no business with each other's addresses.
    pub fn credentials(&self, action: Action) -> Option<&Credentials> {
        match action {
            Action::Publish | Action::Control => self.publish.as_ref(),
            Action::Read => self.read.as_ref(),
        }
    }

    /// Whether `request` may be done.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self, request: &Request) -> Result<Grant, Denied> {
        let name = request.name.reveal().to_string();
        let Some(wanted) = self.credentials(request.action) else {
            let outside = request.action == Action::Publish && !request.address.to_canonical().is_loopback();
            return if outside && self.outside_needs_password {
                Err(Denied::Outside)
            } else {
                Ok(Grant { name, ..Grant::default() })
            };
        };
        if !request.shown.is_some() {
            return Err(Denied::NeedsCredentials(request.action));
        }
        if request.shown.fits(wanted) {
            // A token names nobody, but it is that user's.
            Ok(Grant { name, user: wanted.user().to_string(), ..Grant::default() })
        } else {
            Err(Denied::Wrong)
        }
    }
}

impl Authorizer for Access {
    fn authorize(&self, request: Request) -> Answer {
        Box::pin(std::future::ready(self.check(&request)))
    }

    fn demand(&self, action: Action) -> Demand {
        match self.credentials(action) {
            Some(_) => Demand::Login,
            None => Demand::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Protocol, Shown};
    use crate::base::secret::Secret;
    use proptest::prelude::*;

    fn request(action: Action, address: &str, shown: Option<(&str, &str)>) -> Request {
        Request {
            action,
            protocol: Protocol::Rtmp,
            application: "live".into(),
            name: Secret::new("film"),
            query: Secret::new(""),
            shown: Shown::from(shown.map(|(user, password)| (user.to_string(), password.to_string()))),
            address: address.parse().unwrap(),
            caller: Default::default(),
        }
    }

    fn granted(user: &str) -> Result<Grant, Denied> {
        Ok(Grant { name: "film".into(), user: user.into(), ..Grant::default() })
    }

    #[test]
    fn only_the_right_pair_is_let_in() {
        let access = Access { publish: Some(Credentials::new("bob", "pw")), ..Access::default() };
        let check = |action, shown| access.check(&request(action, "192.0.2.7", shown));
        for action in [Action::Publish, Action::Control] {
            assert_eq!(check(action, Some(("bob", "pw"))), granted("bob"));
            for wrong in [("bob", "p"), ("bob", "pwx"), ("bo", "pw"), ("", ""), ("pw", "bob"), ("bob", "")] {
                assert_eq!(check(action, Some(wrong)), Err(Denied::Wrong), "{wrong:?}");
            }
            assert_eq!(check(action, None), Err(Denied::NeedsCredentials(action)));
            assert_eq!(access.demand(action), Demand::Login);
        }
        assert_eq!(check(Action::Read, None), granted(""));
        assert_eq!(check(Action::Read, Some(("x", "y"))), granted(""));
        assert_eq!(access.demand(Action::Read), Demand::Nothing);
        assert!(!format!("{access:?}").contains("pw"));
    }

    #[test]
    fn publishers_from_outside_need_a_password_to_be_set() {
        let access = Access { outside_needs_password: true, ..Access::default() };
        let publish = |from| access.check(&request(Action::Publish, from, None));
        for here in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(publish(here), granted(""), "{here}");
        }
        for there in ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "169.254.1.1"] {
            assert_eq!(publish(there), Err(Denied::Outside), "{there}");
        }
        assert_eq!(access.check(&request(Action::Read, "10.0.0.1", None)), granted(""));
    }

    #[test]
    fn a_password_alone_is_a_token() {
        let access = Access { read: Some(Credentials::new("eve", "pw")), ..Access::default() };
        let check = |token| {
            let shown = Shown::Token(Secret::new(token));
            access.check(&Request { shown, ..request(Action::Read, "::1", None) })
        };
        assert_eq!(check("pw"), granted("eve"));
        for wrong in ["", "p", "pwx", "eve"] {
            assert_eq!(check(wrong), Err(Denied::Wrong), "{wrong}");
        }
        assert!(!format!("{:?}", Shown::bearer("bearer pw")).contains("pw"));
        assert_eq!(Shown::bearer("Bearer  pw "), Some(Shown::Token(Secret::new("pw"))));
        assert_eq!((Shown::bearer("Basic pw"), Shown::bearer("Bearer ")), (None, None));
    }

    #[test]
    fn a_proof_is_compared_by_its_protocol() {
        let access = Access { read: Some(Credentials::new("eve", "pw")), ..Access::default() };
        let proof = |password: &'static str| Shown::Proof {
            user: "eve".into(),
            fits: std::sync::Arc::new(move |wanted| wanted.password() == password),
        };
        let check = |shown| access.check(&Request { shown, ..request(Action::Read, "::1", None) });
        assert_eq!(check(proof("pw")), granted("eve"));
        assert_eq!(check(proof("px")), Err(Denied::Wrong));
    }

    proptest! {
        #[test]
        fn nobody_gets_in_without_the_pair(user in ".{0,12}", password in ".{0,12}") {
            let access = Access { publish: Some(Credentials::new("bob", "pw")), ..Access::default() };
            let answer = access.check(&request(Action::Publish, "127.0.0.1", Some((&user, &password))));
            prop_assert_eq!(answer.is_ok(), (user.as_str(), password.as_str()) == ("bob", "pw"));
        }
    }
}
