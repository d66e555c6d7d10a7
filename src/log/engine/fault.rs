//! Wraps any engine and adds faults: the nth append or sync fails, a crash loses what was not synced, a read value
//! has a flipped bit. For tests, here and in programs that use the library.

use super::{Engine, Journal, JournalError, KeyValues, StoredValue, Values};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An engine around another one that adds faults. Without faults it forwards every call.
#[derive(Debug)]
pub struct FaultJournal<E> {
    inner: E,
    plan: Mutex<FaultPlan>,
}

#[derive(Debug, Default)]
struct FaultPlan {
    appends_until_failure: Option<u64>,
    appended_by_failure: usize,
    syncs_until_failure: Option<u64>,
    /// Bits to flip, by position.
    flips: BTreeMap<u64, Vec<u64>>,
    synced_head: u64,
}

/// Counts down to a failure. Returns whether this call is the one that fails.
fn fails(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => {
            *left = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl<E: Engine> FaultJournal<E> {
    /// Wraps an engine, without faults so far. Everything the engine holds counts as synced.
    pub fn new(inner: E) -> Self {
        let plan = FaultPlan {
            synced_head: inner.head(),
            ..FaultPlan::default()
        };
        FaultJournal {
            inner,
            plan: Mutex::new(plan),
        }
    }

    fn plan(&self) -> MutexGuard<'_, FaultPlan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the append after `good` more fail, but keep its first `appended` values, as a torn write does.
    pub fn fail_append(&self, good: u64, appended: usize) {
        let mut plan = self.plan();
        plan.appends_until_failure = Some(good);
        plan.appended_by_failure = appended;
    }

    /// Makes the sync after `good` more fail.
    pub fn fail_sync(&self, good: u64) {
        self.plan().syncs_until_failure = Some(good);
    }

    /// Flips a bit of the value at a position in all later reads (bit modulo the value's length in bits).
    pub fn flip(&self, position: u64, bit: u64) {
        self.plan().flips.entry(position).or_default().push(bit);
    }

    /// Simulates a stop of the machine: of the values that were not synced, only the first `survivors` remain. The
    /// key values remain unchanged, so they may be ahead of the log.
    ///
    /// # Errors
    /// The engine failed.
    pub fn crash(&self, survivors: u64) -> Result<(), JournalError> {
        let mut plan = self.plan();
        let kept = plan.synced_head.saturating_add(survivors);
        let head = self.inner.head().min(kept.max(self.inner.first() - 1));
        self.inner.cut(head)?;
        *plan = FaultPlan {
            synced_head: head,
            ..FaultPlan::default()
        };
        Ok(())
    }
}

fn flipped(plan: &FaultPlan, position: u64, mut value: Vec<u8>) -> Vec<u8> {
    for &bit in plan.flips.get(&position).into_iter().flatten() {
        let bits = (value.len() as u64 * 8).max(1);
        let at = bit % bits;
        if let Some(byte) = value.get_mut((at / 8) as usize) {
            *byte ^= 1 << (at % 8);
        }
    }
    value
}

impl<E: Engine> Journal for FaultJournal<E> {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        let mut plan = self.plan();
        if fails(&mut plan.appends_until_failure) {
            let torn = values.get(..plan.appended_by_failure).unwrap_or(values);
            self.inner.append(expected_head, torn)?;
            return Err(JournalError::Injected);
        }
        self.inner.append(expected_head, values)
    }

    fn sync(&self) -> Result<(), JournalError> {
        let mut plan = self.plan();
        if fails(&mut plan.syncs_until_failure) {
            return Err(JournalError::Injected);
        }
        let head = self.inner.head();
        self.inner.sync()?;
        plan.synced_head = head;
        Ok(())
    }

    fn head(&self) -> u64 {
        self.inner.head()
    }

    fn first(&self) -> u64 {
        self.inner.first()
    }

    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let value = self.inner.get(position)?;
        Ok(value.map(|value| flipped(&self.plan(), position, value)))
    }

    fn read(&self, from: u64) -> Values<'_> {
        Box::new(self.inner.read(from).map(|item| {
            let (position, value) = item?;
            let plan = self.plan();
            if plan.flips.contains_key(&position) {
                let value = flipped(&plan, position, value.to_vec());
                return Ok((position, StoredValue::new(value)));
            }
            Ok((position, value))
        }))
    }

    fn trim(&self, before: u64) -> Result<(), JournalError> {
        self.inner.trim(before)
    }

    fn cut(&self, head: u64) -> Result<(), JournalError> {
        let mut plan = self.plan();
        self.inner.cut(head)?;
        plan.synced_head = plan.synced_head.min(head);
        Ok(())
    }

    fn close(&self) -> Result<(), JournalError> {
        self.sync()?;
        self.inner.close()
    }
}

impl<E: Engine> KeyValues for FaultJournal<E> {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        self.inner.put(key, value)
    }

    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.inner.lookup(key)
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        self.inner.keys(prefix)
    }

    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        self.inner.remove(key)
    }
}
