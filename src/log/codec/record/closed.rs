//! The clean end of an ingest connection. It is not in the chain.

use crate::domain::entry::ConnectionEnd;
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::codec::tables::NameAt;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use bincode::{Decode, Encode};

#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct ClosedBody {
    observer: NameAt,
    recorded_at: Millis,
}

impl ClosedBody {
    pub(in crate::log) fn of(closed: &ConnectionEnd, tables: &mut TableBuilder<'_>) -> Self {
        ClosedBody {
            observer: tables.name(closed.observer),
            recorded_at: closed.recorded_at,
        }
    }

    pub(in crate::log) fn closed(
        &self,
        tables: &mut TableReader<'_>,
    ) -> Result<ConnectionEnd, CodecError> {
        Ok(ConnectionEnd {
            observer: tables.name(self.observer)?,
            recorded_at: self.recorded_at,
        })
    }
}

impl Renumber for ClosedBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.observer(&mut self.observer)
    }
}
