//! Who may publish, read and control: one question, which may take time, and one answer.
//!
//! The protocols ask an [`Authorizer`] through [`ask`] and know nothing of what stands behind it: passwords of the
//! settings, or none ([`Access`]), and whatever else can answer, such as a store of stream keys, a service or a
//! signed token. What a name that was shown stands for is part of the answer ([`Grant::name`]), so a secret name
//! opens a stream with a public one.

mod caller;
mod credentials;
mod denied;
mod ledger;
mod passwords;
mod shown;

pub use caller::Caller;
pub use credentials::{Credentials, same};
pub use denied::Denied;
pub use ledger::{Ledger, neighbourhood, pause};
pub use passwords::Access;
pub use shown::Shown;

use crate::base::secret::Secret;
use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a stream in.
    Publish,
    /// Take one out.
    Read,
    /// See every stream and client, and end them.
    Control,
}

/// How somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RTMP.
    Rtmp,
    /// RTSP.
    Rtsp,
    /// HLS.
    Hls,
    /// WebRTC.
    WebRtc,
    /// The control endpoints: `/stat`, `/v3`, `/metrics`.
    Control,
}

/// What is asked. It comes from outside, unchecked but for its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// How it is asked.
    pub protocol: Protocol,
    /// The application, one of the server's; empty for [`Action::Control`].
    pub application: String,
    /// The stream's name as it was shown, which may be a secret. Empty for [`Action::Control`], and where the client
    /// proves who it is before it names a stream (Adobe's authentication of RTMP): then the question is whether it
    /// might do so with any; it is asked again with the name.
    pub name: Secret,
    /// What stood behind the name's `?`. It may hold a password or a token.
    pub query: Secret,
    /// The credentials.
    pub shown: Shown,
    /// Where it comes from.
    pub address: IpAddr,
    /// What the client says of itself.
    pub caller: Caller,
}

/// It may be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The stream's public name: what the exchange, the log and the status pages know it by. The name that was shown,
    /// unless that is a secret.
    pub name: String,
    /// Who it is; empty if nobody had to say.
    pub user: String,
    /// How far it goes.
    pub limits: Limits,
    /// Whether it is for a program that the server started to make something of the stream, which is no viewer.
    pub own: bool,
}

/// How far a grant goes. The default is without limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long it holds: a connection that publishes or reads by it is ended then. For what expires, such as a stream
    /// or a token.
    pub time: Option<Duration>,
}

/// What has to be shown for an action, as far as that is the same for all streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: there is nothing to guess either, so nobody is shut out for wrong guesses.
    #[default]
    Nothing,
    /// A user and a password. Protocols that can ask for them do.
    Login,
    /// A name or a query that is a secret: each is a guess, and is not written into the log before it is granted.
    Key,
}

/// The answer, which may have to be waited for.
pub type Answer = Pin<Box<dyn Future<Output = Result<Grant, Denied>> + Send>>;

/// Decides who may do what.
pub trait Authorizer: Debug + Send + Sync {
    /// Whether this may be done. It is asked where frames move: what takes time waits in the future that is returned, and
    /// nothing here or there blocks the thread.
    fn authorize(&self, request: Request) -> Answer;

    /// What has to be shown for `action`. Does not change while the server runs.
    fn demand(&self, action: Action) -> Demand;
}

/// How long an answer may take, unless a test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Asks, and refuses what is not answered within `patience`.
///
/// # Errors
/// The reason why not; [`Denied::Late`] if there was no answer in time.
pub async fn ask(authorizer: &dyn Authorizer, request: Request, patience: Duration) -> Result<Grant, Denied> {
    tokio::time::timeout(patience, authorizer.authorize(request)).await.unwrap_or(Err(Denied::Late))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// Answers after a while, or never.
    #[derive(Debug)]
    struct Slow(Option<Duration>);

    impl Authorizer for Slow {
        fn authorize(&self, request: Request) -> Answer {
            let wait = self.0;
            Box::pin(async move {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
                Ok(Grant { name: request.name.reveal().to_string(), ..Grant::default() })
            })
        }

        fn demand(&self, _: Action) -> Demand {
            Demand::Nothing
        }
    }

    fn request() -> Request {
        Request {
            action: Action::Publish,
            protocol: Protocol::Rtmp,
            application: "live".into(),
            name: Secret::new("film"),
            query: Secret::new("token=1"),
            shown: Shown::Nothing,
            address: "192.0.2.1".parse().unwrap(),
            caller: Caller::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_a_while_but_not_for_ever() {
        let begun = Instant::now();
        let slow = Slow(Some(Duration::from_secs(2)));
        assert_eq!(ask(&slow, request(), PATIENCE).await.unwrap().name, "film");
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        for never in [Slow(None), Slow(Some(Duration::from_secs(11)))] {
            let begun = Instant::now();
            assert_eq!(ask(&never, request(), PATIENCE).await, Err(Denied::Late));
            assert_eq!(begun.elapsed(), PATIENCE);
        }
    }

    #[test]
    fn requests_print_no_secrets() {
        let shown = Shown::Password { user: "bob".into(), password: Secret::new("hunter2") };
        let printed = format!("{:?}", Request { shown, ..request() });
        assert!(!["film", "token", "hunter2"].iter().any(|secret| printed.contains(secret)), "{printed}");
    }
}
