//! Connection limits of an endpoint: in all, and per address.

use super::Endpoint;
use super::phase::Phase;
use crate::model::network::is_loopback;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is connected, oldest first.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    next: u64,
    phases: BTreeMap<u64, Arc<Phase>>,
    addresses: HashMap<IpAddr, usize>,
}

/// The right to be connected.
pub struct Connection {
    connections: Connections,
    number: u64,
    address: Option<IpAddr>,
    /// Where it is.
    pub phase: Arc<Phase>,
}

impl Connections {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in. Where there are too many, the oldest that asks nothing makes room.
    pub fn enter(&self, ip: IpAddr, endpoint: &Endpoint) -> Option<Connection> {
        let address = (!is_loopback(ip)).then_some(ip.to_canonical());
        let mut inside = self.inside();
        let count = address.and_then(|a| inside.addresses.get(&a)).copied().unwrap_or(0);
        if count >= endpoint.limits.per_address {
            endpoint.registry.broke("http_connections_per_address");
            return None;
        }
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
        if let Some(address) = address {
            let count = inside.addresses.entry(address).or_default();
            *count = count.saturating_add(1);
        }
        Some(Connection { connections: self.clone(), number, address, phase })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut inside = self.connections.inside();
        inside.phases.remove(&self.number);
        if let Some(address) = self.address
            && let Some(count) = inside.addresses.get_mut(&address)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.addresses.remove(&address);
            }
        }
    }
}
