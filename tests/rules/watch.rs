//! Who watches a channel, and gaps (contract 2.5.9, 2.5.12, 2.7), sentence by sentence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::told;
use rollbook_support as support;
use serde_json::Value;
use told::{coverage, ends, entries, entries_of, gaps_of, opens, store, tells, told_entry};

/// A `linkState` line; `more` adds fields as JSON.
fn link(ts: i64, state: &str, more: &str) -> String {
    format!(r#"{{"event":"linkState","currentState":"{state}","timestamp":{ts}{more}}}"#)
}

#[test]
fn rule_9_observers_share_the_roster() {
    ends("5 join a :obs=o\n10 snap a :obs=p", &["join a", "snapshot"]);
    ends(
        "5 snap a :obs=o\n8 leave a :obs=o\n10 snap :obs=p",
        &["leave a", "snapshot"],
    );
}

#[test]
fn rule_9_a_first_snapshot_by_a_second_observer_opens_no_gap() {
    opens("5 snap a :obs=o\n10 snap a :obs=p", &[]);
    opens(
        "1 up :obs=o\n5 snap a :obs=o\n9 up :obs=p\n10 snap a :obs=p",
        &[],
    );
}

#[test]
fn rule_9_a_channel_is_blind_only_while_none_of_its_observers_is_up() {
    let text = "1 up :obs=o\n2 snap a :obs=o\n3 up :obs=p\n4 snap a :obs=p\n8 down :obs=o";
    opens(text, &[]);
    assert_eq!(coverage(&store(text), "c"), "complete");
    let text = format!("{text}\n9 down :obs=p");
    opens(&text, &["1 link 4..?"]);
    assert_eq!(coverage(&store(&text), "c"), "blind");
    opens(
        &format!("{text}\n10 up :obs=o\n12 snap a :obs=o"),
        &["1 link 4..12"],
    );
}

#[test]
fn rule_9_an_observer_without_link_lines_is_up() {
    opens(
        "1 up :obs=o\n2 snap a :obs=o\n4 snap a :obs=p\n8 down :obs=o",
        &[],
    );
}

#[test]
fn rule_12_any_state_but_connected_while_up_is_down() {
    for state in ["IDLE", "CONNECTING", "DISCONNECTED", "SUSPENDED", "FAILED"] {
        let text = format!(
            "{}\n5 snap a\n{}",
            link(1, "CONNECTED", ""),
            link(8, state, "")
        );
        opens(&text, &["1 link 5..?"]);
    }
}

#[test]
fn rule_12_stream_or_no_service_type_counts() {
    let down = link(8, "DISCONNECTED", r#","serviceType":"STREAM""#);
    opens(&format!("1 up\n5 snap a\n{down}"), &["1 link 5..?"]);
}

#[test]
fn rule_12_a_line_of_another_service_touches_nothing() {
    for more in [
        r#","serviceType":"MESSAGE""#,
        r#","serviceType":"MESSAGE","affectedChannels":["c"]"#,
    ] {
        let text = format!("1 up\n5 snap a\n{}", link(8, "DISCONNECTED", more));
        opens(&text, &[]);
        assert_eq!(coverage(&store(&text), "c"), "complete");
        let last = entries(&store(&text)).pop().unwrap();
        assert_eq!(
            (&last["type"], &last["channel"]),
            (&"link".into(), &Value::Null)
        );
    }
}

#[test]
fn rule_12_affected_channels_only() {
    let down = link(8, "DISCONNECTED", r#","affectedChannels":["d"]"#);
    let store = store(&format!("1 up\n5 snap a\n5 snap a :ch=d\n{down}"));
    assert_eq!(
        (gaps_of(&store, "c").len(), gaps_of(&store, "d").len()),
        (0, 1)
    );
}

#[test]
fn rule_12_empty_affected_channels_are_all_of_the_observer() {
    for more in ["", r#","affectedChannels":[]"#] {
        let down = link(8, "DISCONNECTED", more);
        let store = store(&format!(
            "1 up\n5 snap a\n5 snap a :ch=d\n5 snap a :ch=e :obs=p\n{down}"
        ));
        let counts = ["c", "d", "e"].map(|channel| gaps_of(&store, channel).len());
        assert_eq!(counts, [1, 1, 0]);
    }
}

#[test]
fn rule_12_all_channels_are_those_heard_of_by_then() {
    opens(
        "1 up\n5 snap a :ch=d\n8 down\n9 up\n10 snap a\n11 join b",
        &[],
    );
}

#[test]
fn rule_12_a_channel_that_a_link_line_named_is_among_all() {
    let store = store("1 up :chs=c,d\n5 snap a\n7 token renewed");
    let of_d: Vec<String> = entries_of(&store, "d").iter().map(told_entry).collect();
    assert_eq!(of_d, ["link up in d", "token renewed *"]);
}

#[test]
fn rule_12_a_line_that_says_down_of_a_channel_that_is_up_says_so_whatever_is_restored() {
    let more = r#","affectedChannels":["c"],"unrestoredChannels":["c"]"#;
    let down = link(8, "DISCONNECTED", more);
    opens(&format!("1 up\n5 snap a\n{down}"), &["1 link 5..?"]);
}

#[test]
fn rule_12_unrestored_channels_stay_down_and_get_no_entry() {
    for (affected, entry) in [
        (r#","affectedChannels":["c","d"]"#, vec!["link up"]),
        ("", vec!["link up *"]),
    ] {
        let up = link(
            20,
            "CONNECTED",
            &format!(r#"{affected},"unrestoredChannels":["d"]"#),
        );
        let text = format!(
            "1 up\n5 snap a\n5 snap a :ch=d\n6 snap a :obs=p\n6 snap a :ch=d :obs=p\n10 down\n{up}\n25 down :obs=p"
        );
        let store = store(&text);
        let told = told::told(&store);
        assert_eq!(told[told.len() - 2..told.len() - 1], entry);
        // After the other observer is lost, only the restored channel is still watched.
        assert_eq!(
            (coverage(&store, "c"), coverage(&store, "d")),
            ("complete".into(), "blind".into())
        );
    }
}

#[test]
fn rule_12_down_while_down_opens_nothing() {
    opens(
        "1 up\n5 snap a\n8 down\n9 down\n10 up\n20 snap a",
        &["1 link 5..20"],
    );
    let lines =
        ["DISCONNECTED", "CONNECTING", "SUSPENDED", "FAILED"].map(|state| link(8, state, ""));
    opens(
        &format!("1 up\n5 snap a\n{}", lines.join("\n")),
        &["1 link 5..?"],
    );
    // It opens none either after another observer's snapshot has closed the gap.
    let text = "1 up\n5 snap a\n8 down\n12 snap a :obs=p\n14 down";
    opens(text, &["1 link 5..12"]);
}

#[test]
fn rule_12_a_message_from_an_observer_that_is_down_shows_that_it_is_up_there() {
    let text = "1 up\n5 snap a\n5 snap a :ch=d\n6 snap a :obs=p\n6 snap a :ch=d :obs=p\n10 down\n12 join b\n14 down :obs=p";
    let store = store(text);
    assert_eq!(
        (gaps_of(&store, "c").len(), gaps_of(&store, "d").len()),
        (0, 1)
    );
}

#[test]
fn rule_12_one_entry_for_each_channel_named_bytewise() {
    tells(
        "5 up :chs=d,c,D",
        &["link up in D", "link up", "link up in d"],
    );
    tells(
        &link(5, "CONNECTED", r#","affectedChannels":["d","c"]"#),
        &["link up", "link up in d"],
    );
    tells("5 token expired :ch=d", &["token expired in d"]);
}

#[test]
fn rule_12_one_entry_without_a_channel_where_none_is_named() {
    tells("5 up", &["link up *"]);
    tells("5 token will_expire", &["token will_expire *"]);
    tells(&link(5, "CONNECTED", ""), &["link up *"]);
}

#[test]
fn rule_12_an_entry_without_a_channel_is_shown_in_every_channel_of_that_observer() {
    let store = store(
        "5 join a\n5 join a :ch=d\n5 join a :ch=e :obs=p\n8 down\n9 token renewed\n9 up :obs=p\n9 up :chs=d",
    );
    let of =
        |channel| -> Vec<String> { entries_of(&store, channel).iter().map(told_entry).collect() };
    assert_eq!(of("c"), ["join a", "link down *", "token renewed *"]);
    assert_eq!(
        of("d"),
        [
            "join a in d",
            "link down *",
            "token renewed *",
            "link up in d"
        ]
    );
    assert_eq!(of("e"), ["join a in e", "link up *"]);
    let counted: Vec<_> = store
        .channels()
        .unwrap()
        .iter()
        .map(|c| c.entries)
        .collect();
    assert_eq!(counted, [3, 4, 2]);
}

#[test]
fn rule_12_an_entry_without_a_channel_takes_effect_when_it_occurred() {
    let store = store("50 join a\n20 down\n30 token renewed");
    let times: Vec<_> = entries(&store)
        .iter()
        .map(|e| told::ms(&e["effective_at"]))
        .collect();
    assert_eq!(times, [Some(50), Some(20), Some(30)]);
}

#[test]
fn token_lines_of_every_shape_are_entries() {
    for (line, state) in [
        (
            r#"{"event":"token","eventType":"WILL_EXPIRE"}"#,
            "will_expire *",
        ),
        (
            r#"{"event":"token","eventType":"READ_PERMISSION_REVOKED"}"#,
            "revoked *",
        ),
        (
            r#"{"event":"tokenPrivilegeWillExpire","channelName":"c"}"#,
            "will_expire",
        ),
        (r#"{"t":"token","state":"expired"}"#, "expired *"),
        (
            r#"{"t":"token","state":"revoked","channel":"c"}"#,
            "revoked",
        ),
    ] {
        tells(line, &[&format!("token {state}")]);
    }
}

#[test]
fn token_lines_touch_no_link() {
    let text = "1 up\n5 snap a\n8 token expired\n9 token revoked :ch=c";
    opens(text, &[]);
    assert_eq!(coverage(&store(text), "c"), "complete");
}

#[test]
fn token_lines_do_not_make_an_observer_one_who_watches() {
    let text = "1 up :obs=o\n1 up :obs=p\n2 down :obs=p\n5 snap a :obs=o\n6 token expired :ch=c :obs=p\n8 down :obs=o";
    opens(text, &["1 link 5..?"]);
}

#[test]
fn link_and_token_entries_are_applied_and_bear_their_reason() {
    let last = entries(&store("5 down :why=net")).pop().unwrap();
    assert_eq!(
        (&last["disposition"], &last["reason"]),
        (&"applied".into(), &"net".into())
    );
    let line = link(5, "FAILED", r#","reasonCode":"TOKEN_EXPIRED""#);
    assert_eq!(entries(&store(&line))[0]["reason"], "TOKEN_EXPIRED");
}

#[test]
fn gap_by_link_opens_at_the_last_proof_and_closes_with_the_snapshot() {
    opens(
        "1 up\n5 snap a\n8 join b\n10 down\n15 up\n20 snap a b",
        &["1 link 8..20"],
    );
    opens("1 up\n5 snap a\n8 join b\n10 down", &["1 link 8..?"]);
    opens("1 up\n5 snap a\n8 join b\n10 down\n15 up", &["1 link 8..?"]);
}

#[test]
fn gap_by_link_needs_no_snapshot_before_it() {
    opens("1 up\n5 join a\n10 down", &["1 link 5..?"]);
    opens(
        "1 up\n5 join a\n10 down\n11 up\n20 snap a",
        &["1 link 5..20"],
    );
}

#[test]
fn gap_by_link_other_messages_of_the_observer_are_proofs_too() {
    opens("1 up\n5 snap a\n8 join b :ch=d\n10 down", &["1 link 8..?"]);
    opens(
        "1 up\n5 snap a\n8 join b :ch=d :obs=p\n10 down",
        &["1 link 5..?"],
    );
}

#[test]
fn gap_by_snapshot_is_from_that_channels_last_proof() {
    opens("5 snap a\n8 join b\n20 snap a b", &["1 snapshot 8..20"]);
    opens(
        "5 snap a\n8 join b\n15 join x :ch=d\n20 snap a b",
        &["1 snapshot 8..20"],
    );
    opens(
        "1 up\n5 snap a\n8 join b\n15 join x :ch=d\n20 snap a b",
        &["1 snapshot 8..20"],
    );
}

#[test]
fn gap_by_snapshot_needs_an_earlier_snapshot_since_the_link_came_up() {
    opens("5 join a\n20 snap a", &[]);
    opens("1 up\n20 snap a", &[]);
    opens(
        "1 up\n5 snap a\n8 down\n9 up\n20 snap a\n30 snap a",
        &["1 link 5..20", "2 snapshot 20..30"],
    );
}

#[test]
fn gap_by_snapshot_not_while_another_observer_is_up() {
    opens("5 snap a :obs=o\n6 snap a :obs=p\n20 snap a :obs=o", &[]);
    opens(
        "5 snap a :obs=o\n6 up :obs=p\n6 join x :obs=p\n20 snap a :obs=o",
        &[],
    );
    opens(
        "5 snap a :obs=o\n6 snap a :obs=p\n7 down :obs=p\n20 snap a :obs=o",
        &["1 snapshot 6..20"],
    );
}

#[test]
fn gaps_are_numbered_per_channel_from_one() {
    let store = store("5 snap a\n6 snap a\n7 snap a\n8 snap a :ch=d\n9 snap a :ch=d");
    assert_eq!(gaps_of(&store, "c"), ["1 snapshot 5..6", "2 snapshot 6..7"]);
    assert_eq!(gaps_of(&store, "d"), ["1 snapshot 8..9"]);
}

#[test]
fn an_incomplete_snapshot_opens_and_closes_nothing() {
    opens("5 snap a\n20 part a", &[]);
    opens("1 up\n5 snap a\n8 down\n9 up\n20 part a", &["1 link 5..?"]);
}

#[test]
fn a_stale_snapshot_opens_and_closes_nothing() {
    opens("5 snap a\n4 snap a", &[]);
    opens("1 up\n5 snap a\n8 down\n9 up\n4 snap a", &["1 link 5..?"]);
}

#[test]
fn an_incomplete_snapshot_of_an_observer_without_link_lines_ends_the_proofs() {
    opens(
        "5 snap a\n8 join b\n12 part b\n14 join d\n20 snap a b d",
        &["1 snapshot 8..20"],
    );
}

#[test]
fn a_paged_snapshot_closes_a_gap_at_its_end() {
    opens(
        "1 up\n5 snap a\n8 down\n9 up\n10 begin s\n- page s a\n20 end s",
        &["1 link 5..20"],
    );
}

#[test]
fn a_second_observers_snapshot_closes_the_gap() {
    opens(
        "1 up :obs=o\n5 snap a :obs=o\n8 down :obs=o\n20 snap a :obs=p",
        &["1 link 5..20"],
    );
}

#[test]
fn coverage_now() {
    for (text, want) in [
        ("5 join a", "partial"),
        ("5 up\n6 join a", "partial"),
        ("5 snap", "complete"),
        ("5 up\n6 snap\n7 down", "blind"),
        ("5 up\n6 snap\n7 down\n8 up", "blind"),
        ("5 up\n6 snap\n7 down\n8 up\n9 join a", "blind"),
        ("5 up\n6 snap\n7 down\n8 up\n9 snap", "complete"),
        ("5 up\n6 join a\n7 down", "blind"),
        ("5 snap\n6 snap", "complete"),
    ] {
        assert_eq!(coverage(&store(text), "c"), want, "{text}");
    }
}

#[test]
fn the_end_of_a_file_opens_no_gap() {
    let store = store("1 up\n5 snap a");
    support::take(&store, &told::feed("8 join b"), &Default::default());
    assert_eq!(gaps_of(&store, "c"), [""; 0]);
    assert_eq!(coverage(&store, "c"), "complete");
}
