//! Requests to the operator's back ends: bounded, without redirects, and never to addresses of the link alone, where clouds keep
//! their machines' secrets. This machine and private networks may be asked: the operator has written the address down.

use crate::base::{Failure, Outcome, printable};
use crate::model::network::is_link_local;
use crate::platform::admission::{HttpAnswer, HttpRequest, LARGEST_ANSWER, Method, Post, Posted, Silence};
use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use std::error::Error as StdError;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections that are kept for the next request.
const KEPT: usize = 8;
/// The longest `Location` that is read.
const LONGEST_LOCATION: usize = 1024;

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub struct Outgoing(reqwest::Client);

impl Outgoing {
    /// A client for `https`, too, if `secure`: then the system's certificates are read.
    ///
    /// # Errors
    /// Internal: the client cannot be made.
    pub fn new(secure: bool) -> Outcome<Outgoing> {
        let made = client(secure, |builder| builder.connect_timeout(CONNECT).pool_max_idle_per_host(KEPT));
        made.map(Outgoing)
            .map_err(|why| Failure::internal("cannot make requests to the admission back end").why(why))
    }
}

/// A client of our own kind, with limits of the caller's: no redirects, no proxy, which would look names up itself, no
/// addresses of the link, and certificates only where it is `secure`, since reading the system's takes memory.
///
/// # Errors
/// Why it cannot be made.
pub fn client(
    secure: bool,
    limits: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("msconv/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(NotOfTheLink));
    let mut builder = limits(builder);
    // A second installation is refused and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if !secure {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(tls);
    }
    builder.build().map_err(|e| e.to_string())
}

impl Post for Outgoing {
    fn post(&self, request: HttpRequest) -> Posted {
        let client = self.0.clone();
        Box::pin(async move { send(client, request).await })
    }
}

async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpAnswer, Silence> {
    let mut building = match request.method {
        Method::Get => client.get(request.url),
        Method::Post => client.post(request.url).body(request.body),
    };
    for (name, value) in request.headers {
        building = building.header(name, value);
    }
    let request = building.build().map_err(|e| reason(&e))?;
    // Names go through the look-up below; an address may be written in more ways than one.
    let host = request.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host.parse().is_ok_and(is_link_local) {
        return Err(Silence(OfTheLink.to_string()));
    }
    let mut response = client.execute(request).await.map_err(|e| reason(&e))?;
    let location = response.headers().get(LOCATION).map(|value| value.as_bytes());
    let location = location.filter(|value| value.len() <= LONGEST_LOCATION);
    let location = location.map(|value| String::from_utf8_lossy(value).into_owned());
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| reason(&e))? {
        if body.len().saturating_add(chunk.len()) > LARGEST_ANSWER {
            return Err(Silence(format!("its answer is larger than {} KiB", LARGEST_ANSWER / 1024)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpAnswer { status, location, body })
}

/// What went wrong, without the URL, which may be a secret.
fn reason(error: &reqwest::Error) -> Silence {
    let mut deepest: &dyn StdError = error;
    while let Some(source) = deepest.source() {
        if source.is::<OfTheLink>() {
            return Silence(OfTheLink.to_string());
        }
        deepest = source;
    }
    Silence(if error.is_timeout() {
        "no connection in time".into()
    } else if deepest.is::<reqwest::Error>() {
        "the request could not be made".into()
    } else {
        printable::bounded(&deepest.to_string(), 200)
    })
}

/// The name leads to where nobody is asked.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to a link-local address, which is never asked")]
struct OfTheLink;

/// Looks names up, on a thread that nobody waits for at the end of the program, and leaves out addresses of the link.
struct NotOfTheLink;

impl Resolve for NotOfTheLink {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_string();
        Box::pin(async move {
            let (answer, answered) = tokio::sync::oneshot::channel();
            std::thread::Builder::new().name("look-up".into()).spawn(move || {
                let _ = answer.send((host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
            })?;
            let found = answered.await??;
            let fit: Vec<SocketAddr> = found.into_iter().filter(|at| !is_link_local(at.ip())).collect();
            if fit.is_empty() {
                return Err(OfTheLink.into());
            }
            Ok(Box::new(fit.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_of_the_link_are_never_asked() {
        let outgoing = Outgoing::new(false).unwrap();
        for host in ["169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]", "[::ffff:169.254.1.1]"] {
            let request = HttpRequest {
                method: Method::Get,
                url: format!("http://{host}/latest"),
                headers: Vec::new(),
                body: String::new(),
            };
            let why = outgoing.post(request).await.unwrap_err();
            assert_eq!(why.0, OfTheLink.to_string(), "{host}");
        }
        let looked_up = NotOfTheLink.resolve("169.254.169.254".parse().unwrap()).await;
        assert!(looked_up.is_err_and(|e| e.is::<OfTheLink>()));
        assert!(NotOfTheLink.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
