//! What a process has of the machine's memory.

use std::time::Duration;

/// A field of a process's status, in bytes.
pub fn field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let kib = lines.find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
    kib.unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Its resident size, in bytes.
pub fn resident(pid: u32) -> u64 {
    field(pid, "VmRSS:")
}

/// Its resident size once `enough` says so of it, or it has been the same (to 1 MiB) for five seconds, or after so long.
pub async fn settled(pid: u32, most: Duration, mut enough: impl FnMut(u64) -> bool) -> u64 {
    const LOOK: Duration = Duration::from_millis(50);
    const STILL: u32 = 100;
    let (mut still, mut size) = (0, resident(pid));
    for _ in 0..most.as_millis() / LOOK.as_millis() {
        tokio::time::sleep(LOOK).await;
        let now = resident(pid);
        still = if now.abs_diff(size) < 1 << 20 {
            still + 1
        } else {
            0
        };
        if still == 0 {
            size = now;
        }
        if enough(now) || still >= STILL {
            return now;
        }
    }
    resident(pid)
}
