//! An entry that is a token line.

use crate::domain::entry::TokenChange;
use crate::domain::event::TokenState;
use crate::log::codec::CodecError;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::derive::{Numbered, numbered};
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::{ChannelScope, TableReader};
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{NameAt, TextAt};
use bincode::{Decode, Encode};

numbered!(TokenState, "state of a token": WillExpire = 0, Expired = 1, Renewed = 2, Revoked = 3);

#[derive(Debug, Encode, Decode)]
pub(super) struct TokenBody {
    channel: Option<NameAt>,
    state: TokenState,
    reason: Option<TextAt>,
}

impl Renumber for TokenBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.name_if(&mut self.channel)?;
        map.text_if(&mut self.reason, TextOf::Observer)
    }
}

impl TokenBody {
    pub(super) fn channel(&self) -> Option<NameAt> {
        self.channel
    }

    /// A token that names no channel is about all of its observer's.
    pub(super) fn is_in(&self, scope: &ChannelScope) -> bool {
        self.channel.is_none_or(|channel| scope.has_name(channel))
    }

    pub(super) fn of(token: &TokenChange, tables: &mut TableBuilder<'_>) -> Self {
        TokenBody {
            channel: tables.name_if(token.channel),
            state: token.state,
            reason: tables.text_if(token.reason.as_ref()),
        }
    }

    pub(super) fn token(&self, tables: &mut TableReader<'_>) -> Result<TokenChange, CodecError> {
        Ok(TokenChange {
            channel: tables.name_if(self.channel)?,
            state: self.state,
            reason: tables.text_if(self.reason)?,
        })
    }

    pub(super) fn canonical(&self, out: &mut Canonical<'_>) -> Result<(), CodecError> {
        out.option(self.channel, Canonical::name)?;
        out.byte(self.state.number());
        out.option(self.reason, Canonical::text)
    }
}
