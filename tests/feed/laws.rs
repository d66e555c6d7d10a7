//! Laws of the feed: which text is JSON, when metadata is the same, and that no input causes a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
use rollbook::domain::event::EventPayload;
use rollbook::feed::{Defaults, LineError, parse};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

const DEFAULTS: Defaults<'static> = Defaults::of("default");

/// The canonical text of `meta`, and whether it was borrowed.
fn canonical(meta: &str) -> Result<(String, bool), LineError> {
    let line = format!(r#"{{"t":"join","channel":"c","topic":"t","user":"u","meta":{meta}}}"#);
    match parse(line.as_bytes(), &DEFAULTS)?.payload {
        EventPayload::Changes { mut changes, .. } => {
            let meta = changes.pop().and_then(|change| change.who.meta).unwrap();
            let borrowed = matches!(meta, Cow::Borrowed(_));
            Ok((meta.into_owned(), borrowed))
        }
        other => panic!("{other:?}"),
    }
}

/// Whether a store accepts metadata that no feed has parsed.
fn fits(meta: &str) -> bool {
    let line = r#"{"t":"join","channel":"c","topic":"t","user":"u"}"#;
    let mut event = parse(line.as_bytes(), &DEFAULTS).unwrap();
    if let EventPayload::Changes { changes, .. } = &mut event.payload {
        changes[0].who.meta = Some(meta.into());
    }
    rollbook::store::check(&event).is_ok()
}

fn same(meta: &str, wanted: &str) {
    let (text, borrowed) = canonical(meta).unwrap();
    assert_eq!(text, wanted, "{meta}");
    assert_eq!(borrowed, meta == wanted, "{meta}");
    assert_eq!((fits(wanted), fits(meta)), (true, meta == wanted), "{meta}");
}

#[test]
fn numbers_by_their_decimal_value() {
    for (number, wanted) in [
        ("1", "1"),
        ("1.0", "1"),
        ("10e-1", "1"),
        ("1e0", "1"),
        ("0.001E+3", "1"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("0e99999999999999999999", "0"),
        ("1000", "1000"),
        ("1e3", "1000"),
        ("-1.50", "-1.5"),
        ("123.456", "123.456"),
        ("123456e-3", "123.456"),
        ("0.5", "0.5"),
        ("5e-1", "0.5"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("100000000000000000000", "100000000000000000000"),
        ("1000000000000000000000", "1e+21"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901", "123456789012345678901"),
        ("1234567890123456789012", "1.234567890123456789012e+21"),
        ("0.1234567890123456789012", "1.234567890123456789012e-1"),
        ("1e400", "1e+400"),
        ("10e2147483646", "1e+2147483647"),
    ] {
        same(number, wanted);
    }
    for number in ["10e2147483647", "1e-99999999999999999999", "1e2147483648"] {
        assert_eq!(
            canonical(number).unwrap_err().to_string(),
            "meta has a number with an exponent beyond 2147483647"
        );
    }
}

#[test]
fn strings_and_objects() {
    for (meta, wanted) in [
        ("null", "null"),
        ("\"abc é 😀 /\"", "\"abc é 😀 /\""),
        (r#""\u0061\/\u00e9\ud83d\ude00""#, "\"a/é😀\""),
        (
            r#""\u000a\u0000\u001F\u0022\\\b""#,
            r#""\n\u0000\u001f\"\\\b""#,
        ),
        ("{ }", "{}"),
        ("[ ]", "[]"),
        ("[ 1 , [ 2.0 ] ]", "[1,[2]]"),
        (r#"{"a":1,"b":{"c":[]}}"#, r#"{"a":1,"b":{"c":[]}}"#),
        (
            r#"{"b":1,"a":{"d":1,"c":2},"\u0062":3}"#,
            r#"{"a":{"c":2,"d":1},"b":3}"#,
        ),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        // The order is by bytes, not by UTF-16 units: U+FF5E comes before U+1F600.
        (r#"{"😀":1,"～":2,"":0}"#, r#"{"":0,"～":2,"😀":1}"#),
    ] {
        same(meta, wanted);
    }
    for meta in [r#""\ud800""#, r#"[{"a":"\udfff"}]"#, r#"{"\ud83dx":1}"#] {
        assert_eq!(
            canonical(meta).unwrap_err().to_string(),
            "meta has a lone surrogate"
        );
    }
}

/// A JSON value that can be compared exactly: a number is a whole part and a power of ten.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Json {
    Word(&'static str),
    Number(i64, i32),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(Json::Word),
        (-3i64..3, -2i32..2).prop_map(number),
        (any::<i64>(), -40i32..40).prop_map(number),
        "[ab\"\\\\\u{0}\n\u{7f}é😀～]{0,3}".prop_map(Json::Text),
        any::<String>().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            prop::collection::btree_map("[ab\"é😀～]{0,2}", inner, 0..5).prop_map(Json::Object),
        ]
    })
}

/// With the shortest whole part, so that equal numbers are equal values.
fn number((mut whole, mut power): (i64, i32)) -> Json {
    if whole == 0 {
        return Json::Number(0, 0);
    }
    while whole % 10 == 0 {
        whole /= 10;
        power += 1;
    }
    Json::Number(whole, power)
}

/// One of the many notations of a value; `choices` chooses it.
fn written(json: &Json, choices: &mut impl Iterator<Item = u8>) -> String {
    let mut choose = |n: u8| choices.next().unwrap_or_default() % n;
    match json {
        Json::Word(word) => (*word).to_owned(),
        Json::Number(whole, power) => {
            let zeros = if *whole == 0 { 0 } else { i32::from(choose(4)) };
            let mantissa = format!("{whole}{}", "0".repeat(zeros as usize));
            let power = power - zeros;
            match choose(3) {
                0 => format!("{mantissa}e{power}"),
                1 => format!("{mantissa}.00E{power:+}"),
                _ if power >= 0 && *whole != 0 => mantissa + &"0".repeat(power as usize),
                _ => format!("{mantissa}e{power}"),
            }
        }
        Json::Text(text) => string(text, choose(2) == 0),
        Json::List(list) => {
            let items: Vec<_> = list.iter().map(|item| written(item, choices)).collect();
            format!("[ {} ]", items.join(" ,"))
        }
        Json::Object(object) => {
            let escaped = choose(2) == 0;
            let turn = usize::from(choose(5)) % object.len().max(1);
            let mut entries: Vec<_> = object.iter().collect();
            entries.rotate_left(turn);
            let mut texts = Vec::new();
            if let Some((key, _)) = entries.last() {
                // The same key follows later, and that one counts.
                texts.push(format!("{} : [1,{{}}]", string(key, !escaped)));
            }
            for (key, value) in entries {
                texts.push(format!(
                    "{}:{}",
                    string(key, escaped),
                    written(value, choices)
                ));
            }
            format!("{{{}}}", texts.join(", "))
        }
    }
}

fn string(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).unwrap();
    }
    let units: String = text.encode_utf16().map(|u| format!("\\u{u:04X}")).collect();
    format!("\"{units}\"")
}

/// Equality, except for how serde_json reads numbers: floats, integers and two zeros.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-14
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

/// Lines of every shape, to be damaged.
const LINES: [&str; 15] = [
    r#"{"channelType":"STREAM","channelName":"w3c","eventType":"REMOTE_JOIN","publisher":"a","timestamp":1174478940000,"topicInfos":[{"topicName":"html-wg","publishers":[{"publisherUserId":"a","publisherMeta":"x"}]}]}"#,
    r#"{"type":1,"channelName":"c","publisher":"","timestamp":1,"topicInfoCount":1,"topicInfos":[{"topic":"t","publisherCount":1,"publishers":[{"publisherUserId":"u"}]}]}"#,
    r#"{"event":"linkState","currentState":"CONNECTED","reasonCode":"X","affectedChannels":["a"],"unrestoredChannels":[],"timestamp":1}"#,
    r#"{"event":"token","eventType":"WILL_EXPIRE"}"#,
    r#"{"t":"join","channel":"c","topic":"t","user":"u","conn":"x","meta":{"b":1.50,"a":"\ud83d\ude00"},"pos":[1,2],"ts":1e3}"#,
    r#"{"t":"diff","channel":"c","joins":{"t":[{"user":"u","meta":[1,-0.0]}]},"leaves":{"t":[{"user":"v","reason":"r"}]}}"#,
    r#"{"t":"snapshot_page","channel":"c","sync":"s","topics":{"a":[],"b":[{"user":"u","ts":1}]},"id":"i"}"#,
    r#"{"t":"link","state":"down","channels":["a","b"],"observer":"o","self":"me"}"#,
    r#"{"t":"link","state":"up","resync":"differences","service":"topics","unrestored":[1]}"#,
    r#"{"t":"changes","channel":1,"together":true,"occupancy":2,"changes":[{"t":"leave","topic":"t","user":-5,"late_ms":30000}]}"#,
    r#"{"event":"linkState","currentState":2,"serviceType":3,"reasonCode":8,"reason":"R","affectedChannels":null,"isResumed":true,"timestamp":"2026-05-14T20:30:00Z"}"#,
    r#"{"eventType":"INTERVAL","channelType":"MESSAGE","channelName":"c","publisher":"","stateChanged":{},"interval":{"join":{"users":["a"],"userCount":1},"leave":{"users":[]},"timeout":{"users":["b"]},"userStateList":[{"userId":"a","states":{"k":"v"},"statesCount":1}],"totalOccupancy":3},"snapshot":[],"timestamp":1}"#,
    r#"{"eventType":"SNAPSHOT","channelType":"STREAM","channelName":"c","publisher":"","stateChanged":{},"interval":null,"snapshot":[{"userId":"a","states":{"k":"v"},"statesCount":1}],"timestamp":1}"#,
    r#"{"type":6,"channelType":1,"channelName":"c","publisher":"a","stateItems":[{"key":"k","value":"v"}],"stateItemCount":1,"timestamp":1}"#,
    r#"{"type":1,"channelType":2,"channelName":"c","publisher":"","stateItems":[],"interval":null,"snapshot":{"userStateList":[{"userId":"a","states":null}],"userCount":1},"timestamp":1}"#,
];

fn is_json(refusal: Option<&LineError>) -> bool {
    !matches!(
        refusal,
        Some(LineError::NotJson { .. } | LineError::NotUtf8 { .. } | LineError::TooDeep { .. })
    )
}

/// `parse` and serde_json must agree on which text is JSON, and error messages must have a reasonable length.
fn agrees(line: &[u8]) {
    let parsed = parse(line, &DEFAULTS);
    let theirs = serde_json::from_slice::<&RawValue>(line).is_ok();
    let deep = matches!(parsed, Err(LineError::TooDeep { .. }));
    assert!(
        deep || is_json(parsed.as_ref().err()) == theirs,
        "{parsed:?} {}",
        String::from_utf8_lossy(line)
    );
    if let Err(refusal) = parsed {
        let sentence = refusal.to_string();
        assert!(!sentence.is_empty() && sentence.len() < 500);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_same_value_has_the_same_text(
        value in json(),
        one in prop::collection::vec(any::<u8>(), 0..60),
        two in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (one, two) = (written(&value, &mut one.into_iter()), written(&value, &mut two.into_iter()));
        let (text, _) = canonical(&one).unwrap();
        prop_assert_eq!(&text, &canonical(&two).unwrap().0);
        // Canonical text stays the same, and is borrowed.
        prop_assert_eq!((text.clone(), true), canonical(&text).unwrap());
        // A store accepts only the canonical text.
        prop_assert!(fits(&text));
        prop_assert_eq!(fits(&one), one == text);
        // It means the same as the original text.
        prop_assert!(alike(&serde_json::from_str(&one).unwrap(), &serde_json::from_str(&text).unwrap()));
    }

    #[test]
    fn other_values_have_other_texts(a in json(), b in json()) {
        let text = |value: &Json| canonical(&written(value, &mut std::iter::empty())).unwrap().0;
        prop_assert_eq!(a == b, text(&a) == text(&b));
    }

    #[test]
    fn any_bytes(line in prop::collection::vec(any::<u8>(), 0..200)) {
        agrees(&line);
    }

    #[test]
    fn json_like_text(line in "[\\[\\]{}\",:0-9eE.+\\-\\\\u d8tfnrulase\u{0}é]{0,40}") {
        agrees(line.as_bytes());
    }

    #[test]
    fn mutilated_lines(
        line in prop::sample::select(&LINES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..5), 1..6),
    ) {
        let mut line = line.as_bytes().to_vec();
        for (index, byte, how) in changes {
            if line.is_empty() {
                break;
            }
            let at = index.index(line.len());
            match how {
                0 => line[at] = byte,
                1 => drop(line.remove(at)),
                2 => line.insert(at, b"{}[]\",:\\0-"[usize::from(byte % 10)]),
                3 => line.truncate(at),
                _ => {
                    let piece = line[at..line.len().min(at + usize::from(byte % 40))].to_vec();
                    line.splice(at..at, piece);
                }
            }
        }
        agrees(&line);
    }

    /// Whatever value a field has, the line is either accepted or refused because of that field.
    #[test]
    fn any_value_anywhere(
        line in prop::sample::select(&LINES[..]),
        field in any::<prop::sample::Index>(),
        value in json(),
        choices in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let whole: BTreeMap<String, &RawValue> = serde_json::from_str(line).unwrap();
        let key = whole.keys().nth(field.index(whole.len())).unwrap().clone();
        let texts: Vec<_> = whole
            .iter()
            .map(|(k, v)| match *k == key {
                true => format!("{k:?}:{}", written(&value, &mut choices.clone().into_iter())),
                false => format!("{k:?}:{v}"),
            })
            .collect();
        agrees(format!("{{{}}}", texts.join(",")).as_bytes());
    }
}

#[test]
fn every_cut_of_every_line() {
    for line in LINES {
        assert!(parse(line.as_bytes(), &DEFAULTS).is_ok(), "{line}");
        for end in 0..line.len() {
            let refusal = parse(&line.as_bytes()[..end], &DEFAULTS).unwrap_err();
            assert!(matches!(refusal, LineError::NotJson { .. }), "{end} {line}");
        }
    }
}
