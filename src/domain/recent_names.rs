//! A small table in front of the dictionary.

/// Names that were looked up lately. Most lines have names of the lines before: this finds them without the keyed
/// hash, which costs more than comparing the text. Names that share a slot only push each other out.
///
/// It grows with the dictionary, and takes less memory than the names. It is empty while the dictionary is small: each
/// reader of the log has one, and most of them meet few names.
#[derive(Debug, Default)]
pub(super) struct RecentNames(Vec<RecentName>);

#[derive(Debug, Clone, Copy)]
struct RecentName {
    ends: NameEnds,
    name: u32,
}

impl RecentNames {
    const NAMES_MIN: usize = 64;
    const SLOTS_MAX: usize = 1 << 12;

    fn slot(&self, ends: NameEnds) -> usize {
        ends.hash() as usize & self.0.len().wrapping_sub(1)
    }

    /// The number of the name with these ends that was looked up last, if it still has its slot.
    pub fn get(&self, ends: NameEnds) -> Option<u32> {
        let recent = self.0.get(self.slot(ends))?;
        (recent.ends == ends).then_some(recent.name)
    }

    /// `names`: the size of the dictionary.
    pub fn put(&mut self, ends: NameEnds, name: u32, names: usize) {
        let wanted = (2 * names).next_power_of_two().min(Self::SLOTS_MAX);
        if names >= Self::NAMES_MIN && self.0.len() < wanted {
            let ends = NameEnds::NONE;
            self.0 = vec![RecentName { ends, name }; wanted];
        }
        let slot = self.slot(ends);
        if let Some(recent) = self.0.get_mut(slot) {
            *recent = RecentName { ends, name };
        }
    }
}

/// The first and the last bytes of a name: of one with up to 16 bytes, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameEnds {
    first: u64,
    last: u64,
    len: u32,
}

impl NameEnds {
    /// Those of no name that is looked for: the empty name needs no search.
    const NONE: NameEnds = NameEnds {
        first: 0,
        last: 0,
        len: 0,
    };

    pub fn of(text: &str) -> NameEnds {
        let bytes = text.as_bytes();
        let (first, last) =
            if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
                let [first, last] = [first, last].map(|half| u32::from_le_bytes(*half));
                (u64::from(first), u64::from(last))
            } else {
                let all = bytes.iter();
                (all.fold(0, |all, &byte| all << 8 | u64::from(byte)), 0)
            };
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        NameEnds { first, last, len }
    }

    /// Whether no other name has the same. Of a longer name, the text must be compared.
    pub fn are_whole(self) -> bool {
        self.len <= 16
    }

    fn hash(self) -> u64 {
        let mixed = self.first ^ self.last.rotate_left(21) ^ u64::from(self.len);
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
    }
}
