//! Erases the names and texts of a person from parts of a checkpoint.

use super::{CodecError, Index, from_bytes, to_bytes};
use crate::domain::entry::Text;
use crate::log::eraser::{Erased, Eraser};
use std::collections::BTreeMap;

/// Replaces the names of one part. Each use of a name says what it is used for: a topic may be called as the person is.
pub(super) struct PartEraser<'a> {
    eraser: &'a Eraser,
    names: Vec<String>,
    /// Whether they are forgotten in the channel of the part.
    is_here: bool,
    /// The names that something else still uses.
    kept: Vec<bool>,
    /// By the number of a name, that of its stand-in.
    stand_ins: BTreeMap<u32, u32>,
    /// The members that are them.
    theirs: Vec<bool>,
    /// What was found of them.
    pub(super) found: Erased,
}

impl<'a> PartEraser<'a> {
    /// Of a part with these names, of this channel.
    pub(super) fn new(
        eraser: &'a Eraser,
        names: &[&str],
        channel: Option<u32>,
    ) -> Result<PartEraser<'a>, CodecError> {
        let mut part = PartEraser {
            eraser,
            names: names.iter().map(|&name| name.to_owned()).collect(),
            is_here: eraser.is_everywhere(),
            kept: vec![false; names.len()],
            stand_ins: BTreeMap::new(),
            theirs: Vec::new(),
            found: Erased::default(),
        };
        if let Some(channel) = channel {
            part.is_here = eraser.covers(part.text(channel)?);
            part.keep(channel);
        }
        Ok(part)
    }

    fn text(&self, number: u32) -> Result<&str, CodecError> {
        let text = self.names.get(number as usize);
        text.map(String::as_str).ok_or(CodecError::Index {
            what: "name",
            index: number,
        })
    }

    /// A name that is no person's.
    pub(super) fn keep(&mut self, number: u32) {
        if let Some(kept) = self.kept.get_mut(number as usize) {
            *kept = true;
        }
    }

    fn replace(&mut self, number: &mut u32) -> Result<(), CodecError> {
        if self.text(*number)?.is_empty() {
            self.keep(*number);
            return Ok(());
        }
        if let Some(&known) = self.stand_ins.get(number) {
            *number = known;
            return Ok(());
        }
        let stand_in = self.eraser.stand_in(self.text(*number)?);
        let new = u32::try_from(self.names.len()).map_err(|_| CodecError::Number)?;
        self.names.push(stand_in);
        self.stand_ins.insert(*number, new);
        *number = new;
        Ok(())
    }

    fn person(&mut self, number: &mut u32, forgotten: bool) -> Result<(), CodecError> {
        if forgotten && self.eraser.is_user(self.text(*number)?) {
            return self.replace(number);
        }
        self.keep(*number);
        Ok(())
    }

    pub(super) fn observer(&mut self, number: &mut u32) -> Result<(), CodecError> {
        self.person(number, self.eraser.is_everywhere())
    }

    pub(super) fn self_user_if(&mut self, number: &mut Option<u32>) -> Result<(), CodecError> {
        let is_here = self.is_here;
        number
            .as_mut()
            .map_or(Ok(()), |number| self.person(number, is_here))
    }

    /// The members of the part, by topic, user and connection.
    pub(super) fn members(&mut self, members: &mut [[u32; 3]]) -> Result<(), CodecError> {
        for [topic, user, conn] in members {
            self.keep(*topic);
            let is_them = self.is_here && self.eraser.is_user(self.text(*user)?);
            self.theirs.push(is_them);
            if is_them {
                self.replace(user)?;
                self.replace(conn)?;
            } else {
                self.keep(*user);
                self.keep(*conn);
            }
        }
        Ok(())
    }

    /// What was last said of a member.
    pub(super) fn news(&mut self, member: u32, meta: &mut Option<Text>) {
        let is_them = self.is_theirs(member);
        self.found.changes += u64::from(is_them);
        self.found.texts += u64::from(is_them && meta.is_some());
        self.meta(member, meta);
    }

    fn is_theirs(&self, member: u32) -> bool {
        self.theirs.get(member as usize) == Some(&true)
    }

    /// Metadata of a member.
    pub(super) fn meta(&self, member: u32, meta: &mut Option<Text>) {
        let is_them = self.is_theirs(member);
        if let Some(meta) = meta.as_mut().filter(|_| is_them) {
            *meta = self.eraser.meta_stand_in(meta).into();
        }
    }

    /// A text of an observer, whose name was not replaced yet.
    pub(super) fn text_of(&self, observer: u32, text: &mut Text) -> Result<(), CodecError> {
        if self.eraser.is_everywhere() && self.eraser.is_user(self.text(observer)?) {
            *text = self.eraser.stand_in(text).into();
        }
        Ok(())
    }

    /// The names now. One that nothing uses any more is its stand-in as well.
    pub(super) fn finish(mut self) -> Vec<String> {
        for (&number, &new) in &self.stand_ins {
            let is_kept = self.kept.get(number as usize) == Some(&true);
            let stand_in = self.names.get(new as usize).filter(|_| !is_kept).cloned();
            if let (Some(stand_in), Some(name)) = (stand_in, self.names.get_mut(number as usize)) {
                *name = stand_in;
            }
        }
        self.names
    }
}

/// Erases from an index: from what belongs to no channel, and from the paths of sources, which are counted.
///
/// # Errors
/// The bytes are no index.
pub fn erase_index(
    index: &[u8],
    eraser: &Eraser,
    found: &mut Erased,
) -> Result<Vec<u8>, CodecError> {
    let mut index: Index = from_bytes(index)?;
    if !index.trunk.is_empty() {
        index.trunk = super::erase_trunk(&index.trunk, eraser)?;
    }
    for source in &mut index.sources {
        if eraser.is_everywhere() && eraser.is_named_in(source.path.as_bytes()) {
            source.path = eraser.stand_in(&source.path).into();
            found.texts += 1;
            found.paths += 1;
        }
    }
    to_bytes(&index)
}
