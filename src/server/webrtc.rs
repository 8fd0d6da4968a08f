//! WebRTC put together: its socket, its thread, and what the web port asks of it.

use super::options::Options;
use super::runtime_thread::RuntimeThread;
use crate::auth::{Authorizer, Ledger};
use crate::base::{Failure, Outcome, failure::io_words};
use crate::hub::Hub;
use crate::protocol::webrtc::converter::Converter;
use crate::protocol::webrtc::engine::Engine;
use crate::protocol::webrtc::peer::Identity;
use crate::protocol::webrtc::server::{Settings, Shared};
use crate::protocol::webrtc::socket::Socket;
use crate::protocol::webrtc::tcp;
use crate::telemetry::Log;
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What WebRTC needs of the server.
pub struct Parts<'a> {
    /// What the server is told.
    pub options: &'a Options,
    /// The streams.
    pub hub: Hub,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who guessed wrong.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What happened.
    pub log: Log,
    /// When the server ends.
    pub shutdown: watch::Receiver<bool>,
}

/// Begins on `thread`: encryption and small datagrams of many viewers, which delay nothing else there. What answers offers,
/// and what runs.
///
/// # Errors
/// Internal: the socket cannot be used, or there is no certificate.
pub fn begin(
    parts: Parts<'_>,
    (socket, listener): (UdpSocket, std::net::TcpListener),
    thread: &RuntimeThread,
) -> Outcome<(Arc<Shared>, impl Future<Output = ()> + Send + use<>)> {
    let failed = |why: String| Failure::internal("cannot serve WebRTC").why(why);
    let unusable = |error: std::io::Error| failed(io_words(&error));
    let (socket, listener) = {
        let _theirs = thread.enter();
        (Socket::new(socket).map_err(unusable)?, TcpListener::from_std(listener).map_err(unusable)?)
    };
    let identity = Identity::new().ok_or_else(|| failed("no certificate could be made".into()))?;
    let Parts { options, hub, authorizer, ledger, log, shutdown } = parts;
    let settings = Settings { public: public(options, &log), ice_servers: options.ice_server.clone() };
    let ours = (identity, Converter::new(options.ffmpeg.clone()));
    let engine = Arc::new(Engine::new(hub, log.clone(), socket, thread.handle(), ours, shutdown.clone()));
    let over_tcp = tcp::serve(engine.clone(), listener, shutdown);
    let shared =
        Shared::new(engine.clone(), options.applications.clone().into(), authorizer, ledger, log, settings);
    let running = async move {
        tokio::join!(engine.serve(), over_tcp);
    };
    Ok((Arc::new(shared), thread.run(running)))
}

/// The public addresses; names are asked for once. One that nobody knows is said and left out.
fn public(options: &Options, log: &Log) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for name in &options.public_address {
        match (name.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => found.extend(addresses.map(|address| address.ip())),
            Err(error) => {
                log.warn(format_args!("webrtc: public_address {name} is left out: {}", io_words(&error)))
            }
        }
    }
    found.dedup();
    found
}
