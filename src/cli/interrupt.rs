//! Ctrl-C (SIGINT). It ends the process with its own exit status, unless the command handles it to end cleanly. In
//! both cases nothing acknowledged is lost.

use super::exit::Exit;
use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Whether the first SIGINT ends the process.
static ENDS: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// From now on, SIGINT ends the process with status 130.
pub fn ends() {
    shutdown(Arc::clone(&ENDS));
}

/// From now on, the command handles SIGINT itself.
pub fn is_heard() {
    ENDS.store(false, Ordering::SeqCst);
}

/// A flag that the first SIGINT sets; the command then ends after its current work. The second SIGINT ends the
/// process: the command checks the flag only at a line, and a live feed may not send one.
#[must_use]
pub fn interrupted() -> Arc<AtomicBool> {
    is_heard();
    let interrupted = Arc::new(AtomicBool::new(false));
    shutdown(Arc::clone(&interrupted));
    // If this fails, SIGINT ends the process as the system does by default.
    let _ = register(SIGINT, Arc::clone(&interrupted));
    interrupted
}

/// Ends the process at a SIGINT if the flag is set.
fn shutdown(when: Arc<AtomicBool>) {
    let _ = register_conditional_shutdown(SIGINT, i32::from(Exit::Interrupted.status()), when);
}
