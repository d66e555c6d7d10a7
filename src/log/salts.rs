//! The salts of the strings in the chain. Erasing a string and its salt leaves the chain intact, and the chain then
//! reveals nothing about the string.
//!
//! A name has one salt while the process lives, so its hash is computed once, not for every event. A text (an id, a
//! reason, metadata) gets a new salt at each use, so that equal texts do not have equal hashes.

use crate::domain::names::{MemberId, MemberKey, NameId, NameTable};

/// The length of a salt.
pub const SALT_BYTES: usize = 8;
/// The length of the salted hash of a string.
pub const STRING_HASH_BYTES: usize = 16;

/// A salt.
pub type Salt = [u8; SALT_BYTES];
/// The hash of a string in the chain: the first bytes of BLAKE3(salt ‖ bytes).
pub type StringHash = [u8; STRING_HASH_BYTES];

/// The hash of a string under its salt.
#[must_use]
pub fn string_hash(salt: &Salt, bytes: &[u8]) -> StringHash {
    // One call on a small buffer is twice as fast as a hasher with two updates; names are short.
    let mut buffer = [0u8; 128];
    let length = SALT_BYTES + bytes.len();
    let digest = if let Some(whole) = buffer.get_mut(..length)
        && let Some((front, rest)) = whole.split_at_mut_checked(SALT_BYTES)
    {
        front.copy_from_slice(salt);
        rest.copy_from_slice(bytes);
        blake3::hash(whole)
    } else {
        let mut hasher = blake3::Hasher::new();
        hasher.update(salt);
        hasher.update(bytes);
        hasher.finalize()
    };
    front(&digest)
}

/// The hash of a member in the chain: the hash of the hashes of its four names.
#[must_use]
pub fn member_hash(
    channel: &StringHash,
    topic: &StringHash,
    user: &StringHash,
    conn: &StringHash,
) -> StringHash {
    let mut all = [0u8; 4 * STRING_HASH_BYTES];
    for (part, hash) in all
        .chunks_exact_mut(STRING_HASH_BYTES)
        .zip([channel, topic, user, conn])
    {
        part.copy_from_slice(hash);
    }
    front(&blake3::hash(&all))
}

fn front(digest: &blake3::Hash) -> StringHash {
    let mut hash = [0; STRING_HASH_BYTES];
    for (to, from) in hash.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    hash
}

/// How many bytes are taken from the generator at a time.
const POOL_BYTES: usize = 1024;

/// Salts and hashes of the names and members of one [`NameTable`], created when first needed.
pub struct Salts {
    generator: blake3::OutputReader,
    pool: [u8; POOL_BYTES],
    used: usize,
    names: Vec<Option<(Salt, StringHash)>>,
    members: Vec<Option<StringHash>>,
}

impl std::fmt::Debug for Salts {
    // Salts are secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salts").finish_non_exhaustive()
    }
}

impl Salts {
    /// Salts that cannot be guessed.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::from_seed(seed))
    }

    /// Salts that depend on a seed only, for tests and golden bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Salts {
            generator: blake3::Hasher::new_keyed(&seed).finalize_xof(),
            pool: [0; POOL_BYTES],
            used: POOL_BYTES,
            names: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Forgets the salts and hashes of one name table, so that another one can be used.
    pub fn forget_names(&mut self) {
        self.names = Vec::new();
        self.members = Vec::new();
    }

    /// A fresh salt.
    pub fn draw(&mut self) -> Salt {
        loop {
            if let Some(salt) = self
                .pool
                .get(self.used..)
                .and_then(|left| left.first_chunk::<SALT_BYTES>())
            {
                self.used += SALT_BYTES;
                return *salt;
            }
            self.generator.fill(&mut self.pool);
            self.used = 0;
        }
    }

    /// A name's salt and hash.
    pub fn name(&mut self, name: NameId, names: &NameTable) -> (Salt, StringHash) {
        let at = name.0 as usize;
        if let Some(&Some(known)) = self.names.get(at) {
            return known;
        }
        let salt = self.draw();
        let drawn = (salt, string_hash(&salt, names.text(name).as_bytes()));
        put(&mut self.names, at, drawn);
        drawn
    }

    /// A member's hash.
    pub fn member(&mut self, member: MemberId, names: &NameTable) -> StringHash {
        let at = member.0 as usize;
        if let Some(&Some(known)) = self.members.get(at) {
            return known;
        }
        let MemberKey {
            channel,
            topic,
            user,
            conn,
        } = names.key(member);
        let [channel, topic, user, conn] =
            [channel, topic, user, conn].map(|name| self.name(name, names).1);
        let hash = member_hash(&channel, &topic, &user, &conn);
        put(&mut self.members, at, hash);
        hash
    }
}

/// Sets an item of a list that grows as needed.
fn put<T: Clone>(list: &mut Vec<Option<T>>, at: usize, item: T) {
    if list.len() <= at {
        list.resize(at + 1, None);
    }
    if let Some(slot) = list.get_mut(at) {
        *slot = Some(item);
    }
}
