//! What the tags of a payload announce: rows, or one record that has none.

use super::FrameError;
use super::encode::tag;
use crate::domain::entry::Rules;
use crate::log::codec::CodecError;
use crate::log::codec::columns::{Column, RowReader};
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::forgotten::ForgottenBody;
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;

/// What follows.
pub(super) enum Tagged {
    /// So many commits of one row each.
    Singles(usize),
    /// A commit of so many rows.
    Commit(usize),
    /// A record without rows.
    Other(OtherBody),
}

/// A record without rows, as it is stored.
pub(super) enum OtherBody {
    Page(PageBody),
    Closed(ClosedBody),
    Reject(RejectBody),
    Settled(u64),
    Progress(ProgressBody),
    Forgotten(ForgottenBody),
}

impl Tagged {
    /// Reads what follows; `None` if nothing does. `rules` become those that are stated before it.
    #[inline]
    pub fn read(
        reader: &mut impl RowReader,
        rules: &mut Option<Rules>,
    ) -> Result<Option<Tagged>, FrameError> {
        while !reader.is_at_end() {
            return Ok(Some(match reader.byte(Column::Tags)? {
                tag::RULES => {
                    *rules = Some(rules::read(reader, true)?);
                    continue;
                }
                tag::RULES_OF => {
                    *rules = Some(rules::read(reader, false)?);
                    continue;
                }
                tag::SINGLES => Tagged::Singles(reader.rows()?),
                tag::COMMIT => match reader.rows()? {
                    0 => return Err(FrameError::EmptyCommit),
                    rows => Tagged::Commit(rows),
                },
                tag => Tagged::Other(OtherBody::read(reader, tag)?),
            }));
        }
        Ok(None)
    }
}

impl OtherBody {
    fn read(reader: &mut impl RowReader, tag: u8) -> Result<OtherBody, CodecError> {
        Ok(match tag {
            tag::PAGE => OtherBody::Page(reader.body()?),
            tag::CLOSED => OtherBody::Closed(reader.body()?),
            tag::REJECT => OtherBody::Reject(reader.body()?),
            tag::SETTLED => OtherBody::Settled(reader.varint(Column::Bodies)?),
            tag::PROGRESS => OtherBody::Progress(reader.body()?),
            tag::FORGOTTEN => OtherBody::Forgotten(reader.body()?),
            other => {
                let (what, value) = ("record", u64::from(other));
                return Err(CodecError::Unknown { what, value });
            }
        })
    }
}
