//! Connections counted by the address of their peer, so that one address can't take them all.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Proxies, network_of};

/// The count, shared by all workers. A trusted proxy's connections are those of many clients and are not held to it.
#[derive(Debug, Clone)]
pub struct Connections {
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
    each: u32,
    proxies: Proxies,
}

/// One open connection; uncounted when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    _counted: Option<Arc<Counted>>,
}

#[derive(Debug)]
struct Counted {
    all: Connections,
    network: IpAddr,
}

impl Connections {
    /// None yet; at most `each` for one address (an IPv6 network of 64 bits counts as one).
    #[must_use]
    pub fn new(each: u32, proxies: Proxies) -> Self {
        Self { open: Arc::default(), each, proxies }
    }

    /// Counts a connection from this peer; `None` if it has too many.
    #[must_use]
    pub fn admit(&self, peer: IpAddr) -> Option<Connection> {
        if self.proxies.trusts(peer) {
            return Some(Connection { _counted: None });
        }
        let network = network_of(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_insert(0);
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Connection { _counted: Some(Arc::new(Counted { all: self.clone(), network })) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_connections_and_a_trusted_proxy_as_many_as_come() {
        let proxies = Proxies::new(&["10.0.0.1/32".parse().unwrap()]);
        let connections = Connections::new(2, proxies);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = connections.admit(ip("2001:db8::1")).unwrap();
        let second = connections.admit(ip("2001:db8::2")).unwrap();
        assert!(connections.admit(ip("2001:db8::3")).is_none());
        assert!(connections.admit(ip("192.0.2.1")).is_some(), "others are counted apart");
        let upgraded = first.clone();
        drop(first);
        assert!(connections.admit(ip("2001:db8::3")).is_none(), "an upgraded connection is still one");
        drop(upgraded);
        assert!(connections.admit(ip("2001:db8::3")).is_some());
        let behind: Vec<_> = (0..5).map(|_| connections.admit(ip("10.0.0.1")).unwrap()).collect();
        drop(behind);
        drop(second);
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
