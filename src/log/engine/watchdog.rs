//! A thread that helps calls which may wait forever: sled's flush does so if the write that it waits for fails at
//! that moment, because then no thread wakes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a call may take before it gets help, and the pause between repeated helps.
const PAUSE: Duration = Duration::from_millis(100);
/// After this many pauses without a call the thread sleeps until the next call.
const IDLE_PAUSES_MAX: u32 = 20;

/// Helps calls that take long.
#[derive(Debug)]
pub(super) struct Watchdog {
    seen: Arc<WatchedCall>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct WatchedCall {
    calls: AtomicUsize,
    awake: AtomicBool,
    ended: AtomicBool,
}

impl Watchdog {
    /// Starts the thread. It calls `help` repeatedly while a call takes long.
    pub fn start(help: impl Fn() + Send + 'static) -> io::Result<Watchdog> {
        let seen = Arc::new(WatchedCall::default());
        let for_thread = Arc::clone(&seen);
        let thread = thread::Builder::new().name("rollbook-watch".into());
        let thread = thread.spawn(move || for_thread.watch(&help))?;
        Ok(Watchdog {
            seen,
            thread: Some(thread),
        })
    }

    /// Runs a call that may need help.
    pub fn look_after<T>(&self, call: impl FnOnce() -> T) -> T {
        self.seen.calls.fetch_add(1, SeqCst);
        if !self.seen.awake.swap(true, SeqCst) {
            self.wake();
        }
        let _ended = Ended(&self.seen.calls);
        call()
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

/// Counts a call as ended, even if it panics.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl WatchedCall {
    fn watch(&self, help: &dyn Fn()) {
        let mut idle = 0;
        while !self.ended.load(SeqCst) {
            let in_call = || self.calls.load(SeqCst) > 0;
            if in_call() {
                idle = 0;
                thread::park_timeout(PAUSE);
                if in_call() {
                    help();
                }
            } else if idle < IDLE_PAUSES_MAX {
                idle += 1;
                thread::park_timeout(PAUSE);
            } else {
                self.awake.store(false, SeqCst);
                // A call that began just now has not woken this thread.
                if !in_call() && !self.ended.load(SeqCst) {
                    thread::park();
                }
                self.awake.store(true, SeqCst);
                idle = 0;
            }
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.seen.ended.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is ignored: no call is left that needs help.
            let _ = thread.join();
        }
    }
}
