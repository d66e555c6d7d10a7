//! Writes canonical bytes, from which the chain is computed. Each record kind has its own function for them, beside
//! those that encode and decode it.
//!
//! **Invariant:** the layout of [`SCHEMA`](crate::log::chain::SCHEMA) 1 never changes. A new field of an entry needs a
//! new schema, and entries without that field keep their bytes.

use super::CodecError;
use super::bytes::{put_varint, put_zigzag};
use super::tables::{Hashes, MemberAt, NameAt, TextAt};
use crate::domain::time::Millis;

/// Appends to the canonical bytes of a commit. A string is its hash from the tables of the frame.
pub(in crate::log) struct Canonical<'a> {
    out: &'a mut Vec<u8>,
    hashes: &'a Hashes,
}

impl<'a> Canonical<'a> {
    pub(in crate::log) fn new(out: &'a mut Vec<u8>, hashes: &'a Hashes) -> Self {
        Canonical { out, hashes }
    }
}

impl Canonical<'_> {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    #[inline]
    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    #[inline]
    pub(super) fn varint(&mut self, number: u64) {
        put_varint(self.out, number);
    }

    #[inline]
    pub(super) fn time(&mut self, time: Millis) {
        put_zigzag(self.out, time);
    }

    #[inline]
    pub(super) fn name(&mut self, at: NameAt) -> Result<(), CodecError> {
        self.out.extend_from_slice(self.hashes.name(at)?);
        Ok(())
    }

    #[inline]
    pub(super) fn member(&mut self, at: MemberAt) -> Result<(), CodecError> {
        self.out.extend_from_slice(self.hashes.member(at)?);
        Ok(())
    }

    #[inline]
    pub(super) fn text(&mut self, at: TextAt) -> Result<(), CodecError> {
        self.out.extend_from_slice(self.hashes.text(at)?);
        Ok(())
    }

    /// A byte 0, or 1 and the thing.
    pub(super) fn option<T>(
        &mut self,
        thing: Option<T>,
        put: impl FnOnce(&mut Self, T) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        self.flag(thing.is_some());
        thing.map_or(Ok(()), |thing| put(self, thing))
    }

    #[inline]
    pub(super) fn time_if(&mut self, time: Option<Millis>) {
        self.flag(time.is_some());
        if let Some(time) = time {
            self.time(time);
        }
    }

    /// How many items there are, and then the items.
    pub(super) fn list<T>(
        &mut self,
        items: &[T],
        mut put: impl FnMut(&mut Self, &T) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        self.varint(items.len() as u64);
        items.iter().try_for_each(|item| put(self, item))
    }
}
