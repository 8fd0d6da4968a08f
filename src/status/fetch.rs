//! One bounded HTTP request at a control endpoint, with a reason of its own for each way to fail.
//!
//! What answers may be slow, endless, somebody else, or a liar, and the supervisor asks every second for weeks: so
//! time and size are bounded, connections are kept, redirects are not followed, nothing is decompressed, and
//! certificates are loaded only when an https address is asked for (they cost megabytes).

use crate::base::clock::spoken;
use crate::base::failure::io_words;
use crate::base::printable::bounded;
use crate::base::secret::redact_urls;
use crate::model::HttpUrl;
use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use std::error::Error as StdError;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;
use std::time::Duration;

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands, name look-up included.
    pub connect: Duration,
    /// Until the last byte of the answer is here.
    pub total: Duration,
    /// Largest body, in bytes.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(2),
            total: Duration::from_millis(2_500),
            body: 32 * 1024 * 1024,
        }
    }
}

/// Why a control endpoint gave nothing usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// The name has no address.
    #[error("the host name is not known")]
    UnknownHost,
    /// The network says no.
    #[error("{0}")]
    Unreachable(String),
    /// Not within the time limit.
    #[error("no whole answer within {}", spoken(*.0))]
    TimedOut(Duration),
    /// It hung up before the answer was whole.
    #[error("it closed the connection before the answer was whole")]
    ClosedEarly,
    /// It speaks something else.
    #[error("it does not speak HTTP")]
    NotHttp,
    /// It answers, but not with success.
    #[error("it answers with HTTP {code}{words}", code = .0, words = status_words(*.0))]
    Status(u16),
    /// It sends us elsewhere, where we do not go.
    #[error("it redirects to {0}, which is not followed")]
    Redirect(String),
    /// The body is larger than allowed, declared or in fact.
    #[error("the answer is larger than {} MB", .0 / (1024 * 1024))]
    TooLarge(u64),
    /// A compression that we did not offer.
    #[error("the answer is compressed ({0}), which was not asked for")]
    Compressed(String),
    /// TLS failed.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// The client could not be made, or the address not be used.
    #[error("cannot ask: {0}")]
    Setup(String),
}

fn status_words(status: u16) -> &'static str {
    match status {
        400 => " (bad request)",
        401 => " (not authorised)",
        403 => " (forbidden)",
        404 => " (not found)",
        429 => " (too many requests)",
        500 => " (internal error)",
        502 => " (bad gateway)",
        503 => " (unavailable)",
        504 => " (gateway time-out)",
        _ => "",
    }
}

/// A client that keeps its connections; make one and use it for every request. Not `Clone`: share it by reference.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    plain_local: OnceLock<reqwest::Client>,
    plain_remote: OnceLock<reqwest::Client>,
    secure_local: OnceLock<reqwest::Client>,
    secure_remote: OnceLock<reqwest::Client>,
}

impl Client {
    /// A client with these bounds. Costs nothing until the first request.
    pub fn new(limits: Limits) -> Client {
        Client {
            limits,
            plain_local: OnceLock::new(),
            plain_remote: OnceLock::new(),
            secure_local: OnceLock::new(),
            secure_remote: OnceLock::new(),
        }
    }

    /// The bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The body at `url` with `tail` (a path, a query or both) behind it. Credentials of the URL go out as Basic
    /// authentication.
    ///
    /// # Errors
    /// One [`FetchError`] per way to fail; every status but 200 is one of them.
    pub async fn get(&self, url: &HttpUrl, tail: &str) -> Result<Vec<u8>, FetchError> {
        self.bounded(self.client(url)?.get(address(url, tail))).await
    }

    /// Sends JSON to `url` with `tail` behind it; as [`Client::get`].
    ///
    /// # Errors
    /// As [`Client::get`]; 204 is a success, too.
    pub async fn post(&self, url: &HttpUrl, tail: &str, json: String) -> Result<Vec<u8>, FetchError> {
        let request = self.client(url)?.post(address(url, tail));
        match self.bounded(request.header(CONTENT_TYPE, "application/json").body(json)).await {
            Err(FetchError::Status(204)) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Sends JSON, or nothing where it is empty, to `url` with `tail` behind it; the status and the body, whichever status
    /// it is.
    ///
    /// # Errors
    /// As [`Client::get`], but for the status.
    pub async fn exchange(
        &self,
        method: Method,
        url: &HttpUrl,
        tail: &str,
        json: String,
    ) -> Result<(u16, Vec<u8>), FetchError> {
        let mut request = self.client(url)?.request(method, address(url, tail));
        if !json.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        match tokio::time::timeout(self.limits.total, self.attempt(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::TimedOut(self.limits.total)),
        }
    }

    async fn bounded(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, FetchError> {
        match tokio::time::timeout(self.limits.total, self.attempt(request)).await {
            Ok(Ok((200, body))) => Ok(body),
            Ok(Ok((status, _))) => Err(FetchError::Status(status)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(FetchError::TimedOut(self.limits.total)),
        }
    }

    async fn attempt(&self, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), FetchError> {
        let mut response = request.send().await.map_err(|e| self.reason(&e))?;
        let status = response.status();
        let header =
            |name| response.headers().get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        if status.is_redirection()
            && let Some(target) = header(LOCATION)
        {
            return Err(FetchError::Redirect(bounded(&redact_urls(&target), 200)));
        }
        if let Some(encoding) = header(CONTENT_ENCODING)
            && !encoding.trim().is_empty()
            && !encoding.trim().eq_ignore_ascii_case("identity")
        {
            return Err(FetchError::Compressed(bounded(&encoding, 40)));
        }
        let most = self.limits.body;
        if response.content_length().is_some_and(|n| n > most) {
            return Err(FetchError::TooLarge(most));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.reason(&e))? {
            if (body.len() as u64).saturating_add(chunk.len() as u64) > most {
                return Err(FetchError::TooLarge(most));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status.as_u16(), body))
    }

    fn client(&self, url: &HttpUrl) -> Result<&reqwest::Client, FetchError> {
        let secure = url.scheme() == "https";
        let cell = match (secure, url.is_local()) {
            (false, true) => &self.plain_local,
            (false, false) => &self.plain_remote,
            (true, true) => &self.secure_local,
            (true, false) => &self.secure_remote,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let made = self.build(secure, url.is_local())?;
        Ok(cell.get_or_init(|| made))
    }

    fn build(&self, secure: bool, local: bool) -> Result<reqwest::Client, FetchError> {
        let setup = |e: &dyn StdError| FetchError::Setup(bounded(&e.to_string(), 200));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("msconv/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.limits.connect)
            .pool_max_idle_per_host(1)
            .dns_resolver(std::sync::Arc::new(Resolver));
        if local {
            builder = builder.no_proxy();
        }
        if secure {
            // A second installation is refused and changes nothing.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        } else {
            // No roots at all: such a client never speaks TLS, and reading the system's store takes time and memory.
            let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| setup(&e))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            builder = builder.tls_backend_preconfigured(tls);
        }
        builder.build().map_err(|e| setup(&e))
    }

    /// The first cause in the chain that says something definite.
    fn reason(&self, error: &reqwest::Error) -> FetchError {
        if error.is_timeout() {
            return FetchError::TimedOut(if error.is_connect() {
                self.limits.connect
            } else {
                self.limits.total
            });
        }
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            if cause.is::<UnknownHost>() {
                return FetchError::UnknownHost;
            }
            if let Some(known) = cause.downcast_ref::<io::Error>().and_then(io_reason) {
                return known;
            }
            if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
                if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() {
                    return FetchError::ClosedEarly;
                }
                if hyper.is_parse() {
                    return FetchError::NotHttp;
                }
            }
            next = cause.source();
        }
        if error.is_body() || error.is_decode() {
            return FetchError::ClosedEarly;
        }
        let mut deepest: &dyn StdError = error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        FetchError::Setup(bounded(&redact_urls(&deepest.to_string()), 200))
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new(Limits::default())
    }
}

fn io_reason(error: &io::Error) -> Option<FetchError> {
    use io::ErrorKind::*;
    if let Some(inner) = error.get_ref() {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(FetchError::Tls(bounded(&tls.to_string(), 200)));
        }
        if inner.is::<UnknownHost>() {
            return Some(FetchError::UnknownHost);
        }
        // `source()` of an I/O error skips the error inside it, so the nested one is looked at here.
        if let Some(known) = inner.downcast_ref::<io::Error>().and_then(io_reason) {
            return Some(known);
        }
    }
    match error.kind() {
        ConnectionRefused => Some(FetchError::Refused),
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => Some(FetchError::ClosedEarly),
        HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable | PermissionDenied => {
            Some(FetchError::Unreachable(bounded(&io_words(error), 200)))
        }
        _ => None,
    }
}

/// `url` with `tail` behind its path; a query of the URL's own stays in front of the tail's.
fn address(url: &HttpUrl, tail: &str) -> String {
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    let mut whole = url.join(path);
    if let Some(query) = query {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(query);
    }
    whole
}

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("unknown host")]
struct UnknownHost;

/// Looks names up. `localhost` is not looked up at all: that keeps the polling supervisor free of threads. Other names
/// go to the system on a thread that nobody waits for, because a look-up cannot be cancelled and the runtime would
/// wait for it at the end of the program.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_string();
        Box::pin(async move {
            if host.eq_ignore_ascii_case("localhost") {
                let both =
                    [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
                return Ok(Box::new(both.into_iter()) as Addrs);
            }
            let (answer, answered) = tokio::sync::oneshot::channel();
            std::thread::Builder::new().name("look-up".into()).spawn(move || {
                let _ = answer.send((host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
            })?;
            match answered.await {
                Ok(Ok(addresses)) if !addresses.is_empty() => Ok(Box::new(addresses.into_iter()) as Addrs),
                _ => Err(UnknownHost.into()),
            }
        })
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
