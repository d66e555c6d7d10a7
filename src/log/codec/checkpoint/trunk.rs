//! The part of a checkpoint that belongs to no channel: what is known of the observers.

use super::erase::PartEraser;
use super::part_table::{PartNames, PartTable};
use super::{CodecError, from_bytes, to_bytes};
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::observer::{ChannelLink, Connected, Observer, Proof};
use crate::domain::state::State;
use crate::log::codec::derive::fields;
use crate::log::eraser::Eraser;
use bincode::{BorrowDecode, Decode, Encode};

fields!(Proof { seq, time });
fields!(ChannelLink { own, proof });
fields!(Connected { since, at, lost });

#[derive(Encode, BorrowDecode)]
struct TrunkBody<'b> {
    head: u64,
    recorded_at: i64,
    names: Vec<&'b str>,
    observers: Vec<ObserverBody>,
}

#[derive(Encode, Decode)]
struct ObserverBody {
    name: u32,
    channels: Vec<(u32, ChannelLink)>,
    linked: bool,
    up_at: Option<u64>,
    proof: Option<Proof>,
    connection: Option<Connected>,
}

impl ObserverBody {
    fn of(name: NameId, observer: &Observer, table: &mut PartTable<'_>) -> ObserverBody {
        let channels = observer.channels.iter();
        ObserverBody {
            name: table.name(name),
            channels: channels
                .map(|(&name, link)| (table.name(name), *link))
                .collect(),
            linked: observer.linked,
            up_at: observer.up_at,
            proof: observer.proof,
            connection: observer.connection,
        }
    }

    fn observer(&self, names: &PartNames) -> Result<Observer, CodecError> {
        let channels = self.channels.iter();
        let mut observer = Observer {
            channels: channels
                .map(|&(number, link)| Ok((names.name(number)?, link)))
                .collect::<Result<_, CodecError>>()?,
            linked: self.linked,
            up_at: self.up_at,
            proof: self.proof,
            shared: None,
            collecting: NumberMap::default(),
            connection: self.connection,
        };
        observer.share_proofs();
        Ok(observer)
    }
}

/// Encodes what belongs to no single channel.
///
/// # Errors
/// If the codec fails; no state can cause that.
pub fn trunk_to_bytes(state: &State, names: &Names) -> Result<Vec<u8>, CodecError> {
    let mut table = PartTable::new(names, 0);
    let observers = state.observers.iter();
    let mut observers: Vec<ObserverBody> = observers
        .map(|(&name, observer)| ObserverBody::of(name, observer, &mut table))
        .collect();
    observers.sort_unstable_by_key(|observer| observer.name);
    let (texts, _) = table.finish()?;
    to_bytes(&TrunkBody {
        head: state.head,
        recorded_at: state.recorded_at,
        names: texts,
        observers,
    })
}

/// The same bytes without the names of a person.
///
/// # Errors
/// The bytes are not this part.
pub fn erase_trunk(bytes: &[u8], eraser: &Eraser) -> Result<Vec<u8>, CodecError> {
    let mut trunk: TrunkBody<'_> = from_bytes(bytes)?;
    let mut part = PartEraser::new(eraser, &trunk.names, None)?;
    for observer in &mut trunk.observers {
        part.observer(&mut observer.name)?;
        for (channel, _) in &observer.channels {
            part.keep(*channel);
        }
    }
    let names = part.finish();
    let names = names.iter().map(String::as_str).collect();
    to_bytes(&TrunkBody { names, ..trunk })
}

/// Decodes what [`trunk_to_bytes`] wrote into a new state.
///
/// # Errors
/// If the bytes are not this part.
pub fn trunk_from_bytes(
    bytes: &[u8],
    state: &mut State,
    names: &mut Names,
) -> Result<(), CodecError> {
    let trunk: TrunkBody<'_> = from_bytes(bytes)?;
    let part = PartNames::new(&trunk.names, names);
    restore(&trunk, &part, state)
}

/// The same for questions about one channel at a moment: of their channels, observers only know this one. There may be very
/// many others.
///
/// # Errors
/// Those of [`trunk_from_bytes`].
pub fn trunk_of_channel(
    bytes: &[u8],
    channel: &str,
    state: &mut State,
    names: &mut Names,
) -> Result<(), CodecError> {
    let mut trunk: TrunkBody<'_> = from_bytes(bytes)?;
    let all = std::mem::take(&mut trunk.names);
    let number = all.iter().position(|&name| name == channel);
    // The channel's name comes first, then those of the observers.
    trunk.names.push(channel);
    for observer in &mut trunk.observers {
        observer.channels.retain_mut(|(of, _)| {
            let is_it = number == Some(*of as usize);
            *of = 0;
            is_it
        });
        let (what, index) = ("name", observer.name);
        let name = all.get(index as usize);
        observer.name = u32::try_from(trunk.names.len()).map_err(|_| CodecError::Number)?;
        trunk
            .names
            .push(name.ok_or(CodecError::Index { what, index })?);
    }
    let part = PartNames::new(&trunk.names, names);
    restore(&trunk, &part, state)
}

fn restore(trunk: &TrunkBody<'_>, part: &PartNames, state: &mut State) -> Result<(), CodecError> {
    state.head = trunk.head;
    state.recorded_at = trunk.recorded_at;
    for body in &trunk.observers {
        let observer = body.observer(part)?;
        state.connected += u64::from(observer.is_connected());
        state.observers.insert(part.name(body.name)?, observer);
    }
    Ok(())
}
