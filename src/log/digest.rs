//! The digest of a roster: a sum of keyed hashes of its members, updated when members come and go.
//!
//! The sum is mod 2^256, and each store has its own key. An XOR could be forged by solving linear equations, and a
//! short sum by a birthday attack. Against this sum an attacker who chooses the names has neither the key nor a
//! shortcut.

/// A 256-bit number, lowest 64 bits first.
pub type Sum = [u64; 4];

/// The term that one member adds to the digest of its roster.
#[must_use]
pub fn member_hash(key: &[u8; 32], topic: &str, user: &str, conn: &str, meta: Option<&str>) -> Sum {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in [topic, user, conn] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    match meta {
        // No real length is this large: so missing metadata differs from empty metadata.
        None => hasher.update(&u64::MAX.to_le_bytes()),
        Some(meta) => {
            hasher.update(&(meta.len() as u64).to_le_bytes());
            hasher.update(meta.as_bytes())
        }
    };
    let hash = hasher.finalize();
    let mut sum = [0; 4];
    for (limb, bytes) in sum.iter_mut().zip(hash.as_bytes().as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*bytes);
    }
    sum
}

/// The digest of all members that were added and not removed, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RosterDigest {
    sum: Sum,
}

impl RosterDigest {
    /// The digest of an empty roster.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member.
    pub fn add(&mut self, member: &Sum) {
        let mut carry = false;
        for (limb, &more) in self.sum.iter_mut().zip(member) {
            let (sum, over) = limb.overflowing_add(more);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over | over_again;
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, member: &Sum) {
        let mut borrow = false;
        for (limb, &less) in self.sum.iter_mut().zip(member) {
            let (rest, under) = limb.overflowing_sub(less);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            *limb = rest;
            borrow = under | under_again;
        }
    }

    /// The digest as a snapshot stores it, little-endian.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.sum) {
            *to = limb.to_le_bytes();
        }
        bytes
    }

    /// Makes a digest from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut sum = [0; 4];
        for (limb, from) in sum.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*from);
        }
        RosterDigest { sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_and_what_goes_again_leaves_nothing() {
        let key = [7; 32];
        let all: Vec<Sum> = (0..50)
            .map(|i| member_hash(&key, "t", &format!("u{i}"), "", Some("{}")))
            .collect();
        let mut there = RosterDigest::new();
        all.iter().for_each(|sum| there.add(sum));
        let mut back = RosterDigest::new();
        all.iter().rev().for_each(|sum| back.add(sum));
        assert_eq!(there, back);
        assert_eq!(RosterDigest::from_bytes(&there.bytes()), there);
        all.iter().for_each(|sum| there.remove(sum));
        assert_eq!(there, RosterDigest::new());
    }

    #[test]
    fn carries_through_all_limbs() {
        let mut digest = RosterDigest::from_bytes(&[0xff; 32]);
        digest.add(&[1, 0, 0, 0]);
        assert_eq!(digest, RosterDigest::new());
        digest.remove(&[1, 0, 0, 0]);
        assert_eq!(digest.bytes(), [0xff; 32]);
    }

    #[test]
    fn parts_do_not_run_together_and_missing_is_not_empty() {
        let key = [7; 32];
        let hash = |t, u, c, m| member_hash(&key, t, u, c, m);
        assert_ne!(hash("a", "bc", "", None), hash("ab", "c", "", None));
        assert_ne!(hash("a", "b", "", None), hash("a", "b", "", Some("")));
        assert_ne!(hash("a", "b", "", None), hash("a", "b", "", Some("null")));
        assert_ne!(
            hash("a", "b", "c", None),
            member_hash(&[8; 32], "a", "b", "c", None)
        );
    }
}
