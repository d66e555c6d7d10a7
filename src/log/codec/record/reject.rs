//! A rejected line. It is not in the chain.

use crate::domain::time::Millis;
use crate::log::Reject;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Seq;
use crate::log::codec::tables::TextAt;
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use bincode::{Decode, Encode};

#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct RejectBody {
    recorded_at: Millis,
    source: TextAt,
    line: u64,
    byte: u64,
    reason: TextAt,
    text: Option<Seq<u8>>,
    length: u64,
    blake3: [u8; 32],
}

impl RejectBody {
    pub(in crate::log) fn of(reject: &Reject, tables: &mut TableBuilder<'_>) -> Self {
        RejectBody {
            recorded_at: reject.recorded_at,
            source: tables.text(&reject.source),
            line: reject.line,
            byte: reject.byte,
            reason: tables.text(&reject.reason),
            text: reject.text.clone().map(Seq),
            length: reject.length,
            blake3: reject.blake3,
        }
    }

    pub(in crate::log) fn reject(self, tables: &mut TableReader<'_>) -> Result<Reject, CodecError> {
        Ok(Reject {
            recorded_at: self.recorded_at,
            source: tables.text(self.source)?,
            line: self.line,
            byte: self.byte,
            reason: tables.text(self.reason)?,
            text: self.text.map(|text| text.0),
            length: self.length,
            blake3: self.blake3,
        })
    }
}

impl Renumber for RejectBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        let mut reason_of = TextOf::Named;
        if let Some(text) = &self.text {
            let is_cut = self.length > text.0.len() as u64;
            if map.takes_line(&text.0, is_cut) {
                (self.text, self.blake3) = (None, [0; 32]);
                // It quotes the line.
                reason_of = TextOf::Known(true);
            }
        }
        map.text(&mut self.source, TextOf::Path)?;
        map.text(&mut self.reason, reason_of)
    }
}
