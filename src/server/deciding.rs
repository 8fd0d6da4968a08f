//! Who decides who may do what: a chain, each link of which asks the one behind it about what it does not decide.

use super::options::Options;
use super::outgoing::Outgoing;
use super::runtime_thread::RuntimeThread;
use crate::auth::Authorizer;
use crate::base::Outcome;
use crate::hub::Hub;
use crate::platform::Kept;
use crate::platform::access::Access;
use crate::platform::admission::{Admission, notices};
use crate::telemetry::Log;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// The chain, and what runs beside it.
pub struct Deciding {
    /// The first link, which everybody asks.
    pub authorizer: Arc<dyn Authorizer>,
    /// The back end that is asked, on a thread of its own: what is slow there stands in the way of nothing.
    asked: Option<(Admission, RuntimeThread)>,
}

impl Deciding {
    /// As the options say: what is registered first, then the admission back end, the server's passwords last.
    ///
    /// # Errors
    /// Internal: no thread, or no client.
    pub fn of(options: &Options, kept: &Kept, hub: &Hub, log: &Log) -> Outcome<Deciding> {
        let Deciding { authorizer, asked } = Deciding::without_registered(options, hub, log)?;
        Ok(Deciding { authorizer: Arc::new(Access::new(kept.clone(), authorizer)), asked })
    }

    fn without_registered(options: &Options, hub: &Hub, log: &Log) -> Outcome<Deciding> {
        let access: Arc<dyn Authorizer> = Arc::new(options.access.clone());
        let Some((target, rules)) = options.admission.clone() else {
            return Ok(Deciding { authorizer: access, asked: None });
        };
        let thread = RuntimeThread::start("admission")?;
        let post = Arc::new(Outgoing::new(target.url.scheme() == "https")?);
        log.info(format_args!("admission: {} is asked in the form {}", target.url, target.form.word()));
        let runs = (thread.handle(), log.clone());
        let admission = Admission::new(target, rules, access, post, hub.clone(), runs);
        Ok(Deciding { authorizer: Arc::new(admission.clone()), asked: Some((admission, thread)) })
    }

    /// Tells the back end what happens, if there is one that is told anything.
    pub fn telling(
        &self,
        hub: &Hub,
        shutdown: watch::Receiver<bool>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let (admission, thread) = self.asked.as_ref().filter(|(admission, _)| admission.is_told())?;
        Some(thread.run(notices::tell(admission.clone(), hub.events().listen(), shutdown)))
    }
}
