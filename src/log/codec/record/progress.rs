//! How far a source was read. It is not in the chain.

use crate::log::Progress;
use crate::log::codec::CodecError;
use crate::log::codec::tables::TextAt;
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use bincode::{Decode, Encode};

/// An enum, so that other kinds of sources can be distinguished from files later.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) enum ProgressBody {
    File {
        source: [u8; 32],
        hashed_len: u64,
        byte: u64,
        line: u64,
        path: TextAt,
    },
}

impl ProgressBody {
    pub(in crate::log) fn of(progress: &Progress, tables: &mut TableBuilder<'_>) -> Self {
        ProgressBody::File {
            source: progress.source,
            hashed_len: progress.hashed_len,
            byte: progress.byte,
            line: progress.line,
            path: tables.text(&progress.path),
        }
    }

    pub(in crate::log) fn progress(
        &self,
        tables: &mut TableReader<'_>,
    ) -> Result<Progress, CodecError> {
        let ProgressBody::File {
            source,
            hashed_len,
            byte,
            line,
            path,
        } = *self;
        Ok(Progress {
            source,
            hashed_len,
            byte,
            line,
            path: tables.text(path)?,
        })
    }
}

impl Renumber for ProgressBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        let ProgressBody::File { path, .. } = self;
        map.text(path, TextOf::Path)
    }
}
