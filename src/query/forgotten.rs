//! Who was forgotten: when, and what stands for them. Their names are nowhere.

use super::answer::{ForgottenAnswer, Time};
use crate::log::Forgotten;
use crate::store::{ScanScope, ScopedRecord, Store, StoreError};

impl Store {
    /// Every time that somebody was forgotten, from the first.
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// assert!(store.forgotten()?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn forgotten(&self) -> Result<Vec<ForgottenAnswer>, StoreError> {
        let (mut cursor, mut frames) = self.scan(&ScanScope::default())?;
        let mut found = Vec::new();
        // They are counted with the progress of sources.
        while let Some(mut frame) = frames.next_if(&mut cursor, |it, _| it.progress > 0)? {
            while let Some(record) = frame.next(&mut cursor)? {
                if let ScopedRecord::Forgotten(forgotten) = record {
                    found.push(forgotten_answer(forgotten));
                }
                // For errors, which name the last entry.
                cursor.apply(&record);
            }
            cursor.forget_absent();
        }
        Ok(found)
    }
}

fn forgotten_answer(forgotten: &Forgotten) -> ForgottenAnswer {
    ForgottenAnswer {
        at: Time(forgotten.recorded_at),
        stand_in: forgotten.stand_in.to_string(),
        channel: forgotten.channel.as_ref().map(ToString::to_string),
        changes: forgotten.changes,
        texts: forgotten.texts,
        rejects: forgotten.rejects,
    }
}
