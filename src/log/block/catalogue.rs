//! All blocks of a log, and its base. Their headers are in memory; their payloads are read when they are needed.

use super::base::{BASE, BaseObject};
use super::envelope::{BlockError, Section};
use super::object::{Block, FRONT_BYTES};
use super::states::ChannelStateParts;
use crate::domain::time::Millis;
use crate::log::codec::base::BaseHeader;
use crate::log::codec::bytes::unpack_borrowed;
use crate::log::codec::header::StatesBody;
use crate::log::engine::JournalError;
use crate::log::engine::objects::ObjectStore;
use crate::log::frame::{BlockPayload, FrameError};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The blocks of a log, in order and without holes between them.
pub struct Blocks {
    objects: Box<dyn ObjectStore>,
    known: RwLock<KnownBlocks>,
}

#[derive(Default)]
struct KnownBlocks {
    /// What stands for the pruned entries before the first block.
    base: Option<Arc<BaseHeader>>,
    blocks: Vec<KnownBlock>,
}

/// A block, and what it has in common with those before it.
struct KnownBlock {
    block: Arc<Block>,
    /// The latest `effective_at` of all entries up to its end.
    effective_at: Millis,
}

impl Blocks {
    /// The blocks among these objects. Removes those that a crash left of the pruned ones.
    ///
    /// # Errors
    /// [`JournalError::Block`] if one is damaged or missing; [`JournalError::Base`] if the base is damaged.
    pub fn open(objects: Box<dyn ObjectStore>) -> Result<Blocks, JournalError> {
        let numbers = objects.numbers()?;
        let base = match numbers.first() {
            Some(&BASE) => Some(Arc::new(base(&*objects)?.header)),
            _ => None,
        };
        clear_pruned(&*objects, &numbers, base.as_deref())?;
        let begin = base.as_ref().map_or(BASE + 1, |base| base.next);
        let mut known: Vec<KnownBlock> = Vec::new();
        for number in numbers.into_iter().filter(|&number| number >= begin) {
            let block = front(&*objects, number)?;
            let (at, frame, link) = match (known.last(), &base) {
                (Some(before), _) => {
                    let (block, header) = (&before.block, &before.block.header);
                    (block.next(), header.last_frame(), header.link_after)
                }
                (None, Some(base)) => (base.next, base.frame, base.link),
                (None, None) => (block.position, 0, block.header.link_before),
            };
            let continues = block.position == at
                && block.header.frame == frame + 1
                && block.header.link_before == link;
            if block.position != number || !continues {
                let what = "a block before it is missing, or is another one".to_owned();
                return Err(JournalError::Block { number, what });
            }
            add(&mut known, block);
        }
        let known = RwLock::new(KnownBlocks {
            base,
            blocks: known,
        });
        Ok(Blocks { objects, known })
    }

    /// Where the log begins; `None`: at the first entry.
    #[must_use]
    pub fn base(&self) -> Option<Arc<BaseHeader>> {
        self.known().base.clone()
    }

    /// The first position that is kept.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.known().begin()
    }

    /// The base as it is stored.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn read_base(&self) -> Result<BaseObject, JournalError> {
        base(&*self.objects)
    }

    /// The objects that a backup of the log from a position on has, as they are stored: the base, if there is one, and the
    /// blocks that end behind the position. Each is read when the iterator comes to it.
    pub fn objects_from(
        &self,
        position: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + '_ {
        let mut numbers = Vec::new();
        {
            let known = self.known();
            numbers.extend(known.base.as_ref().map(|_| BASE));
            let blocks = known.blocks.iter().map(|known| &known.block);
            let blocks = blocks.filter(|block| block.next() > position);
            numbers.extend(blocks.map(|block| block.position));
        }
        numbers
            .into_iter()
            .map(|number| Ok((number, self.objects.read(number, 0, usize::MAX)?)))
    }

    /// Stores a base in place of the one before, if there is one, reads it back, and removes the blocks before it. From
    /// now on the log begins there.
    ///
    /// # Errors
    /// It could not be stored, and everything is as before; or a block could not be removed: the next opening does it.
    pub fn prune(&self, header: BaseHeader, bytes: &[u8]) -> Result<(), JournalError> {
        self.objects.put(BASE, bytes)?;
        if base(&*self.objects)?.header != header {
            let what = "another one is read than was stored".to_owned();
            return Err(JournalError::Base(what));
        }
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known
                .blocks
                .retain(|known| known.block.position >= header.next);
            known.base = Some(Arc::new(header.clone()));
        }
        clear_pruned(&*self.objects, &self.objects.numbers()?, Some(&header))
    }

    fn known(&self) -> RwLockReadGuard<'_, KnownBlocks> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first position that is kept and that no block has; 0 where nothing was sealed or pruned.
    #[must_use]
    pub fn end(&self) -> u64 {
        let known = self.known();
        match known.blocks.last() {
            Some(last) => last.block.next(),
            None => known.base.as_ref().map_or(0, |base| base.next),
        }
    }

    /// The first position of all blocks.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.known()
            .blocks
            .first()
            .map(|first| first.block.position)
    }

    /// The last block.
    #[must_use]
    pub fn last(&self) -> Option<Arc<Block>> {
        let known = self.known();
        known.blocks.last().map(|last| Arc::clone(&last.block))
    }

    /// The block that stands for the value at a position.
    #[must_use]
    pub fn at(&self, position: u64) -> Option<Arc<Block>> {
        self.find(|block| block.next() <= position)
            .filter(|block| block.position <= position)
    }

    /// The first block that may hold the entry `seq` or a later one.
    #[must_use]
    pub fn with_seq(&self, seq: u64) -> Option<Arc<Block>> {
        self.find(|block| block.header.first_seq.saturating_add(block.header.entries) <= seq)
    }

    /// The first block for which `is_before` does not hold.
    fn find(&self, is_before: impl Fn(&Block) -> bool) -> Option<Arc<Block>> {
        let known = self.known();
        let at = known
            .blocks
            .partition_point(|known| is_before(&known.block));
        known.blocks.get(at).map(|known| Arc::clone(&known.block))
    }

    /// Goes over the blocks from a position on, as long as they are passed.
    pub fn pass_from(&self, position: u64, mut passes: impl FnMut(&Block) -> bool) {
        let known = self.known();
        let begin = known
            .blocks
            .partition_point(|known| known.block.next() <= position);
        for known in known.blocks.iter().skip(begin) {
            if !passes(&known.block) {
                break;
            }
        }
    }

    /// The last frame of the blocks in which all entries have at most this number; 0 if there is none.
    #[must_use]
    pub fn last_frame_before(&self, seq: u64) -> u64 {
        self.last_frame(|known| {
            let header = &known.block.header;
            header.first_seq.saturating_add(header.entries) <= seq.saturating_add(1)
        })
    }

    /// The last frame of the blocks in which all entries, and all before them, are in effect at this moment; 0 if there
    /// is none.
    #[must_use]
    pub fn last_frame_in_effect(&self, at: Millis) -> u64 {
        self.last_frame(|known| known.effective_at <= at)
    }

    /// The first block that has entries which are not in effect at this moment.
    #[must_use]
    pub fn first_beyond(&self, at: Millis) -> Option<Arc<Block>> {
        let known = self.known();
        let beyond = known
            .blocks
            .partition_point(|known| known.effective_at <= at);
        known
            .blocks
            .get(beyond)
            .map(|known| Arc::clone(&known.block))
    }

    /// The last block, of those that begin at most at a position, that has the state of the channel with this hash.
    #[must_use]
    pub fn with_state(&self, channel: u64, position: u64) -> Option<Arc<Block>> {
        let known = self.known();
        let blocks = known.blocks.iter().rev().map(|known| &known.block);
        let mut before = blocks.skip_while(|block| block.position > position);
        before.find(|block| block.has_state(channel)).cloned()
    }

    /// The last frame of the blocks for which `is_before` holds.
    fn last_frame(&self, is_before: impl Fn(&KnownBlock) -> bool) -> u64 {
        let known = self.known();
        let before = known.blocks.partition_point(is_before).checked_sub(1);
        let last = before.and_then(|before| known.blocks.get(before));
        last.map_or(0, |last| last.block.header.last_frame())
    }

    /// How many blocks there are, and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let known = self.known();
        let bytes = known.blocks.iter().map(|known| known.block.bytes() as u64);
        (known.blocks.len(), bytes.sum())
    }

    /// What a reader needs of a block, decompressed: all of it, or what concerns the channel with this hash.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub(in crate::log) fn payload(
        &self,
        block: &Block,
        channel: Option<u64>,
    ) -> Result<BlockPayload, JournalError> {
        let number = block.position;
        let sections = std::iter::once(block.order()).chain(block.sections(channel));
        let sections: Vec<Option<Section>> = sections.collect();
        let wanted: Vec<Section> = sections.iter().copied().flatten().collect();
        let plain = match channel {
            // One access gets all.
            None => {
                let bytes = self.objects.read(number, 0, block.bytes())?;
                let plain = wanted.iter().map(|section| section.plain_of(&bytes));
                let plain = plain.collect::<Result<Vec<_>, _>>();
                plain.map_err(|error| damaged(number, &error))?
            }
            Some(_) => self.sections(number, &wanted)?,
        };
        let mut plain = plain.into_iter();
        let mut streams = sections.into_iter().map(|it| it.and_then(|_| plain.next()));
        Ok(BlockPayload {
            order: streams.next().flatten(),
            streams: streams.collect(),
        })
    }

    /// The state of the channel with this hash at the begin of a block; `None` where the block does not have it, or was pruned
    /// meanwhile.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn state(
        &self,
        block: &Block,
        channel: u64,
    ) -> Result<Option<ChannelStateParts>, JournalError> {
        let Some(sections) = block.states(channel) else {
            return Ok(None);
        };
        match self.state_in(block.position, sections, channel) {
            // It was pruned since its header was read.
            Err(_) if block.position < self.begin() => Ok(None),
            read => read.map(Some),
        }
    }

    fn state_in(
        &self,
        number: u64,
        (first, own): (Section, Section),
        channel: u64,
    ) -> Result<ChannelStateParts, JournalError> {
        let first = self.section(number, first)?;
        let trunk = states(number, &first)?.trunk.to_vec();
        let own = self.section(number, own)?;
        let of_channel = |(hash, _): &([u8; 8], _)| u64::from_le_bytes(*hash) == channel;
        let known = states(number, &own)?.channels.into_iter().find(of_channel);
        let wrong = || FrameError::Disagree("the block's states").into();
        let (_, channel) = known.ok_or_else(|| damaged(number, &wrong()))?;
        let channel = channel.map(<[u8]>::to_vec);
        Ok(ChannelStateParts { trunk, channel })
    }

    /// Checks that the states of a block can be read, and are those that its header names.
    ///
    /// # Errors
    /// They are damaged, or cannot be read.
    pub(in crate::log) fn check_states(&self, block: &Block) -> Result<(), JournalError> {
        let mut stated = Vec::new();
        for section in block.all_states() {
            let plain = self.section(block.position, section)?;
            let channels = states(block.position, &plain)?.channels.into_iter();
            stated.extend(channels.map(|(hash, _)| u64::from_le_bytes(hash)));
        }
        if block.has_states_of(&stated) {
            return Ok(());
        }
        let error = FrameError::Disagree("the block's states").into();
        Err(damaged(block.position, &error))
    }

    fn section(&self, number: u64, section: Section) -> Result<Vec<u8>, JournalError> {
        let (from, length) = section.stored();
        let stored = self.objects.read(number, from, length)?;
        section
            .plain(&stored)
            .map_err(|error| damaged(number, &error))
    }

    /// Several sections, decompressed. Those that stand side by side are read at once.
    fn sections(&self, number: u64, sections: &[Section]) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut plain = Vec::with_capacity(sections.len());
        for run in sections.chunk_by(Section::is_followed_by) {
            let from = run.first().map_or(0, |first| first.stored().0);
            let lengths = run.iter().map(|section| section.stored().1);
            let stored = self.objects.read(number, from, lengths.sum())?;
            let mut rest = stored.as_slice();
            for section in run {
                let (_, length) = section.stored();
                let (stored, behind) = rest.split_at(length.min(rest.len()));
                let section = section.plain(stored);
                plain.push(section.map_err(|error| damaged(number, &error))?);
                rest = behind;
            }
        }
        Ok(plain)
    }

    /// Stores a block, and makes it durable. Readers do not see it yet.
    ///
    /// # Errors
    /// It could not be stored.
    pub fn put(&self, block: &Block, bytes: &[u8]) -> Result<(), JournalError> {
        self.objects.put(block.position, bytes)
    }

    /// Shows readers a block that was stored behind the others.
    pub fn publish(&self, block: Block) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        add(&mut known.blocks, block);
    }
}

impl KnownBlocks {
    fn begin(&self) -> u64 {
        self.base.as_ref().map_or(1, |base| base.next)
    }
}

fn add(known: &mut Vec<KnownBlock>, block: Block) {
    let before = known.last().map_or(Millis::MIN, |last| last.effective_at);
    known.push(KnownBlock {
        effective_at: before.max(block.header.effective_at.1),
        block: Arc::new(block),
    });
}

/// Reads the base. It may be replaced at any time, so all of it is read at once.
fn base(objects: &dyn ObjectStore) -> Result<BaseObject, JournalError> {
    let bytes = objects.read(BASE, 0, usize::MAX)?;
    BaseObject::read(bytes).map_err(|error| JournalError::Base(error.to_string()))
}

/// Removes the blocks that the base stands for.
fn clear_pruned(
    objects: &dyn ObjectStore,
    numbers: &[u64],
    base: Option<&BaseHeader>,
) -> Result<(), JournalError> {
    let begin = base.map_or(0, |base| base.next);
    let pruned = numbers.iter().filter(|&&number| number != BASE);
    for &number in pruned.take_while(|&&number| number < begin) {
        objects.remove(number)?;
    }
    Ok(())
}

/// The states in a section of a block.
fn states(number: u64, plain: &[u8]) -> Result<StatesBody<'_>, JournalError> {
    let states = unpack_borrowed(plain).map_err(|error| damaged(number, &error.into()));
    Ok(states?.0)
}

fn damaged(number: u64, error: &BlockError) -> JournalError {
    let what = error.to_string();
    JournalError::Block { number, what }
}

/// Reads the header of a block.
fn front(objects: &dyn ObjectStore, number: u64) -> Result<Block, JournalError> {
    let mut length = FRONT_BYTES;
    loop {
        let bytes = objects.read(number, 0, length)?;
        match Block::decode(&bytes).map_err(|error| damaged(number, &error))? {
            Ok(block) => return Ok(block),
            Err(needed) if bytes.len() == length => length = needed,
            Err(needed) => return Err(damaged(number, &BlockError::too_short(needed, &bytes))),
        }
    }
}
