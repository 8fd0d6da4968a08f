//! Who may do what where nobody has an account: a browser or program on this machine moderates, as it may use the control
//! endpoints; everybody who may watch may read and write.

use super::outside::{Asking, Who};
use crate::auth::{Action, Protocol};
use crate::platform::chat::{Later, Role};
use crate::protocol::web_access::{Gate, Question, Turned};
use crate::server::endpoint::permission::{Permission, Rules, Sender};
use axum::http::header::ORIGIN;
use std::sync::Arc;

/// See the module.
pub struct Here {
    /// Who is as good as this machine.
    pub rules: Rules,
    /// Who may watch.
    pub gate: Arc<Gate>,
}

impl Who for Here {
    fn role(&self, asking: Asking) -> Later<Result<Role, Turned>> {
        let origin = asking.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
        let sender =
            Sender { remote: asking.remote, host: asking.host.as_deref(), origin, authorization: None };
        if self.rules.check(&sender) == Permission::Yes {
            return Box::pin(std::future::ready(Ok(Role::Moderator)));
        }
        let gate = self.gate.clone();
        Box::pin(async move {
            let question = Question {
                action: Action::Read,
                protocol: Protocol::Hls,
                stream: &asking.found.stream,
                query: &asking.query,
                headers: &asking.headers,
                remote: asking.remote,
            };
            gate.ask(question).await.map(|_| Role::Viewer)
        })
    }
}
