//! That a person was forgotten. It is not in the chain.

use crate::domain::time::Millis;
use crate::log::Forgotten;
use crate::log::codec::CodecError;
use crate::log::codec::tables::TextAt;
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use bincode::{Decode, Encode};

#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct ForgottenBody {
    recorded_at: Millis,
    stand_in: TextAt,
    channel: Option<TextAt>,
    changes: u64,
    texts: u64,
    rejects: u64,
}

impl ForgottenBody {
    pub(in crate::log) fn of(forgotten: &Forgotten, tables: &mut TableBuilder<'_>) -> Self {
        ForgottenBody {
            recorded_at: forgotten.recorded_at,
            stand_in: tables.text(&forgotten.stand_in),
            channel: tables.text_if(forgotten.channel.as_ref()),
            changes: forgotten.changes,
            texts: forgotten.texts,
            rejects: forgotten.rejects,
        }
    }

    pub(in crate::log) fn forgotten(
        &self,
        tables: &mut TableReader<'_>,
    ) -> Result<Forgotten, CodecError> {
        Ok(Forgotten {
            recorded_at: self.recorded_at,
            stand_in: tables.text(self.stand_in)?,
            channel: tables.text_if(self.channel)?,
            changes: self.changes,
            texts: self.texts,
            rejects: self.rejects,
        })
    }
}

impl Renumber for ForgottenBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.text(&mut self.stand_in, TextOf::Named)?;
        map.text_if(&mut self.channel, TextOf::Known(false))
    }
}
