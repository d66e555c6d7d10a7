//! A stamp that is not an entry's own.

use crate::domain::order::Stamp;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::derive::fields;

fields!(Stamp { pos, ts });

pub(super) fn canonical(stamp: Stamp, out: &mut Canonical<'_>) {
    let Stamp { pos, ts } = stamp;
    out.byte(u8::from(pos.is_some()) | u8::from(ts.is_some()) << 1);
    for number in pos.into_iter().flatten().chain(ts) {
        out.time(number);
    }
}
