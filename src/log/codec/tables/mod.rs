//! The tables at the front of a payload: names, members and texts. Records refer to them by position.
//!
//! A string is stored with its salt. Once it was erased, its hash is stored instead, with a text that stands for it.

pub(in crate::log) mod erase;
pub(in crate::log) mod map;
pub(in crate::log) mod read;
pub(in crate::log) mod roster;
pub(in crate::log) mod write;

use super::CodecError;
use crate::log::salts::StringHash;

/// A position in the frame's table of names.
pub(in crate::log) type NameAt = u32;
/// A position in the frame's table of members.
pub(in crate::log) type MemberAt = u32;
/// A position in the frame's table of texts.
pub(in crate::log) type TextAt = u32;

/// The hash in the chain of each name, member and text of a frame.
#[derive(Debug, Default)]
pub(in crate::log) struct Hashes {
    names: Vec<StringHash>,
    members: Vec<StringHash>,
    texts: Vec<StringHash>,
}

impl Hashes {
    #[inline]
    pub(super) fn name(&self, at: NameAt) -> Result<&StringHash, CodecError> {
        look_up(&self.names, "name", at)
    }

    #[inline]
    pub(super) fn member(&self, at: MemberAt) -> Result<&StringHash, CodecError> {
        look_up(&self.members, "member", at)
    }

    #[inline]
    pub(super) fn text(&self, at: TextAt) -> Result<&StringHash, CodecError> {
        look_up(&self.texts, "text", at)
    }
}

#[inline]
fn look_up<'t, T>(table: &'t [T], what: &'static str, index: u32) -> Result<&'t T, CodecError> {
    table
        .get(index as usize)
        .ok_or(CodecError::Index { what, index })
}

#[inline]
fn slot<'t, T>(
    table: &'t mut [T],
    what: &'static str,
    index: u32,
) -> Result<&'t mut T, CodecError> {
    let slot = table.get_mut(index as usize);
    slot.ok_or(CodecError::Index { what, index })
}
