//! The salts of the strings in the chain. Erasing a string and its salt leaves the chain intact, and the chain then
//! reveals nothing about the string.
//!
//! A name has one salt while the process lives, so its hash is computed once, not for every event. A text (an id, a
//! reason, metadata) gets a new salt at each use, so that equal texts do not have equal hashes.

use crate::domain::names::{MemberId, NameId, NameTable};
use crate::domain::piece_list::PieceList;
use crate::domain::renumbering::Renumbering;

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
    names: PieceList<Drawn<(Salt, StringHash)>>,
    members: PieceList<Drawn<StringHash>>,
}

/// What is known of a name or a member. Both parts are needed together, so they lie together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn<T> {
    /// Of a name its salt, too.
    pub hash: T,
    /// Its place in the tables of the frame that had it last.
    pub last: TablePlace,
}

/// A place in the tables of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TablePlace {
    pub frame: u32,
    pub at: u32,
}

impl TablePlace {
    /// Nothing was drawn yet.
    const NOTHING: TablePlace = TablePlace { frame: 0, at: 0 };
    /// In no frame yet.
    const NOWHERE: TablePlace = TablePlace { frame: 0, at: 1 };

    /// Frames are counted from this one, and up to that one.
    pub const FRAMES: std::ops::Range<u32> = 1..u32::MAX;
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
            names: PieceList::default(),
            members: PieceList::default(),
        }
    }

    /// Replaces the numbers of names and members after their table was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        self.names
            .renumber(|name, _| Some(renumbering.name(NameId(name))?.0));
        self.members
            .renumber(|member, _| Some(renumbering.member(MemberId(member))?.0));
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
    pub(super) fn name(
        &mut self,
        name: NameId,
        names: &NameTable,
    ) -> &mut Drawn<(Salt, StringHash)> {
        if !is_known(&self.names, name.0) {
            let salt = self.draw();
            let hash = string_hash(&salt, names.text(name).as_bytes());
            *self.names.get_mut(name.0) = Drawn::new((salt, hash));
        }
        self.names.get_mut(name.0)
    }

    /// A member's hash.
    pub(super) fn member(&mut self, member: MemberId, names: &NameTable) -> &mut Drawn<StringHash> {
        if !is_known(&self.members, member.0) {
            let of = names.key(member).names();
            let [channel, topic, user, conn] = of.map(|name| self.name(name, names).hash.1);
            let hash = member_hash(&channel, &topic, &user, &conn);
            *self.members.get_mut(member.0) = Drawn::new(hash);
        }
        self.members.get_mut(member.0)
    }

    /// The place of a member in the tables of a frame, if it is there.
    pub(super) fn place_of(&self, member: MemberId, frame: u32) -> Option<u32> {
        let known = self.members.get(member.0)?;
        (known.last.frame == frame).then_some(known.last.at)
    }

    /// Forgets the places in frames: they are counted anew.
    pub(super) fn forget_frames(&mut self) {
        let of_names = self.names.iter_mut().map(|known| &mut known.last);
        let of_members = self.members.iter_mut().map(|known| &mut known.last);
        for last in of_names.chain(of_members) {
            if *last != TablePlace::NOTHING {
                *last = TablePlace::NOWHERE;
            }
        }
    }
}

impl<T> Drawn<T> {
    fn new(hash: T) -> Drawn<T> {
        let last = TablePlace::NOWHERE;
        Drawn { hash, last }
    }
}

impl<T: Default> Default for Drawn<T> {
    fn default() -> Drawn<T> {
        Drawn {
            hash: T::default(),
            last: TablePlace::NOTHING,
        }
    }
}

fn is_known<T: Default>(list: &PieceList<Drawn<T>>, number: u32) -> bool {
    let known = list.get(number);
    known.is_some_and(|known| known.last != TablePlace::NOTHING)
}
