//! A log that is larger than the memory it may be opened in.

use rollbook_support::program::{Dice, Folder, folder, long};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Stdio;

const MIB: u64 = 1 << 20;

/// Writes lines of incompressible metadata, about this many bytes in all.
fn large_log(folder: &Folder, bytes: u64) {
    let mut dice = Dice::new(13);
    let meta_bytes = 60_000;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut file = BufWriter::new(File::create(folder.path("large.jsonl")).unwrap());
    for n in 1..=bytes / meta_bytes {
        let mut meta = String::with_capacity(meta_bytes as usize);
        while meta.len() < meta_bytes as usize {
            let mut chance = dice.below(u64::MAX);
            for _ in 0..10 {
                meta.push(char::from(letters[(chance % 64) as usize]));
                chance /= 64;
            }
        }
        let line = format!(
            r#"{{"t":"update","channel":"c","topic":"t","user":"u","ts":{n},"meta":"{meta}"}}"#
        );
        writeln!(file, "{line}").unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    folder.run(&["ingest", "large.jsonl"]).ok();
}

/// The largest memory of a run that was observed, in MiB.
fn peak(folder: &Folder, args: &[&str]) -> u64 {
    let mut command = folder.program(args);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = kib.unwrap_or(0).max(peak);
        std::thread::sleep(std::time::Duration::from_micros(500));
    }
    assert!(child.wait().unwrap().success());
    peak / 1_024
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_is_opened_and_read_in_less_memory_than_it_is_large() {
    let folder = folder!();
    // A log of more than 16,384 leaves (see `sled.rs`) would show this as well, but at ten times the size.
    let large = if long() { 3_400 * MIB } else { 480 * MIB };
    large_log(&folder, large);
    let asked = peak(&folder, &["who", "c"]);
    let walked = peak(&folder, &["verify"]);
    println!(
        "a log of {} MiB: {asked} MiB to answer who, {walked} MiB to verify",
        large / MIB
    );
    assert!(asked < 128, "{asked} MiB to answer who");
    assert!(walked < 384, "{walked} MiB to verify");
}
