//! The queries, one per file, and their answers. A query folds a scan of the log with `apply`; it never decides
//! anything again.
//!
//! | file | query |
//! | --- | --- |
//! | `who` | who is or was there, and how sure that is |
//! | `history` | the entries |
//! | `cursor` | the entries as they are recorded |
//! | `missed` | for every gap: who joined, left and changed while no observer watched; and the gaps themselves |
//! | `sessions` | stays, with the bounds of their length |
//! | `stats` | how many members, the most at once, how long |
//! | `channels` | the channels of the store |
//! | `rejects` | the rejected lines |
//! | `forgotten` | who was forgotten |
//! | `answer` | the answers: their JSON |
//! | `repaired` | the answer of a repair |
//! | `params` | the parameters of a query, as the HTTP interface names them |
//! | `owner` | answers for the store's owner only, line by line |
//! | `retention` | questions about what was pruned |
//! | `calendar` | zones: local days, and the moments that local times mean |
//! | `time` | times and durations as users and programs write them |

pub mod answer;
mod attendance;
#[doc(hidden)]
pub mod calendar;
mod channels;
mod cursor;
mod forgotten;
mod history;
mod intervals;
mod meta_filter;
mod missed;
#[doc(hidden)]
pub mod owner;
#[doc(hidden)]
pub mod params;
mod people;
mod rejects;
pub mod repaired;
mod retention;
mod series;
mod sessions;
mod stats;
mod stays;
#[doc(hidden)]
pub mod time;
mod united;
mod users;
mod who;

pub use attendance::{Appointment, Appointments, AttendanceFilter};
pub use calendar::Zone;
pub use cursor::{Cursor, DeliveredEntry};
#[cfg(feature = "export")]
pub(crate) use history::history_entry;
pub use history::{History, HistoryFilter};
pub use meta_filter::MetaFilter;
pub use missed::MissedFilter;
pub use rejects::Rejects;
pub use sessions::{SessionFilter, Sessions, StaysPer};
pub use stats::StatsFilter;
pub use who::{WhoFilter, WhoWhen};

use crate::domain::entry::Text;
use crate::domain::names::{MemberId, Names};
use crate::domain::watch;
use serde_json::value::RawValue;

/// Metadata as an answer shows it. Recorded metadata is canonical JSON. Metadata of an older program that is not JSON
/// is shown as a string.
fn meta_answer(meta: Option<&Text>) -> answer::Meta {
    let text = meta?;
    let raw = match is_shown_as_it_is(text) {
        true => RawValue::from_string(text.to_string()),
        false => serde_json::value::to_raw_value(&**text),
    };
    raw.ok()
}

/// Whether metadata is JSON on one line.
pub(crate) fn is_shown_as_it_is(meta: &str) -> bool {
    !meta.contains(['\n', '\r']) && serde_json::from_str::<&RawValue>(meta).is_ok()
}

fn coverage_answer(coverage: watch::Coverage) -> answer::CoverageAnswer {
    match coverage {
        watch::Coverage::Complete => answer::CoverageAnswer::Complete,
        watch::Coverage::Partial => answer::CoverageAnswer::Partial,
        watch::Coverage::Blind => answer::CoverageAnswer::Blind,
    }
}

/// The topic, user and connection of a member.
fn member_names(member: MemberId, names: &Names) -> [String; 3] {
    let key = names.key(member);
    [key.topic, key.user, key.conn].map(|name| names.text(name).to_owned())
}
