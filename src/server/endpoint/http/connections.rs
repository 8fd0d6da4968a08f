//! Connection limits of an endpoint: in all, and per address.

use super::Endpoint;
use super::phase::Phase;
use crate::model::network::is_loopback;
use crate::server::per_address::{Counted, PerAddress};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is connected, oldest first.
#[derive(Clone, Default)]
pub struct Connections {
    inside: Arc<Mutex<Inside>>,
    addresses: PerAddress,
}

#[derive(Default)]
struct Inside {
    next: u64,
    phases: BTreeMap<u64, Arc<Phase>>,
}

/// The right to be connected.
pub struct Connection {
    connections: Connections,
    number: u64,
    _counted: Counted,
    /// Where it is.
    pub phase: Arc<Phase>,
}

impl Connections {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in. Where there are too many, the oldest that asks nothing makes room.
    pub fn enter(&self, ip: IpAddr, endpoint: &Endpoint) -> Option<Connection> {
        let address = (!is_loopback(ip)).then_some(ip.to_canonical());
        let Some(counted) = self.addresses.enter(address, endpoint.limits.per_address) else {
            endpoint.registry.broke("http_connections_per_address");
            return None;
        };
        let mut inside = self.inside();
        if inside.phases.len() >= endpoint.limits.connections {
            endpoint.registry.broke("http_connections");
            // The oldest that asks nothing makes room; one whose answer is under way is left alone.
            let idle =
                inside.phases.iter().find(|(_, phase)| phase.idle()).map(|(n, phase)| (*n, phase.clone()));
            let (number, phase) = idle?;
            phase.end();
            inside.phases.remove(&number);
        }
        inside.next = inside.next.saturating_add(1);
        let number = inside.next;
        let phase = Arc::new(Phase::new());
        inside.phases.insert(number, phase.clone());
        Some(Connection { connections: self.clone(), number, _counted: counted, phase })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.inside().phases.remove(&self.number);
    }
}
