//! The questions, one a file, and their answers. A question folds a scan of the log with `apply`; none of
//! them ever decides anything again.
//!
//! | file | question |
//! | --- | --- |
//! | `who` | who is or was there, and how sure that is |
//! | `history` | the entries |
//! | `cursor` | the entries as they come |
//! | `missed` | for every gap: who came, went and changed while nobody watched; and the gaps themselves |
//! | `sessions` | stays, with the bounds of how long they lasted |
//! | `stats` | how many, at most, how long |
//! | `channels` | what channels there are |
//! | `rejects` | the lines that could not be taken |
//! | `answer` | the answers: the JSON of the contract |
//! | `params` | what is asked, in the words of the HTTP interface |
//! | `owner` | answers that only the store's owner gets, line by line |
//! | `time` | moments and spans as people and programs write them |

pub mod answer;
mod channels;
mod cursor;
mod history;
mod missed;
pub mod owner;
pub mod params;
mod rejects;
mod sessions;
mod stats;
pub mod time;
mod who;

pub use cursor::{Cursor, DeliveredEntry};
pub use history::HistoryFilter;
pub use missed::MissedFilter;
pub use sessions::SessionFilter;
pub use stats::StatsFilter;
pub use who::{WhoFilter, WhoWhen};

use crate::domain::entry::Text;
use crate::domain::names::{MemberId, Names};
use crate::domain::watch;
use serde_json::value::RawValue;

/// Metadata as an answer shows it. It is canonical JSON since it came in; what an older program has taken that is not is
/// shown as a string.
fn meta_answer(meta: Option<&Text>) -> answer::Meta {
    let text = meta?;
    let raw = match is_shown_as_it_is(text) {
        true => RawValue::from_string(text.to_string()),
        false => serde_json::value::to_raw_value(&**text),
    };
    raw.ok()
}

/// Whether metadata is JSON, and in one line.
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

/// Topic, user and connection of a member.
fn member_names(member: MemberId, names: &Names) -> [String; 3] {
    let key = names.key(member);
    [key.topic, key.user, key.conn].map(|name| names.text(name).to_owned())
}
