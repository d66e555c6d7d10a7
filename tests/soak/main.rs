//! What must hold for long, and for many: real processes and real sockets; a million lines, a thousand subscribers, ten
//! thousand connections. Each test has two sizes, and the large one where `ROLLBOOK_LONG` is set; what it makes sure of
//! is the same. Each prints its figures (`--nocapture`), and none depends on them.
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

/// One at a time: each has the machine for itself, and its figures are its own.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, for a test that waits for many things at a time.
fn on_its_own(test: impl Future<Output = ()>) {
    let _alone = alone();
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}
