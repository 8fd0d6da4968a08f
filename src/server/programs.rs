//! Ladders of what others publish and sources of registered streams, put together: where the server is reached, and what it
//! asks for there.

use super::options::Options;
use crate::auth::Credentials;
use crate::base::secret::Secret;
use crate::hub::Hub;
use crate::model::service::Service;
use crate::model::{LadderPolicy, StreamName};
use crate::platform::Kept;
use crate::platform::ladders::{Ladders, Policies};
use crate::platform::programs::Target;
use crate::platform::sources::Sources;
use crate::telemetry::Log;
use std::net::SocketAddr;
use std::sync::Arc;

/// A registered stream says itself what ladder it gets; all others get the usual one.
struct OfStreams {
    kept: Kept,
    usual: LadderPolicy,
}

impl Policies for OfStreams {
    fn policy(&self, name: &StreamName) -> LadderPolicy {
        let registered = self.kept.directory().find(&name.name);
        let own = registered.filter(|stream| !stream.ladder.is_empty());
        own.and_then(|stream| stream.ladder.parse().ok()).unwrap_or_else(|| self.usual.clone())
    }
}

/// What makes ladders of what others publish, if there is a program for it. While nobody wants one it only listens.
pub fn of(options: &Options, kept: &Kept, hub: &Hub, log: &Log) -> Option<Ladders> {
    let program = options.program.clone()?;
    let policies = Arc::new(OfStreams { kept: kept.clone(), usual: options.ladder.clone() });
    Some(Ladders::new(hub.clone(), (program, target(options)), policies, kept.passes().clone(), log.clone()))
}

/// What runs the sources of registered streams, if there is a program for it.
pub fn sources(options: &Options, kept: &Kept, log: &Log) -> Option<Sources> {
    let (program, application) = (options.program.clone()?, options.applications.first()?.clone());
    Some(Sources::new(kept.clone(), program, target(options), application, log.clone()))
}

fn target(options: &Options) -> Target {
    let at = |ip, service| SocketAddr::new(ip, options.ports.of(service));
    let login = |known: &Option<Credentials>| {
        known.as_ref().map(|known| (known.user().to_string(), Secret::new(known.password())))
    };
    Target {
        rtmp: at(options.listen, Service::Rtmp),
        rtsp: at(options.listen, Service::Rtsp),
        stat: at(options.control_listen, Service::Stat),
        stat_path: options.stat_path.clone(),
        api: at(options.control_listen, Service::Api),
        read: login(&options.access.read),
    }
}
