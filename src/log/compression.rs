//! zstd: frames, sections of blocks and saved states, compressed as a whole. A stream (`archive`) is compressed where it
//! is written.
//!
//! A context costs as much as a small value, in time and in fresh memory, so each thread keeps its own.

use crate::limits::FRAME_BYTES_MAX;
use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The bytes, compressed. The same bytes at the same level are always compressed alike.
pub(crate) fn compress(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(level)?),
        };
        compressor.set_compression_level(level)?;
        compressor.compress(plain)
    })
}

/// What was compressed. `None`: it was damaged, or has another length, or is longer than a frame may be.
pub(crate) fn decompress(packed: &[u8], plain_len: usize) -> Option<Vec<u8>> {
    if plain_len > FRAME_BYTES_MAX {
        return None;
    }
    let plain = DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(packed, plain_len).ok()
    })?;
    (plain.len() == plain_len).then_some(plain)
}
