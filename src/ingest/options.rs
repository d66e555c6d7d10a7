//! How lines are ingested, from whichever sender. What a line means is in `feed`; how events are judged, in the rules.

use super::envelope::Pointer;
use super::permissions::WritePermissions;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::Settings;
use crate::limits;

/// How lines are ingested.
///
/// ```
/// use rollbook::ingest::IngestOptions;
/// let how = IngestOptions::default().observer("webhook").reorder_ms(2_000);
/// assert_eq!(how.reorder_ms, Some(2_000));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
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

impl IngestOptions {
    /// The observer, for lines that name none. Default: `default`.
    #[must_use]
    pub fn observer(mut self, observer: impl Into<String>) -> Self {
        self.observer = observer.into();
        self
    }

    /// The observer's own user, for lines that name none. Default: not known.
    #[must_use]
    pub fn self_user(mut self, user: impl Into<String>) -> Self {
        self.self_user = Some(user.into());
        self
    }

    /// How lines are read. Default: [`Settings::USUAL`].
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How events are judged. Default: [`Rules::default`].
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Whether lines that report how they were recorded are recorded like that again. Default: no.
    #[must_use]
    pub fn keep_recorded(mut self, keep: bool) -> Self {
        self.keep_recorded = keep;
        self
    }

    /// The place of the events in their lines. Default: each line is one event.
    #[must_use]
    pub fn at(mut self, place: Pointer) -> Self {
        self.at = Some(place);
        self
    }

    /// How far apart the times of lines may be that are put in order, ms. Default: none are.
    #[must_use]
    pub fn reorder_ms(mut self, ms: Millis) -> Self {
        self.reorder_ms = Some(ms);
        self
    }

    /// Whether to stop at the first line that is rejected. Default: no.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Stop once more lines than this were rejected. Default: 100,000.
    #[must_use]
    pub fn max_rejects(mut self, max: u64) -> Self {
        self.max_rejects = max;
        self
    }

    /// Whether to resume where an earlier run over the same file ended. Default: no.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// What the sender may write. Default: everything.
    #[must_use]
    pub fn reach(mut self, reach: WritePermissions) -> Self {
        self.reach = reach;
        self
    }
}
