//! How lines are ingested, from whichever sender. What a line means is in `feed`; how events are judged, in the rules.

use super::envelope::Pointer;
use super::permissions::WritePermissions;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::Settings;
use crate::limits;

/// How lines are ingested.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// The observer, for lines that name none.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
    /// How lines are read.
    pub settings: Settings,
    /// How events are judged.
    pub rules: Rules,
    /// Lines that report when and by which rules they were recorded are recorded like that again ([`crate::feed::recording`]).
    pub keep_recorded: bool,
    /// The place of the events in their lines; `None`: each line is one event.
    pub at: Option<Pointer>,
    /// Lines whose times are at most this many ms apart are decided in the order of their times; `None`: all lines
    /// are decided in the order of the source.
    pub reorder_ms: Option<Millis>,
    /// Stop at the first line that is rejected.
    pub strict: bool,
    /// Stop once more lines than this were rejected.
    pub max_rejects: u64,
    /// Resume where an earlier run over the same file ended.
    pub resume: bool,
    /// What the sender may write.
    pub reach: WritePermissions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        let (observer, rules) = ("default".to_owned(), Rules::default());
        IngestOptions {
            observer,
            self_user: None,
            settings: Settings::USUAL,
            rules,
            keep_recorded: false,
            at: None,
            reorder_ms: None,
            strict: false,
            max_rejects: limits::REJECTS_PER_SOURCE_MAX,
            resume: false,
            reach: WritePermissions::default(),
        }
    }
}
