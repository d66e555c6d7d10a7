//! Backoff between attempts: exponential, with full jitter, so that many clients do not reconnect at once. Pure.

use crate::domain::time::Millis;
use crate::limits::REST_BASE_MS;

/// The backoff state of one client.
#[derive(Debug)]
pub struct Backoff {
    /// Attempts in a row that failed.
    failures: u32,
    max: Millis,
    dice: u64,
}

impl Backoff {
    /// A backoff whose rests are at most `max` ms; `seed` decides their jitter.
    #[must_use]
    pub fn new(max: Millis, seed: u64) -> Backoff {
        Backoff {
            failures: 0,
            max,
            dice: seed,
        }
    }

    /// Records whether the last attempt was useful (`worth`). A useful attempt resets the backoff.
    pub fn count(&mut self, worth: bool) {
        self.failures = if worth {
            0
        } else {
            self.failures.saturating_add(1)
        };
    }

    /// Whether the last attempt was useful, or none was made yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// The next rest, ms: random between 0 and an upper bound, which doubles with every failure.
    pub fn draw(&mut self) -> Millis {
        let most = REST_BASE_MS
            .saturating_mul(1 << self.failures.min(20))
            .min(self.max);
        // SplitMix64: any uniform distribution is enough.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let span = most.unsigned_abs().saturating_add(1);
        Millis::try_from((z ^ (z >> 31)) % span).unwrap_or(most)
    }
}

/// A seed that differs between processes.
#[must_use]
pub fn seed() -> u64 {
    let mut seed = [0; 8];
    // Without a source of randomness, the process id is the seed.
    match getrandom::fill(&mut seed) {
        Ok(()) => u64::from_le_bytes(seed),
        Err(_) => u64::from(std::process::id()),
    }
}
