//! Rules. In a payload they stand before the first commit or page that they apply to; in the chain, at the front of
//! each commit.

use crate::domain::entry::Rules;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{pack, put_zigzag};
use crate::log::codec::columns::RowReader;

/// Whether the short form expresses the rules. It is older than `resync_ms`.
pub(in crate::log) fn is_short(rules: &Rules) -> bool {
    rules.resync_ms == Rules::RESYNC_MS
}

/// Appends the short form, and `resync_ms` if that form is not enough.
pub(in crate::log) fn write(rules: &Rules, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let &Rules {
        skew_tolerance_ms,
        max_ahead_ms,
        slack_ms,
        lossy,
        resync_ms,
    } = rules;
    pack(&(skew_tolerance_ms, max_ahead_ms, slack_ms, lossy), out)?;
    if is_short(rules) {
        Ok(())
    } else {
        pack(&resync_ms, out)
    }
}

pub(in crate::log) fn read(reader: &mut impl RowReader, short: bool) -> Result<Rules, CodecError> {
    let (skew_tolerance_ms, max_ahead_ms, slack_ms, lossy) = reader.body()?;
    let resync_ms = if short {
        Rules::RESYNC_MS
    } else {
        reader.body()?
    };
    Ok(Rules {
        skew_tolerance_ms,
        max_ahead_ms,
        slack_ms,
        lossy,
        resync_ms,
    })
}

pub(in crate::log) fn canonical(rules: &Rules, out: &mut Vec<u8>) {
    let short = is_short(rules);
    out.push(u8::from(rules.lossy) | u8::from(!short) << 1);
    put_zigzag(out, rules.skew_tolerance_ms);
    put_zigzag(out, rules.max_ahead_ms);
    put_zigzag(out, rules.slack_ms);
    if !short {
        put_zigzag(out, rules.resync_ms);
    }
}
