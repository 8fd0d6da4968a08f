//! Under which addresses streams are reached: the host is that by which the request came.

use crate::config::serve::Serve;
use crate::model::service::{Ports, Service};
use crate::server::options::Options;
use axum::http::HeaderMap;
use axum::http::header::HOST;

/// What all addresses have in common.
#[derive(Clone, Debug)]
pub struct Addresses {
    ports: Ports,
    tls: bool,
    application: String,
}

/// As seen by one request.
#[derive(Clone, Debug)]
pub struct Seen {
    host: String,
    web: String,
    all: Addresses,
}

impl Addresses {
    /// Of a server.
    pub fn of(options: &Options) -> Addresses {
        Addresses {
            ports: options.ports,
            tls: options.tls.is_some(),
            application: options.applications.first().cloned().unwrap_or_default(),
        }
    }

    /// Of a server that would be told this.
    pub fn told(told: &Serve) -> Addresses {
        Addresses {
            ports: told.ports,
            tls: told.tls_cert.is_some(),
            application: told.applications.first().cloned().unwrap_or_default(),
        }
    }

    /// Whether it is https.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// As a request with these fields sees them.
    pub fn seen(&self, headers: &HeaderMap) -> Seen {
        let said = headers.get(HOST).and_then(|value| value.to_str().ok());
        let fits = |host: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            !host.is_empty() && host.len() <= 255 && host.chars().all(plain)
        };
        let usual = format!("localhost:{}", self.ports.of(Service::Web));
        let authority = said.filter(fits).map_or(usual, str::to_string);
        let bare = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &authority,
        };
        let scheme = if self.tls { "https" } else { "http" };
        Seen { host: bare.to_string(), web: format!("{scheme}://{authority}"), all: self.clone() }
    }
}

impl Seen {
    fn media(&self, scheme: &str, service: Service, usual: u16) -> String {
        let port = self.all.ports.of(service);
        let port = if port == usual { String::new() } else { format!(":{port}") };
        format!("{scheme}://{}{port}", self.host)
    }

    /// What an encoder is given as the server: the stream key stands apart.
    pub fn rtmp(&self) -> String {
        format!("{}/{}", self.media("rtmp", Service::Rtmp, 1935), self.all.application)
    }

    /// Of a name.
    pub fn rtsp(&self, name: &str) -> String {
        format!("{}/{name}", self.media("rtsp", Service::Rtsp, 554))
    }

    /// A path of the web port.
    pub fn web(&self, path: &str) -> String {
        format!("{}{path}", self.web)
    }

    /// Something of a stream on the web port.
    pub fn of_stream(&self, name: &str, what: &str) -> String {
        self.web(&format!("/{}/{name}/{what}", self.all.application))
    }

    /// The path of the same.
    pub fn path_of(&self, name: &str, what: &str) -> String {
        format!("/{}/{name}/{what}", self.all.application)
    }
}
