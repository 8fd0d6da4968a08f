//! Sends the messages of webhooks: no redirects, no proxy, a time limit, and never to a link-local address, whatever its name
//! is. Of an answer the head alone is read.

use crate::base::clock::now_ms;
use crate::base::failure::io_words;
use crate::base::printable::bounded;
use crate::base::secret::redact_urls;
use crate::platform::hooks::schedule::Answer;
use crate::platform::hooks::sending::{Message, Post};
use crate::platform::hooks::target::check;
use crate::server::outgoing;
use reqwest::header::RETRY_AFTER;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
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
        let made = outgoing::client(secure, |builder| builder.timeout(PATIENCE).pool_max_idle_per_host(1))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_a_date() {
        assert_eq!(wait(" 120 ", 0), Some(Duration::from_secs(120)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:01:00 GMT", 1000), Some(Duration::from_secs(59)));
        for wrong in ["", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(wait(wrong, 1000), None, "{wrong}");
        }
    }
}
