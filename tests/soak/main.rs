//! What must hold for a long time and for many clients, with real processes and real sockets: a million lines, a
//! thousand subscribers, ten thousand connections. Each test has a small and a large size; `ROLLBOOK_LONG` chooses
//! the large one. Both check the same. Each test prints its figures (`--nocapture`), and none depends on them.
#![cfg(all(feature = "client", feature = "server", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod idle;
mod killed;
mod memory;
mod passing;
mod seam;
mod slow;
mod source;
mod tokens;
mod unread;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs one test at a time, so that each has the machine and its figures for itself.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for an asynchronous test.
fn on_its_own(test: impl Future<Output = ()>) {
    let _alone = alone();
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}
