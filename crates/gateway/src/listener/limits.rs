//! How many connections are open: in all, on a listener, and of one client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::workers::Place;

/// An open connection's right to be so; dropped, it is given back.
#[derive(Debug)]
pub struct Permit {
    _all: OwnedSemaphorePermit,
    _listener: OwnedSemaphorePermit,
    _address: Option<AddressPermit>,
    _place: Option<Place>,
}

impl Permit {
    /// Takes one permit of each, at once or not at all.
    pub(super) fn try_acquire(all: &Arc<Semaphore>, listener: &Arc<Semaphore>) -> Option<Self> {
        let all = all.clone().try_acquire_owned().ok()?;
        let listener = listener.clone().try_acquire_owned().ok()?;
        Some(Self { _all: all, _listener: listener, _address: None, _place: None })
    }

    /// Waits for one permit of each.
    pub(super) async fn acquire(all: &Arc<Semaphore>, listener: &Arc<Semaphore>) -> Option<Self> {
        // The listener's first: who waits must not keep a permit from other listeners.
        let listener = listener.clone().acquire_owned().await.ok()?;
        let all = all.clone().acquire_owned().await.ok()?;
        Some(Self { _all: all, _listener: listener, _address: None, _place: None })
    }

    /// Keeps the connection's place on its thread.
    pub(super) fn keep_place(&mut self, place: Place) {
        self._place = Some(place);
    }

    /// Counts the connection for its client's address as well; false when that has its fill.
    pub(super) fn count_address(&mut self, addresses: &Arc<Addresses>, address: IpAddr) -> bool {
        self._address = addresses.clone().enter(address);
        self._address.is_some()
    }
}

/// Open connections by client address. It holds no more entries than there are connections.
#[derive(Debug)]
pub(super) struct Addresses {
    limit: u32,
    open: Mutex<HashMap<IpAddr, u32>>,
}

#[derive(Debug)]
struct AddressPermit {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl Addresses {
    pub(super) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    fn enter(self: Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let key = key(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(&key).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        open.insert(key, count + 1);
        drop(open);
        Some(AddressPermit { addresses: self, key })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is one subscriber's to fill.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_has_its_fill_and_gives_back() {
        let addresses = Addresses::new(2);
        let enter = |text: &str| addresses.clone().enter(text.parse().unwrap());
        let (one, two) = (enter("192.0.2.1").unwrap(), enter("::ffff:192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none());
        let other = enter("192.0.2.2").unwrap();
        drop(one);
        assert!(enter("192.0.2.1").is_some());
        drop((two, other));
        assert!(addresses.open.lock().unwrap().is_empty());
    }

    #[test]
    fn a_prefix_of_64_bits_is_one_client() {
        let addresses = Addresses::new(1);
        let _one = addresses.clone().enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(addresses.clone().enter("2001:db8::2".parse().unwrap()).is_none());
        assert!(addresses.clone().enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn a_permit_takes_both_or_neither() {
        let (all, listener) = (Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(1)));
        let first = Permit::try_acquire(&all, &listener).unwrap();
        assert!(Permit::try_acquire(&all, &listener).is_none());
        assert_eq!(all.available_permits(), 1);
        drop(first);
        assert_eq!((all.available_permits(), listener.available_permits()), (2, 1));
    }
}
