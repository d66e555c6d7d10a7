//! All blocks of a log. Their headers are in memory; their payloads are read when they are needed.

use super::object::{Block, BlockError, FRONT_BYTES};
use crate::log::engine::JournalError;
use crate::log::engine::objects::ObjectStore;
use std::sync::{Arc, PoisonError, RwLock};

/// The blocks of a log, in order and without holes between them.
pub struct Blocks {
    objects: Box<dyn ObjectStore>,
    known: RwLock<Vec<Arc<Block>>>,
}

impl Blocks {
    /// The blocks among these objects.
    ///
    /// # Errors
    /// [`JournalError::Block`] if one is damaged or missing.
    pub fn open(objects: Box<dyn ObjectStore>) -> Result<Blocks, JournalError> {
        let mut known: Vec<Arc<Block>> = Vec::new();
        for number in objects.numbers()? {
            let block = front(&*objects, number)?;
            let before = known.last();
            let continues = before.is_none_or(|before| {
                block.position == before.next()
                    && block.header.frame == before.header.last_frame() + 1
                    && block.header.link_before == before.header.link_after
            });
            if block.position != number || !continues {
                let what = "a block before it is missing, or is another one".to_owned();
                return Err(JournalError::Block { number, what });
            }
            known.push(Arc::new(block));
        }
        let known = RwLock::new(known);
        Ok(Blocks { objects, known })
    }

    /// The first position that no block has; 0 without blocks.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.last().map_or(0, |last| last.next())
    }

    /// The first position of all blocks.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.first().map(|first| first.position)
    }

    /// The last block.
    #[must_use]
    pub fn last(&self) -> Option<Arc<Block>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.last().cloned()
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
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let at = known.partition_point(|block| is_before(block));
        known.get(at).cloned()
    }

    /// How many blocks there are, and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = known.iter().map(|block| block.bytes() as u64).sum();
        (known.len(), bytes)
    }

    /// The payload of a block, decompressed.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn payload(&self, block: &Block) -> Result<Vec<u8>, JournalError> {
        let (from, length) = block.payload_range();
        let stored = self.objects.read(block.position, from, length)?;
        let damaged = |error| damaged(block.position, &error);
        block.payload(&stored).map_err(damaged)
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
        known.push(Arc::new(block));
    }
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
            Err(needed) => {
                let (expected, found) = (needed as u64, bytes.len() as u64);
                return Err(damaged(number, &BlockError::Length { expected, found }));
            }
        }
    }
}
