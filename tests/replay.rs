//! Replay, case by case: which lines are played, when, and how it is paused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::Store;
use rollbook::ingest::IngestOptions;
use rollbook::replay::{
    LineShape, LineSink, PacedSink, PlaybackClock, PlaybackControl, PlayedLine, ReplayFilter, Speed,
};
use rollbook_support as support;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn played(store: &Store, filter: &ReplayFilter, shape: LineShape) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut each = |line: &PlayedLine<'_>| {
        lines.push(serde_json::from_str(line.text).unwrap());
        true
    };
    store.play(filter, shape, &mut each).unwrap();
    lines
}

const PAGES: &str = r#"
{"t":"join","channel":"a","topic":"t","user":"ann","ts":1000}
{"t":"snapshot_begin","channel":"a","sync":"s","self":"me","ts":2000}
{"t":"snapshot_page","channel":"a","sync":"s","topics":{"t":[{"user":"ann","meta":1}],"u":[]}}
{"t":"join","channel":"a","topic":"t","user":"bob","ts":2500}
{"t":"snapshot_page","channel":"a","sync":"s","topics":{"t":[{"user":"cid","ts":1900}]}}
{"t":"snapshot_end","channel":"a","sync":"s","ts":3000}
{"t":"leave","channel":"a","topic":"t","user":"bob","ts":4000,"reason":"tired"}
"#;

#[test]
fn rollbooks_shape_keeps_pages_as_they_were() {
    let store = support::store_of(PAGES);
    let lines = played(&store, &ReplayFilter::default(), LineShape::Rollbook);
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line["t"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "join",
            "snapshot_begin",
            "snapshot_page",
            "join",
            "snapshot_page",
            "snapshot_end",
            "leave"
        ]
    );
    let recorded_at = 1_800_000_000_000_i64;
    assert_eq!(
        lines[4],
        json!({"t":"snapshot_page","channel":"a","sync":"s","recorded_at":recorded_at,
            "topics":{"t":[{"user":"cid","ts":1900}]}})
    );
    assert_eq!(
        lines[6],
        json!({"t":"leave","channel":"a","topic":"t","user":"bob","ts":4000,"reason":"tired",
            "recorded_at":recorded_at})
    );
}

#[test]
fn a_range_that_begins_among_pages_has_the_snapshot_whole() {
    let store = support::store_of(PAGES);
    // Entry 3 is the snapshot; bob joined after its begin.
    let by_seq = ReplayFilter::default().from_seq(3);
    let by_time = ReplayFilter::default().from(2_100);
    let wanted = [&["snapshot", "leave"][..], &["join", "snapshot", "leave"]];
    for (filter, wanted) in [by_seq, by_time].iter().zip(wanted) {
        let lines = played(&store, filter, LineShape::Rollbook);
        let kinds: Vec<&str> = lines
            .iter()
            .map(|line| line["t"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, wanted, "{filter:?}");
        let snapshot = &lines[lines.len() - 2];
        assert_eq!(
            snapshot["topics"],
            json!({"t":[{"user":"ann","meta":1},{"user":"bob"},{"user":"cid"}]})
        );
        assert_eq!(
            (&snapshot["ts"], &snapshot["self"]),
            (&json!(3000), &json!("me"))
        );
    }
}

#[test]
fn a_range_ends_with_the_last_entry_or_before_a_moment() {
    let store = support::store_of(PAGES);
    let until = |to, to_seq| {
        let mut filter = ReplayFilter::default();
        filter.to = to;
        filter.to_seq = to_seq;
        played(&store, &filter, LineShape::Agora).len()
    };
    assert_eq!(until(None, Some(1)), 1);
    assert_eq!(until(Some(2_500), None), 1);
    assert_eq!(until(Some(2_501), None), 2);
    assert_eq!(until(None, None), 4);
}

#[test]
fn an_incomplete_snapshot_stays_one_in_agoras_shape() {
    for (feed, infers) in [
        (
            // The begin says that the pages do not show the whole channel.
            r#"
{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann"},{"user":"bob"}]},"ts":1000}
{"t":"snapshot_begin","channel":"a","sync":"s","incomplete":true,"ts":2000}
{"t":"snapshot_page","channel":"a","sync":"s","topics":{"t":[{"user":"cid"}]}}
{"t":"snapshot_end","channel":"a","sync":"s","ts":3000}
"#,
            ["ann", "bob", "cid"],
        ),
        (
            r#"
{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann"},{"user":"bob"}]},"ts":1000}
{"t":"snapshot","channel":"a","incomplete":true,"topics":{"t":[{"user":"cid"}]},"ts":3000}
"#,
            ["ann", "bob", "cid"],
        ),
    ] {
        let store = support::store_of(feed);
        let lines = played(&store, &ReplayFilter::default(), LineShape::Agora);
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let again = support::store_of(&lines.join("\n"));
        let history = support::history(&again);
        let complete: Vec<Option<bool>> = history.iter().map(|entry| entry.complete).collect();
        assert!(complete.contains(&Some(false)), "{lines:?}");
        let who = again.who("a", &Default::default()).unwrap();
        let users: Vec<&str> = who.topics[0].publishers.iter().map(|p| &*p.user).collect();
        assert_eq!(users, infers, "{lines:?}");
    }
}

#[test]
fn what_only_other_shapes_can_say_has_fields_of_its_own() {
    let store = support::store_of(
        r#"
{"eventType":"SNAPSHOT","channelName":"a","publisher":"","timestamp":1000,"totalTopics":3,"topicInfos":[{"topicName":"t","totalPublisher":2,"publishers":[{"publisherUserId":"ann"}]},{"topicName":"u","publishers":[]}]}
{"eventType":"REMOTE_JOIN","channelName":"a","publisher":"","timestamp":2000,"topicInfos":[{"topicName":"u","publishers":[{"publisherUserId":"zoe"},{"publisherUserId":"bob"}]}],"id":"x"}
{"event":"linkState","currentState":"CONNECTED","unrestoredChannels":["a"],"timestamp":3000}
{"event":"linkState","currentState":"FAILED","serviceType":"OTHER","affectedChannels":["a"],"timestamp":4000}
"#,
    );
    let mut lines = played(&store, &ReplayFilter::default(), LineShape::Rollbook);
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("recorded_at");
    }
    let wanted = [
        json!({"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann"}],"u":[]},"ts":1000,
            "total_topics":3,"totals":{"t":2}}),
        json!({"t":"changes","channel":"a","id":"x","changes":[
            {"t":"join","topic":"u","user":"zoe","ts":2000},
            {"t":"join","topic":"u","user":"bob","ts":2000}]}),
        json!({"t":"link","state":"up","unrestored":["a"],"ts":3000}),
        json!({"t":"link","state":"down","service":"other","ts":4000}),
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn lines_say_how_they_were_recorded_and_only_who_asks_heeds_it() {
    let line = r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":9000,"recorded_at":5000,"rules":{"max_ahead_ms":0,"lossy":true}}"#;
    let keep = IngestOptions::default().keep_recorded(true);
    let kept = support::store_of("");
    support::take(&kept, line, &keep);
    let entry = &support::history(&kept)[0];
    // By these rules, four seconds ahead is too far.
    assert_eq!((entry.recorded_at.0, entry.occurred_at.0), (5_000, 5_000));
    let replayed = &played(&kept, &ReplayFilter::default(), LineShape::Rollbook)[0];
    assert_eq!(
        replayed["rules"],
        json!({"skew_tolerance_ms":0,"max_ahead_ms":0,"slack_ms":0,"lossy":true})
    );
    let usual = support::store_of(line);
    let entry = &support::history(&usual)[0];
    assert_eq!(
        (entry.recorded_at.0, entry.occurred_at.0),
        (1_800_000_000_000, 9_000)
    );

    // Times of recording never go back. Lines without one get the time of the clock.
    let later =
        r#"{"t":"leave","channel":"a","topic":"t","user":"ann","ts":9500,"recorded_at":4000}"#;
    support::take(&kept, later, &keep);
    assert_eq!(support::history(&kept)[1].recorded_at.0, 5_000);
    let silent = r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":9600}"#;
    support::take(&kept, silent, &keep);
    assert_eq!(support::history(&kept)[2].recorded_at.0, 1_800_000_000_000);

    for (wrong, why) in [
        (r#""recorded_at":"now""#, "recorded_at"),
        (r#""recorded_at":1.5"#, "recorded_at"),
        (r#""rules":[]"#, "rules is not an object"),
        (r#""rules":{"slack_ms":"1"}"#, "slack_ms"),
        (r#""rules":{"lossy":1}"#, "lossy"),
    ] {
        let line = format!(r#"{{"t":"link","state":"up",{wrong}}}"#);
        let store = support::store_of("");
        assert_eq!(
            support::take(&store, &line, &keep).tally.rejected,
            1,
            "{line}"
        );
        for reject in store.rejects().unwrap() {
            let reject = reject.unwrap();
            assert!(reject.reason.contains(why), "{reject:?}");
        }
        assert_eq!(
            support::take(&store, &line, &IngestOptions::default())
                .tally
                .events,
            1
        );
    }
}

/// A clock whose time passes only in rests. It counts the rests.
#[derive(Clone, Default)]
struct Fake(Rc<RefCell<Told>>);

#[derive(Default)]
struct Told {
    now: Duration,
    rests: usize,
    /// The events of each rest, by its number.
    script: Vec<(usize, Happens)>,
}

#[derive(Clone, Copy)]
enum Happens {
    /// The process is stopped for this long.
    Stopped(Duration),
    Paused,
    Resumed,
    Ended,
}

impl PlaybackClock for Fake {
    fn now(&mut self) -> Duration {
        self.0.borrow().now
    }

    fn rest(&mut self, remote: &PlaybackControl, at_most: Duration) {
        let mut told = self.0.borrow_mut();
        told.now += at_most;
        told.rests += 1;
        assert!(told.rests < 10_000, "it rests for ever");
        let rest = told.rests;
        let now: Vec<Happens> = told
            .script
            .iter()
            .filter(|(at, _)| *at == rest)
            .map(|&(_, what)| what)
            .collect();
        for what in now {
            match what {
                Happens::Stopped(long) => told.now += long,
                Happens::Paused => remote.pause(),
                Happens::Resumed => remote.resume(),
                Happens::Ended => remote.stop(),
            }
        }
    }
}

/// The times at which lines of these effective times are played.
fn paced(speed: Speed, script: Vec<(usize, Happens)>, at: &[i64]) -> Vec<u128> {
    let time = Fake::default();
    time.0.borrow_mut().script = script;
    let mut when = Vec::new();
    let sink = |_: &PlayedLine<'_>| {
        when.push(time.0.borrow().now.as_millis());
        true
    };
    let mut paced = PacedSink::by(time.clone(), sink, speed, PlaybackControl::default());
    for &at in at {
        let line = PlayedLine {
            seq: 1,
            at,
            text: "",
        };
        if !paced.line(&line) {
            break;
        }
    }
    drop(paced);
    when
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn lines_are_as_far_apart_as_they_were() {
    let at = [5_000, 6_000, 6_000, 5_500, 9_000];
    assert_eq!(
        paced(Speed::Times(1.0), vec![], &at),
        [0, 1_000, 1_000, 1_000, 4_000]
    );
    assert_eq!(
        paced(Speed::Times(0.5), vec![], &at),
        [0, 2_000, 2_000, 2_000, 8_000]
    );
    assert_eq!(paced(Speed::Times(1_000.0), vec![], &at), [0, 1, 1, 1, 4]);
    assert_eq!(paced(Speed::Max, vec![], &at), [0; 5]);
}

#[test]
fn a_pause_is_no_time() {
    // Paused in the third rest of a tenth of a second, and resumed seven rests later.
    let script = vec![(3, Happens::Paused), (10, Happens::Resumed)];
    let at = [0, 1_000, 2_000];
    assert_eq!(
        paced(Speed::Times(1.0), script, &at)[1..],
        [1_700 + 100, 2_700 + 100]
    );
}

#[test]
fn a_stop_of_the_process_is_not_caught_up_with() {
    let script = vec![(3, Happens::Stopped(MINUTE))];
    let times = paced(Speed::Times(1.0), script, &[0, 1_000, 2_000, 3_000]);
    // Only half a second of the minute counts.
    assert_eq!(times, [0, 60_600, 61_600, 62_600]);
}

#[test]
fn a_stopped_play_plays_no_more() {
    let script = vec![(3, Happens::Ended)];
    assert_eq!(paced(Speed::Times(1.0), script, &[0, 1_000]), [0]);
    let script = vec![
        (3, Happens::Paused),
        (5, Happens::Ended),
        (6, Happens::Resumed),
    ];
    assert_eq!(paced(Speed::Times(1.0), script, &[0, 1_000]), [0]);
}

#[test]
fn a_play_is_paused_from_another_thread() {
    let store = support::store_of(PAGES);
    let remote = PlaybackControl::default();
    remote.pause();
    let (heard, lines) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let of_player = remote.clone();
        let store = &store;
        scope.spawn(move || {
            let sink = |line: &PlayedLine<'_>| heard.send(line.seq).is_ok();
            let mut paced = PacedSink::new(sink, Speed::Max, of_player);
            store
                .play(&ReplayFilter::default(), LineShape::Agora, &mut paced)
                .unwrap();
        });
        // While paused, it plays nothing, even at the highest speed. After resuming, it plays everything.
        assert!(lines.recv_timeout(Duration::from_millis(20)).is_err());
        remote.resume();
        assert_eq!(lines.iter().collect::<Vec<_>>(), [1, 2, 3, 6]);
    });
}

#[test]
fn a_speed_is_a_number_or_max() {
    assert_eq!("max".parse(), Ok(Speed::Max));
    assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
    assert_eq!("1000x".parse(), Ok(Speed::Times(1_000.0)));
    for wrong in ["", "0", "-1", "NaN", "inf", "fast", "1e9"] {
        assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
    }
}

#[test]
fn a_link_line_that_names_several_channels_is_played_for_each() {
    let store = support::store_of(
        r#"
{"t":"join","channel":"a","topic":"t","user":"ann","ts":1000}
{"t":"join","channel":"b","topic":"t","user":"bob","ts":1000}
{"event":"linkState","currentState":"DISCONNECTED","affectedChannels":["a","b"],"timestamp":2000}
{"event":"linkState","currentState":"CONNECTED","unrestoredChannels":["a"],"timestamp":3000}
"#,
    );
    let links = |channel: Option<&str>| -> Vec<Value> {
        let mut filter = ReplayFilter::default();
        filter.channel = channel.map(str::to_owned);
        let lines = played(&store, &filter, LineShape::Agora).into_iter();
        let links = lines.filter(|line| line["event"] == "linkState");
        links
            .map(|line| json!([line["affectedChannels"], line["unrestoredChannels"]]))
            .collect()
    };
    assert_eq!(links(None), [json!([["a", "b"], []]), json!([[], ["a"]])]);
    // A replay of one channel does not name the others.
    assert_eq!(links(Some("a")), [json!([["a"], []]), json!([[], ["a"]])]);
    assert_eq!(links(Some("b")), [json!([["b"], []]), json!([[], []])]);
}

#[test]
fn where_the_range_cuts_into_history_the_roster_comes_first() {
    let store = support::store_of(
        r#"
{"t":"link","state":"up","channels":["a"],"ts":500}
{"t":"join","channel":"a","topic":"t","user":"ann","meta":1,"ts":1000}
{"t":"join","channel":"a","topic":"u","user":"bob","ts":2000,"observer":"two"}
{"t":"leave","channel":"a","topic":"t","user":"ann","ts":3000,"observer":"two"}
{"t":"join","channel":"b","topic":"t","user":"zoe","ts":4000}
"#,
    );
    let played = |channel: &str, from, to| {
        let mut filter = ReplayFilter::default()
            .channel(channel)
            .from(from)
            .standing(true);
        filter.to = to;
        let mut lines = Vec::new();
        let mut each = |line: &PlayedLine<'_>| {
            let value: Value = serde_json::from_str(line.text).unwrap();
            lines.push((line.at, value));
            true
        };
        store.play(&filter, LineShape::Agora, &mut each).unwrap();
        lines
    };
    let kinds = |lines: &[(i64, Value)]| -> Vec<String> {
        let kinds = lines.iter().map(|(_, line)| &line["eventType"]);
        kinds
            .map(|kind| kind.as_str().unwrap_or("link").to_owned())
            .collect()
    };
    let snapshot = |ts, topics: Value, observer: Value| {
        let total = topics.as_array().unwrap().len();
        let mut line = json!({"eventType":"SNAPSHOT","channelName":"a","publisher":"","timestamp":ts,
            "totalTopics":total,"topicInfos":topics});
        if !observer.is_null() {
            line["observer"] = observer;
        }
        line
    };
    let ann = json!({"topicName":"t","totalPublisher":1,"publishers":[{"publisherUserId":"ann","publisherMeta":1}]});
    let bob = json!({"topicName":"u","totalPublisher":1,"publishers":[{"publisherUserId":"bob"}]});

    // The roster at the beginning of the range, with its time and the observer that continues. It is played first.
    let lines = played("a", 1_500, None);
    assert_eq!(kinds(&lines), ["SNAPSHOT", "REMOTE_JOIN", "REMOTE_LEAVE"]);
    assert_eq!(
        lines[0],
        (1_500, snapshot(1_000, json!([ann]), json!("two")))
    );
    let lines = played("a", 2_500, Some(2_600));
    assert_eq!(
        lines,
        [(2_500, snapshot(2_000, json!([ann, bob]), json!("two")))]
    );
    // No later entry needs an observer.
    let lines = played("a", 9_000, None);
    assert_eq!(lines, [(9_000, snapshot(3_000, json!([bob]), Value::Null))]);
    // No member was known before.
    assert_eq!(kinds(&played("a", 0, None))[0], "link");
    assert_eq!(kinds(&played("a", 700, None))[0], "REMOTE_JOIN");
    assert_eq!(kinds(&played("b", 0, None)), ["REMOTE_JOIN"]);
}
