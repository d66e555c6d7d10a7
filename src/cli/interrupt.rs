//! Ctrl-C. It ends the process with a status of its own, unless the command has taken it upon itself to end in order.
//! Nothing that was acknowledged is lost either way.

use super::exit::Exit;
use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Whether the first one ends the process.
static ENDS: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// From now on it ends the process with status 130.
pub fn ends() {
    shutdown(Arc::clone(&ENDS));
}

/// From now on the command listens itself.
pub fn is_heard() {
    ENDS.store(false, Ordering::SeqCst);
}

/// Whether a person has interrupted the command, which then ends when what is in hand is finished. The second one ends
/// the process: the first waits for a line, and a live feed may have none to give.
#[must_use]
pub fn interrupted() -> Arc<AtomicBool> {
    is_heard();
    let interrupted = Arc::new(AtomicBool::new(false));
    shutdown(Arc::clone(&interrupted));
    // Without a handler it ends the process as the system does.
    let _ = register(SIGINT, Arc::clone(&interrupted));
    interrupted
}

/// Ends the process at the next one where the flag is set.
fn shutdown(when: Arc<AtomicBool>) {
    let _ = register_conditional_shutdown(SIGINT, i32::from(Exit::Interrupted.status()), when);
}
