//! Users who join, leave and never return: the server's memory depends on who is present, not on who ever was.

use crate::on_its_own;
use crate::source::Source;
use rollbook_support::program::{folder, long};
use rollbook_support::serving::{Serving, resident};

/// The number of lines in a message.
const MESSAGE: usize = 1_000;

/// Users of a part that fills everything that is remembered: each has two lines.
const FULL: usize = rollbook::limits::RETRY_IDS_MAX / 2;

/// A user who joins, and an earlier user who leaves.
fn passing(n: usize) -> [String; 2] {
    let line = |what: &str, user: usize, at: usize| {
        format!(
            r#"{{"t":"{what}","channel":"hall","topic":"t","user":"user-{user}","ts":{at},"id":"{what}-{user}"}}"#
        )
    };
    [line("join", n, 10 * n + 5), line("leave", n, 10 * n + 6)]
}

#[test]
fn memory_follows_who_is_present_and_not_who_ever_was() {
    on_its_own(async {
        // Memory of users who have left is bounded: the tombstones of a channel, and a million ids of lines. The
        // first part fills both, so it is as large in the short form.
        let parts: &[usize] = if long() {
            &[FULL; 10]
        } else {
            &[FULL, 80_000, 80_000, 80_000, 80_000]
        };
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let mut source = Source::start(&serving.address(), "door", "").await;
        let mut sizes = Vec::new();
        let mut user = 0;
        for users in parts {
            for _ in 0..users / (MESSAGE / 2) {
                let lines: Vec<String> = (0..MESSAGE / 2).flat_map(|n| passing(user + n)).collect();
                user += MESSAGE / 2;
                source.send(&lines, MESSAGE).await;
            }
            let asked = folder.run(&["who", "hall"]).ok();
            assert!(!asked.out.contains("user-"), "{}", asked.out);
            sizes.push(resident(serving.pid()) >> 20);
        }
        source.end().await;
        serving.stop();
        // Each line is an entry. The link up is one more; a proper close makes none.
        assert_eq!(folder.verified(), 2 * user as u64 + 1);
        println!(
            "{} lines of {user} users who came and went, resident size after each part, MiB: {sizes:?}",
            2 * user
        );
        let (first, last) = (sizes[1], sizes[sizes.len() - 1]);
        assert!(
            last <= first + first / 4 + 32,
            "memory grows with everybody who ever was: {sizes:?} MiB"
        );
    });
}
