//! Clients, and limited numbers of places for them. One client never gets all places. A client that holds a place
//! without progress loses it when others wait. What a place is for is not known here.

use crate::limits;
use crate::server::api_error::ApiError;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// One client, however many connections it has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Client {
    /// A process that may open the store's folder. No share limits it.
    Owner,
    /// A holder of tokens: the digest of the subject, or of the token if it has none.
    Token([u8; 32]),
    /// All requests without a token from this address; for IPv6, from its /64 network.
    Address(IpAddr),
}

impl Client {
    /// The client at an address without a token; `None`: through the owner's socket.
    #[must_use]
    pub fn at(address: Option<IpAddr>) -> Client {
        match address.map(|address| address.to_canonical()) {
            None => Client::Owner,
            Some(IpAddr::V6(address)) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Client::Address(Ipv6Addr::from_bits(network).into())
            }
            Some(address) => Client::Address(address),
        }
    }
}

/// A limited number of places, and the clients that wait for one.
pub struct Places {
    room: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The most places for one client.
    share: usize,
    /// The shares of the clients that have a place or wait for one.
    shares: Mutex<HashMap<Client, Share>>,
}

/// The places of one client.
struct Share {
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// The number of places that it has or waits for.
    uses: usize,
}

/// Why there is no free place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The client has used its share.
    Share,
    /// All places are taken.
    Room,
}

impl Full {
    /// The error for the answer; `what` names the limited thing.
    #[must_use]
    pub fn fault(self, what: &str) -> ApiError {
        match self {
            Full::Share => ApiError::Crowded(format!(
                "too many {what} of this client at a time; end some, or come again later (each token is a client, and \
                 without tokens each address)"
            )),
            Full::Room => {
                ApiError::Unavailable(format!("too many {what} at a time; come again later"))
            }
        }
    }
}

impl Places {
    /// Creates free places.
    #[must_use]
    pub fn new(places: usize) -> Arc<Places> {
        let places = places.min(Semaphore::MAX_PERMITS);
        Arc::new(Places {
            room: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
            share: (places * limits::CLIENT_SHARE_PERCENT).div_ceil(100),
            shares: Mutex::default(),
        })
    }

    /// Waits for a place, for at most `patience`.
    ///
    /// # Errors
    /// [`Full`] when no place is free in time.
    pub async fn take(
        self: &Arc<Self>,
        client: &Client,
        patience: Duration,
    ) -> Result<Permit, Full> {
        let began = Instant::now();
        let used = self.uses(client);
        let share = match &used {
            None => None,
            Some(used) => Some(
                within(&used.room, &used.waiting, patience)
                    .await
                    .ok_or(Full::Share)?,
            ),
        };
        let left = patience.saturating_sub(began.elapsed());
        let room = within(&self.room, &self.waiting, left).await;
        Ok(Permit {
            _room: room.ok_or(Full::Room)?,
            _share: share,
            used,
            places: Arc::clone(self),
        })
    }

    /// Takes a place if one is free.
    ///
    /// # Errors
    /// [`Full`].
    pub fn free(self: &Arc<Self>, client: &Client) -> Result<Permit, Full> {
        self.free_together(client, 1)
    }

    /// Takes several places if they are free; they are released together.
    ///
    /// # Errors
    /// [`Full`].
    pub fn free_together(self: &Arc<Self>, client: &Client, places: u32) -> Result<Permit, Full> {
        let used = self.uses(client);
        let share = used
            .as_ref()
            .map(|used| free(&used.room, places))
            .map(|free| free.ok_or(Full::Share));
        Ok(Permit {
            _share: share.transpose()?,
            _room: free(&self.room, places).ok_or(Full::Room)?,
            used,
            places: Arc::clone(self),
        })
    }

    /// How many clients have a place or wait for one.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.shares().len()
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<Client, Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uses(self: &Arc<Self>, client: &Client) -> Option<Used> {
        if *client == Client::Owner {
            return None;
        }
        let mut shares = self.shares();
        let share = shares.entry(client.clone()).or_insert_with(|| Share {
            room: Arc::new(Semaphore::new(self.share)),
            waiting: Arc::default(),
            uses: 0,
        });
        share.uses += 1;
        Some(Used {
            places: Arc::clone(self),
            client: client.clone(),
            room: Arc::clone(&share.room),
            waiting: Arc::clone(&share.waiting),
        })
    }
}

fn free(room: &Arc<Semaphore>, places: u32) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_many_owned(places).ok()
}

async fn within(
    room: &Arc<Semaphore>,
    waiting: &AtomicUsize,
    patience: Duration,
) -> Option<OwnedSemaphorePermit> {
    if let Some(place) = free(room, 1) {
        return Some(place);
    }
    let _waiting = Waiting::among(waiting);
    let place = Arc::clone(room).acquire_owned();
    timeout(patience, place).await.ok()?.ok()
}

/// A taken place; dropping it releases it.
pub struct Permit {
    // Fields drop in this order: the permits are released before `used` can remove the client's share.
    _room: OwnedSemaphorePermit,
    _share: Option<OwnedSemaphorePermit>,
    used: Option<Used>,
    places: Arc<Places>,
}

impl Permit {
    /// Whether another request waits for this place: any request if all places are taken, or one of the same client
    /// if its share is used up.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let waits = |waiting: &AtomicUsize| waiting.load(Ordering::Relaxed) > 0;
        waits(&self.places.waiting) || self.used.as_ref().is_some_and(|used| waits(&used.waiting))
    }
}

/// One place of a client's share, from the start of the wait until its release.
struct Used {
    places: Arc<Places>,
    client: Client,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Used {
    fn drop(&mut self) {
        let mut shares = self.places.shares();
        if let Some(share) = shares.get_mut(&self.client) {
            share.uses -= 1;
            if share.uses == 0 {
                shares.remove(&self.client);
            }
        }
    }
}

/// Counts one waiting request, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn among(waiting: &AtomicUsize) -> Waiting<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
