//! Sends the messages of webhooks: no redirects, no proxy, a time limit, and never to a link-local address, whatever its name
//! is. Of an answer the head alone is read.

use crate::base::clock::now_ms;
use crate::base::failure::io_words;
use crate::base::printable::bounded;
use crate::base::secret::redact_urls;
use crate::platform::hooks::schedule::Answer;
use crate::platform::hooks::sending::{Message, Post};
use crate::platform::hooks::target::{check, is_forbidden};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use std::error::Error;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Until the head of an answer is here.
const PATIENCE: Duration = Duration::from_secs(15);
/// Characters of a reason.
const LONGEST: usize = 200;

/// See the module. It costs nothing until the first message, and little until the first https.
#[derive(Default)]
pub struct Poster {
    plain: OnceLock<reqwest::Client>,
    secure: OnceLock<reqwest::Client>,
}

impl Poster {
    async fn send(&self, message: Message) -> Result<Answer, String> {
        let url = check(&message.url)?;
        let mut request = self.client(url.scheme() == "https")?.post(url).body(message.body);
        for (name, value) in message.fields {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|e| reason(&e))?;
        let field = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = field.and_then(|text| wait(text, now_ms()));
        Ok(Answer::Status { code: response.status().as_u16(), retry_after })
    }

    fn client(&self, secure: bool) -> Result<&reqwest::Client, String> {
        let cell = if secure { &self.secure } else { &self.plain };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("msconv/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would look the name up itself.
            .no_proxy()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1)
            .dns_resolver(Arc::new(Guarded));
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        if !secure {
            // No roots at all: such a client never speaks TLS, and reading the system's store takes memory.
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| e.to_string())?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            builder = builder.tls_backend_preconfigured(tls);
        }
        let made = builder.build().map_err(|e| reason(&e))?;
        Ok(cell.get_or_init(|| made))
    }
}

impl Post for Poster {
    fn post(&self, message: Message) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move { self.send(message).await.unwrap_or_else(Answer::None) })
    }
}

/// The wait that `Retry-After` asks for: seconds, or a date.
fn wait(text: &str, now_ms: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at_ms = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_millisecond();
    u64::try_from(at_ms.saturating_sub(now_ms)).ok().map(Duration::from_millis)
}

/// Why there was no answer, without the address, which may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "there was no answer within 15 s".into();
    }
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let words = match deepest.downcast_ref::<std::io::Error>() {
        Some(error) => io_words(error),
        None => deepest.to_string(),
    };
    bounded(&redact_urls(&words), LONGEST)
}

/// Looks names up and leaves out what must not be connected to.
struct Guarded;

/// A name has no address that may be sent to.
#[derive(Debug, thiserror::Error)]
enum Nowhere {
    #[error("the host name is not known")]
    Unknown,
    #[error("its name has link-local addresses alone, which are not sent to")]
    LinkLocal,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_string();
        Box::pin(async move {
            // Nobody waits for the thread: a look-up cannot be cancelled.
            let (answer, answered) = tokio::sync::oneshot::channel();
            std::thread::Builder::new().name("look-up".into()).spawn(move || {
                let _ = answer.send((host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
            })?;
            let found = answered.await.ok().and_then(Result::ok).unwrap_or_default();
            let allowed = allowed(found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Nowhere> {
    let unknown = found.is_empty();
    let allowed: Vec<_> = found.into_iter().filter(|at| !is_forbidden(at.ip())).collect();
    match (allowed.is_empty(), unknown) {
        (false, _) => Ok(allowed),
        (true, true) => Err(Nowhere::Unknown),
        (true, false) => Err(Nowhere::LinkLocal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_no_link_local_address() {
        let of = |texts: &[&str]| allowed(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert!(matches!(of(&[]), Err(Nowhere::Unknown)));
        assert!(matches!(of(&["169.254.169.254:0", "[fe80::1]:0"]), Err(Nowhere::LinkLocal)));
        assert_eq!(of(&["169.254.1.1:0", "10.0.0.1:0"]).unwrap(), ["10.0.0.1:0".parse().unwrap()]);
    }

    #[test]
    fn waits_are_seconds_or_a_date() {
        assert_eq!(wait(" 120 ", 0), Some(Duration::from_secs(120)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:01:00 GMT", 1000), Some(Duration::from_secs(59)));
        for wrong in ["", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(wait(wrong, 1000), None, "{wrong}");
        }
    }
}
