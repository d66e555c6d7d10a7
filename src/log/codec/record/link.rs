//! An entry that is a link line.

use crate::domain::entry::{GapChange, LinkChange};
use crate::domain::event::{Connection, LinkState, Service};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Seq;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::derive::{Numbered, numbered};
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{NameAt, TextAt};
use bincode::{Decode, Encode};

numbered!(LinkState, "state of a link": Up = 0, UpWithDifferences = 1, Synced = 2, Down = 3);
numbered!(Service, "service": All or TopicsAndPresence = 0, Topics = 1, Presence = 2, Other = 3);
numbered!(Connection, "state of a connection": Up = 0, Resumed = 1, Lost = 2, Restart = 3, Closed = 4, Missing = 5);

/// A link whose state is up or down, and whose service is all or other. Another one has both after the body.
#[derive(Debug, Encode, Decode)]
pub(super) struct LinkBody {
    channel: Option<NameAt>,
    up: bool,
    elsewhere: bool,
    except: Seq<NameAt>,
    reason: Option<TextAt>,
    gaps: Seq<GapBody>,
    connection: Option<Connection>,
}

#[derive(Debug, Encode, Decode)]
struct GapBody {
    channel: NameAt,
    gap: u32,
    at: i64,
    opens: bool,
}

impl GapBody {
    fn change(&self, tables: &mut TableReader<'_>) -> Result<GapChange, CodecError> {
        Ok(GapChange {
            channel: tables.name(self.channel)?,
            gap: self.gap,
            at: self.at,
            opens: self.opens,
        })
    }
}

impl Renumber for LinkBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.name_if(&mut self.channel)?;
        map.text_if(&mut self.reason, TextOf::Observer)?;
        self.except.0.iter_mut().try_for_each(|at| map.name(at))?;
        let mut gaps = self.gaps.0.iter_mut();
        gaps.try_for_each(|gap| map.name(&mut gap.channel))
    }
}

impl LinkBody {
    /// The channels that it names.
    pub(super) fn channels(&self) -> impl Iterator<Item = NameAt> {
        let gaps = self.gaps.0.iter().map(|gap| gap.channel);
        self.channel.into_iter().chain(gaps)
    }
}

/// Whether the body alone expresses the link's state and service.
pub(super) fn is_short(link: &LinkChange) -> bool {
    matches!(link.state, LinkState::Up | LinkState::Down)
        && matches!(link.service, Service::All | Service::Other)
}

impl LinkBody {
    pub(super) fn of(link: &LinkChange, tables: &mut TableBuilder<'_>) -> Self {
        LinkBody {
            channel: tables.name_if(link.channel),
            up: link.state.is_up(),
            elsewhere: link.service == Service::Other,
            except: link.except.iter().map(|&name| tables.name(name)).collect(),
            reason: tables.text_if(link.reason.as_ref()),
            gaps: link
                .gaps
                .iter()
                .map(|gap| GapBody {
                    channel: tables.name(gap.channel),
                    gap: gap.gap,
                    at: gap.at,
                    opens: gap.opens,
                })
                .collect(),
            connection: link.connection,
        }
    }

    pub(super) fn link(
        &self,
        long: Option<(LinkState, Service)>,
        tables: &mut TableReader<'_>,
    ) -> Result<LinkChange, CodecError> {
        let short = (
            if self.up {
                LinkState::Up
            } else {
                LinkState::Down
            },
            if self.elsewhere {
                Service::Other
            } else {
                Service::All
            },
        );
        let (state, service) = long.unwrap_or(short);
        Ok(LinkChange {
            channel: tables.name_if(self.channel)?,
            state,
            service,
            except: self.except.try_map(|&name| tables.name(name))?,
            reason: tables.text_if(self.reason)?,
            gaps: self.gaps.try_map(|gap| gap.change(tables))?,
            connection: self.connection,
        })
    }

    pub(super) fn canonical(
        &self,
        long: Option<(LinkState, Service)>,
        out: &mut Canonical<'_>,
    ) -> Result<(), CodecError> {
        out.option(self.channel, Canonical::name)?;
        // 0: it is about the source's link.
        let connection = self.connection.map_or(0, |what| 1 + what.number());
        out.byte(
            u8::from(self.up)
                | u8::from(self.elsewhere) << 1
                | connection << 2
                | u8::from(long.is_some()) << 5,
        );
        if let Some((state, service)) = long {
            out.bytes(&[state.number(), service.number()]);
        }
        out.list(&self.except.0, |out, &channel| out.name(channel))?;
        out.option(self.reason, Canonical::text)?;
        out.list(&self.gaps.0, |out, gap| {
            out.name(gap.channel)?;
            out.varint(u64::from(gap.gap));
            out.time(gap.at);
            out.flag(gap.opens);
            Ok(())
        })
    }
}
