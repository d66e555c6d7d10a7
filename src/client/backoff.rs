//! Rests between attempts: exponential, with full jitter, so that many clients do not come back at once. Pure.

use crate::domain::time::Millis;
use crate::limits::REST_BASE_MS;

/// How long to rest.
#[derive(Debug)]
pub struct Backoff {
    /// Attempts in a row that came to nothing.
    failures: u32,
    max: Millis,
    dice: u64,
}

impl Backoff {
    /// None longer than `max` ms; `seed` decides their jitter.
    #[must_use]
    pub fn new(max: Millis, seed: u64) -> Backoff {
        Backoff {
            failures: 0,
            max,
            dice: seed,
        }
    }

    /// An attempt came to something, or to nothing.
    pub fn count(&mut self, worth: bool) {
        self.failures = if worth {
            0
        } else {
            self.failures.saturating_add(1)
        };
    }

    /// Whether the last attempt was worth it.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// The next rest, ms: anything from nothing to the whole, which doubles with every failure.
    pub fn draw(&mut self) -> Millis {
        let most = REST_BASE_MS
            .saturating_mul(1 << self.failures.min(20))
            .min(self.max);
        // SplitMix64: anything even will do.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let span = most.unsigned_abs().saturating_add(1);
        Millis::try_from((z ^ (z >> 31)) % span).unwrap_or(most)
    }
}

/// A seed that is another one in each process.
#[must_use]
pub fn seed() -> u64 {
    let mut seed = [0; 8];
    // Without randomness the process must do.
    match getrandom::fill(&mut seed) {
        Ok(()) => u64::from_le_bytes(seed),
        Err(_) => u64::from(std::process::id()),
    }
}
