//! The part of a checkpoint that belongs to no channel: what is known of the observers.

use super::part_table::{PartNames, PartTable};
use super::{CodecError, from_bytes, to_bytes};
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::observer::{ChannelLink, Connected, Observer, Proof};
use crate::domain::state::State;
use crate::log::codec::derive::fields;
use bincode::{Decode, Encode};

fields!(Proof { seq, time });
fields!(ChannelLink { own, proof });
fields!(Connected { since, at, lost });

#[derive(Encode, Decode)]
struct TrunkBody {
    head: u64,
    recorded_at: i64,
    names: Vec<String>,
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
    let mut table = PartTable::new(names);
    let observers = state.observers.iter();
    let mut observers: Vec<ObserverBody> = observers
        .map(|(&name, observer)| ObserverBody::of(name, observer, &mut table))
        .collect();
    observers.sort_unstable_by_key(|observer| observer.name);
    to_bytes(&TrunkBody {
        head: state.head,
        recorded_at: state.recorded_at,
        names: table.finish()?.0,
        observers,
    })
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
    let trunk: TrunkBody = from_bytes(bytes)?;
    let part = PartNames::new(&trunk.names, names);
    state.head = trunk.head;
    state.recorded_at = trunk.recorded_at;
    for body in trunk.observers {
        let observer = body.observer(&part)?;
        state.connected += u64::from(observer.is_connected());
        state.observers.insert(part.name(body.name)?, observer);
    }
    Ok(())
}
