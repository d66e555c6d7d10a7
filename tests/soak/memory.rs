//! The memory of a process.

use rollbook_support::serving::resident;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);

/// The highest resident size until the size has not changed (by 1 MiB) for five seconds; for at most 30 s.
pub async fn highest(pid: u32) -> u64 {
    let (mut still, mut size, mut highest) = (0, resident(pid), 0);
    for _ in 0..600 {
        tokio::time::sleep(LOOK).await;
        let now = resident(pid);
        highest = now.max(highest);
        if now.abs_diff(size) < 1 << 20 {
            still += 1;
        } else {
            (still, size) = (0, now);
        }
        if still == 100 {
            break;
        }
    }
    highest
}

/// The resident size once it is no more than `size`, or after the time `most`.
pub async fn fallen_to(pid: u32, size: u64, most: Duration) -> u64 {
    for _ in 0..most.as_millis() / LOOK.as_millis() {
        if resident(pid) <= size {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    resident(pid)
}
