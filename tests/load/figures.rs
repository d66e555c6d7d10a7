//! The measured figures, and how they are printed.

use rollbook_support::serving::resident;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub type Histogram = hdrhistogram::Histogram<u64>;

/// The time of answers, in µs.
pub struct Latencies {
    pub posts: Histogram,
    pub who: Histogram,
}

impl Latencies {
    pub fn new() -> Latencies {
        Latencies {
            posts: Histogram::new(3).unwrap(),
            who: Histogram::new(3).unwrap(),
        }
    }

    pub fn posted(&mut self, took: Duration) {
        self.posts.saturating_record(took.as_micros() as u64);
    }

    pub fn asked(&mut self, took: Duration) {
        self.who.saturating_record(took.as_micros() as u64);
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, of) in [("acknowledgement", &self.posts), ("who", &self.who)] {
            let ms = |quantile| of.value_at_quantile(quantile) as f64 / 1_000.0;
            write!(
                f,
                "{what} p50 {:.1} ms, p99 {:.1} ms ({}); ",
                ms(0.5),
                ms(0.99),
                of.len()
            )?;
        }
        Ok(())
    }
}

/// The server's memory over time.
pub struct Figures {
    pid: u32,
    began: Instant,
    said: Mutex<Vec<String>>,
    too_slow: Mutex<u64>,
}

impl Figures {
    pub fn of(pid: u32) -> Figures {
        Figures {
            pid,
            began: Instant::now(),
            said: Mutex::default(),
            too_slow: Mutex::default(),
        }
    }

    /// Notes the current resident size.
    pub fn note(&self, when: &str) {
        let said = format!("{when} {} MiB", resident(self.pid) >> 20);
        println!("{said}");
        self.said.lock().unwrap().push(said);
    }

    pub fn too_slow(&self, times: u64) {
        *self.too_slow.lock().unwrap() += times;
    }

    /// Notes it every minute, or every ten seconds in a run of less than twenty minutes.
    pub fn sample(self: &Arc<Self>, over: &CancellationToken) -> JoinHandle<()> {
        let (figures, over) = (Arc::clone(self), over.clone());
        let each = if crate::seconds() >= 1_200 { 60 } else { 10 };
        tokio::spawn(async move {
            while tokio::time::timeout(Duration::from_secs(each), over.cancelled())
                .await
                .is_err()
            {
                figures.note(&format!("{} s", figures.began.elapsed().as_secs()));
            }
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (said, too_slow) = (
            self.said.lock().unwrap().join(", "),
            self.too_slow.lock().unwrap(),
        );
        write!(
            f,
            "resident: {said}; subscribers closed for being too slow {too_slow} times"
        )
    }
}
