//! A projection that is kept: how often each user joined each channel, with the last entry that it has counted. The next
//! run goes on behind it, and reads only what is new.
//!
//! Run it twice: `cargo run --example joins_by_user -- /tmp/rollbook-joins`. The second run counts on.

use rollbook::domain::{ChangeKind, Entry, Names, Payload};
use rollbook::{Event, Options, Projection, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

/// The projection, as it is saved.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinsByUser {
    /// The last entry that is counted.
    pub seq: u64,
    /// By channel and user. Names are kept as text: their numbers hold for one reading only.
    pub joins: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Projection for JoinsByUser {
    fn apply(&mut self, entry: &Entry, names: &Names) {
        self.seq = entry.seq;
        let Payload::Change(change) = &entry.payload else {
            return;
        };
        if change.is_applied() && change.kind == ChangeKind::Join {
            let key = names.key(change.member);
            let [channel, user] = [key.channel, key.user].map(|name| names.text(name).to_owned());
            *self
                .joins
                .entry(channel)
                .or_default()
                .entry(user)
                .or_default() += 1;
        }
    }
}

impl JoinsByUser {
    /// What was saved in a file, and all that was recorded since; the file has it, too, when this returns.
    pub fn up_to_date(store: &Store, file: &Path) -> Result<JoinsByUser, Box<dyn Error>> {
        let mut joins: JoinsByUser = match fs::read(file) {
            Ok(saved) => serde_json::from_slice(&saved)?,
            Err(_) => JoinsByUser::default(),
        };
        store.replay(joins.seq + 1.., &mut joins)?;
        // Figures and position in one file, replaced at once: no crash can part them.
        let beside = file.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&joins)?)?;
        fs::rename(&beside, file)?;
        Ok(joins)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.ok_or("usage: joins_by_user FOLDER")?;
    let store = Store::open(&folder, Options::default())?;
    store.record(&[
        Event::join("room", "chat", "tony"),
        Event::join("room", "chat", "lily"),
        Event::leave("room", "chat", "lily"),
        Event::leave("room", "chat", "tony"),
    ])?;
    let joins = JoinsByUser::up_to_date(&store, &Path::new(&folder).join("joins.json"))?;
    for (channel, users) in joins.joins {
        for (user, joins) in users {
            println!("{channel}  {joins:>4}  {user}");
        }
    }
    Ok(())
}
