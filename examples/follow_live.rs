//! A store in an async program: what blocks runs where blocking is allowed, and a task follows the log as it grows.
//!
//! Run it: `cargo run --example follow_live`

use rollbook::domain::LinkState;
use rollbook::query::answer::HistoryEntry;
use rollbook::store::Receipt;
use rollbook::{Event, Options, Store};
use std::error::Error;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

/// An error that may cross from one task to another.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// Entries taken from the log at a time, and about so many bytes.
const BATCH: (usize, usize) = (100, 1 << 20);

/// Records events. When this returns, they are durable.
pub async fn record(store: &Arc<Store>, events: Vec<Event<'static>>) -> Result<Receipt, TaskError> {
    let store = Arc::clone(store);
    Ok(spawn_blocking(move || store.record(&events)).await??)
}

/// Sends every entry behind `after_seq`, and then each new one, until nobody receives them any more.
pub async fn follow(
    store: Arc<Store>,
    after_seq: u64,
    entries: mpsc::Sender<HistoryEntry>,
) -> Result<(), TaskError> {
    let (published, mut head) = watch::channel(store.head());
    // This runs in the writer's thread: it only notes the new head.
    store.on_published(move |seq| {
        published.send_replace(seq);
    });
    let mut cursor = store.cursor(after_seq, None)?;
    loop {
        // Marked before the log is read: what is published meanwhile wakes the wait below.
        head.mark_unchanged();
        let of_task = Arc::clone(&store);
        let read = spawn_blocking(move || {
            let batch = cursor.next_batch(&of_task, BATCH.0, BATCH.1);
            (cursor, batch)
        });
        let (behind, batch) = read.await?;
        cursor = behind;
        let batch = batch?;
        if batch.is_empty() {
            tokio::select! {
                changed = head.changed() => changed?,
                () = entries.closed() => return Ok(()),
            }
        }
        for delivered in batch {
            if entries.send(delivered.entry).await.is_err() {
                return Ok(());
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let store = spawn_blocking(|| Store::in_memory(Options::default())).await??;
    let store = Arc::new(store);
    let (sender, mut entries) = mpsc::channel(16);
    let follower = tokio::spawn(follow(Arc::clone(&store), 0, sender));
    let before = Event::snapshot("room", [("chat", "tony")]).at(1_000);
    record(&store, vec![before]).await?;
    let after = [
        Event::link(LinkState::Down).at(2_000),
        Event::link(LinkState::Up).at(8_000),
        Event::snapshot("room", [("chat", "lily")]).at(9_000),
    ];
    record(&store, after.into()).await?;
    while let Some(entry) = entries.recv().await {
        println!("{}", serde_json::to_string(&entry)?);
        if entry.seq == store.head() {
            break;
        }
    }
    drop(entries);
    follower.await?
}
