//! Files that are no JSON lines: arrays, values spread over lines, UTF-16; bad elements in them; other kinds of files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use flate2::{Compression, write::GzEncoder};
use rollbook::ingest::source::{LineText, Source, SourceError};
use rollbook::limits::LINE_BYTES_MAX;
use std::io::{Cursor, Read, Write};

/// A reader that returns a few bytes at a time.
struct Slow(Cursor<Vec<u8>>, usize);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

/// The line, byte and text of an item of a source.
type Piece = (u64, u64, String);

fn pieces_of(source: &mut Source) -> (Vec<Piece>, Option<SourceError>) {
    let mut pieces = Vec::new();
    loop {
        let _ = source.wait();
        match source.next_line() {
            Ok(Some(line)) => {
                let text = match line.text {
                    LineText::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                    LineText::TooLong { length, .. } => format!("{length} bytes"),
                };
                if !text.trim().is_empty() {
                    pieces.push((line.number, line.start, text));
                }
            }
            Ok(None) => return (pieces, None),
            Err(error) => return (pieces, Some(error)),
        }
    }
}

fn opened(bytes: &[u8]) -> Source {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Source::open(file.path()).unwrap()
}

/// The items of a file. Through a pipe, however slow, they are the same.
fn pieces(bytes: &[u8]) -> (Vec<Piece>, Option<SourceError>) {
    let (found, error) = pieces_of(&mut opened(bytes));
    let sentence = |error: &Option<SourceError>| match error {
        Some(SourceError::Foreign { looks, .. }) => looks.like.to_owned(),
        Some(SourceError::Unclosed { offset, .. }) => format!("unclosed at {offset}"),
        Some(SourceError::Corrupt { offset, .. }) => format!("corrupt at {offset}"),
        other => format!("{other:?}"),
    };
    for step in [1, 7, 4_096] {
        if bytes.len() / step > 100_000 {
            continue;
        }
        let slow = Slow(Cursor::new(bytes.to_vec()), step);
        let (again, other) = pieces_of(&mut Source::from_reader("slow", slow).unwrap());
        assert_eq!(again, found, "{step} bytes at a time");
        assert_eq!(sentence(&other), sentence(&error));
    }
    (found, error)
}

fn texts(bytes: &[u8]) -> Vec<String> {
    let (pieces, error) = pieces(bytes);
    assert!(error.is_none(), "{error:?}");
    pieces.into_iter().map(|(_, _, text)| text).collect()
}

const A: &str = r#"{"t":"join","user":"a ] } , \" [ {"}"#;
const B: &str = r#"{"t":"join","user":"b","meta":[{"x":1},[2]]}"#;
const C: &str = r#"{"t":"leave","user":"c"}"#;

fn wide(text: &str, little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|unit| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        })
        .collect()
}

#[test]
fn an_array_is_its_elements_wherever_its_lines_break() {
    for array in [
        format!("[{A},{B},{C}]"),
        format!("[\n{A},\n{B},\n{C}\n]\n"),
        format!("[{A}\n,{B}\n,{C}]"),
        format!("  \r\n [ \r\n\t{A} ,\r\n\t{B},{C}\r\n]\r\n\r\n"),
        format!("\u{feff}[{A},\n{B},\n{C}]"),
        format!("[{A},{B},{C},]"),
        format!("[{A}]\n[{B},{C}]\n"),
        format!("[{A}][{B}]{C}"),
        format!("[]\n[{A},{B}]\n[]\n{C}\n"),
    ] {
        assert_eq!(texts(array.as_bytes()), [A, B, C], "{array}");
    }
    for nothing in ["[]", "[ ]\n", "[\n]", "[,]", "[][]"] {
        assert_eq!(texts(nothing.as_bytes()), [""; 0], "{nothing}");
    }
}

#[test]
fn values_may_be_spread_over_lines_or_share_one() {
    let spread = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let [a, b, c] = [A, B, C].map(spread);
    for text in [
        format!("{a}\n{b}\n{c}\n"),
        format!("{a}{b}{c}"),
        format!("{a}\r\n\r\n{b} {c}"),
        format!("\u{feff}{a}\n{b}\n{c}"),
        format!("[\n{a},\n{b},\n{c}\n]"),
    ] {
        assert_eq!(texts(text.as_bytes()), [&*a, &b, &c], "{text}");
    }
    assert_eq!(texts(format!("{A}{B} {C}").as_bytes()), [A, B, C]);
    let (pieces, _) = pieces_of(&mut opened(format!("{A}\n{b}\n{C}").as_bytes()));
    let lines: Vec<u64> = pieces.iter().map(|piece| piece.0).collect();
    let after = 2 + b.lines().count() as u64;
    assert_eq!(lines, [1, 2, after], "the first value alone does not tell");
}

#[test]
fn each_has_its_line_and_byte() {
    let text = format!("[\r\n {A},\n\n  {B}, {C}\n]");
    let at = |piece: &str| text.find(piece).unwrap() as u64;
    let (found, _) = pieces(text.as_bytes());
    let places: Vec<(u64, u64)> = found.iter().map(|piece| (piece.0, piece.1)).collect();
    assert_eq!(places, [(2, at(A)), (4, at(B)), (4, at(C))]);
    // In UTF-16 the positions are those of the text in UTF-8.
    for little in [true, false] {
        let (again, error) = pieces(&wide(&text, little));
        assert!(again == found && error.is_none(), "{again:?} {error:?}");
    }
}

#[test]
fn what_begins_with_a_bracket_may_still_be_lines() {
    for text in ["[1]\n", "[\"a\",[2]]\n", "[0, 1]"] {
        let both = format!("{text}\n{A}\n");
        assert_eq!(texts(both.as_bytes()), [text.trim(), A], "{text}");
    }
    for text in ["[\n1,\n", "[1,\n", "[1, "] {
        let both = format!("{text}{A}]");
        assert_eq!(texts(both.as_bytes()), ["1", A], "{text}");
    }
}

#[test]
fn a_bad_element_takes_no_other_along() {
    for (bad, found) in [
        ("{\"t\":join}", vec!["{\"t\":join}"]),
        ("7", vec!["7"]),
        ("\"a , b\"", vec!["\"a , b\""]),
        ("[{\"t\":1}]", vec!["[{\"t\":1}]"]),
        ("{\"a\":[1,2}", vec!["{\"a\":[1,2}"]),
        ("{\"a\":1]}", vec!["{\"a\":1]}"]),
        ("nonsense", vec!["nonsense"]),
        // If brackets or quotes do not match, the element ends with its line.
        ("{\"t\":\"join", vec!["{\"t\":\"join"]),
        (
            "{\"t\":\"join\",\"x\":{\"a\":1}",
            vec!["{\"t\":\"join\",\"x\":{\"a\":1}"],
        ),
        ("{\"t\":[{\"a\":1}", vec!["{\"t\":[{\"a\":1}"]),
    ] {
        let text = format!("[\n{A},\n{bad},\n{B},\n{C}\n]\n");
        if bad != "{\"a\":1]}" {
            let wanted = [&[A][..], &found, &[B, C]].concat();
            let (pieces, _) = pieces(text.as_bytes());
            let trimmed: Vec<&str> = pieces
                .iter()
                .map(|(_, _, text)| text.trim_end_matches(','))
                .collect();
            assert_eq!(trimmed, wanted, "{bad}");
        }
        let (pieces, _) = pieces(format!("{A}\n{bad}\n{B}\n{C}\n").as_bytes());
        let last: Vec<&str> = pieces[pieces.len() - 2..].iter().map(|p| &*p.2).collect();
        assert_eq!(last, [B, C], "among lines: {bad}");
    }
    // All elements in one line.
    let one_line = format!("[{A},{{\"t\":join}},7,{{\"a\":{{\"b\":1}},{B},{C}]");
    let wanted = [A, "{\"t\":join}", "7", "{\"a\":{\"b\":1}", B, C];
    assert_eq!(texts(one_line.as_bytes()), wanted);
    // Indented: the next element begins no deeper than the bad one.
    let bad = "{\n    \"t\": \"join,\n    \"x\": [\n      {\n      }\n    ]\n  }";
    let text = format!("[\n  {A},\n  {bad},\n  {B},\n  {C}\n]");
    assert_eq!(texts(text.as_bytes()), [A, bad, B, C]);
}

#[test]
fn an_array_without_an_end_says_where_it_ends() {
    let cut = format!("[\n{A},\n{B},\n{}", &C[..10]);
    let (found, error) = pieces(cut.as_bytes());
    let found: Vec<&str> = found.iter().map(|piece| &*piece.2).collect();
    assert_eq!(found, [A, B, &C[..10]]);
    let error = error.unwrap();
    assert!(
        matches!(error, SourceError::Unclosed { offset, .. } if offset == cut.len() as u64),
        "{error}"
    );
    // A quote is missing, and no newline ends the element.
    let (found, error) = pieces(format!("[{A},{{\"t\":\"x}},{B},{C}]").as_bytes());
    assert_eq!(found[0].2, A);
    assert!(found.len() == 2 && error.is_some(), "{found:?}");
    let (_, error) = pieces(format!("[{A},\n").as_bytes());
    assert!(matches!(error, Some(SourceError::Unclosed { .. })));
}

#[test]
fn what_follows_an_array_is_a_piece_of_its_own() {
    for (text, wanted) in [
        (
            format!("[]\ngarbage, more\n{C}\n"),
            vec!["garbage, more", C],
        ),
        (format!("[{A}] ]\n{C}"), vec![A, "]", C]),
        (format!("[{A}],\n{C}"), vec![A, ",", C]),
        (format!("[[{A}],\n{C}]"), vec!["[A]", C]),
    ] {
        let found = texts(text.as_bytes());
        let found: Vec<String> = found.iter().map(|text| text.replace(A, "A")).collect();
        let wanted: Vec<String> = wanted.iter().map(|text| text.replace(A, "A")).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn reading_goes_on_behind_any_piece() {
    let spread = "{\n \"t\": [\n  1\n ]\n}";
    for text in [
        format!("[{A},\n{spread}, {B}\n]\n[{C}]\n"),
        format!("{spread}\n{A} {B}\n\n{C}"),
    ] {
        for bytes in [text.clone().into_bytes(), wide(&text, true)] {
            let mut source = opened(&bytes);
            let mut places = vec![(0, 0)];
            while let Some(line) = source.next_line().unwrap() {
                places.push((line.end, line.lines));
            }
            let all = pieces_of(&mut opened(&bytes)).0;
            assert_eq!(places.len(), all.len() + 1);
            for (n, (end, lines)) in places.into_iter().enumerate() {
                let mut source = opened(&bytes);
                source.skip_to(end, lines).unwrap();
                let (rest, error) = pieces_of(&mut source);
                assert!(error.is_none());
                assert_eq!(rest, all[n..], "from byte {end}");
            }
        }
    }
}

#[test]
fn an_element_that_is_too_long_is_gone_through() {
    for (more, wanted) in [
        (0, None),
        (1, Some(LINE_BYTES_MAX + 1)),
        (LINE_BYTES_MAX, Some(2 * LINE_BYTES_MAX)),
    ] {
        let long = format!(
            "{{\"x\":\"{}\"}}",
            "[\\\"".repeat((LINE_BYTES_MAX + more) / 3 - 9)
        );
        let padded = LINE_BYTES_MAX + more - long.len();
        let long = long.replacen(':', &format!(":{}", " ".repeat(padded)), 1);
        let (found, error) = pieces(format!("[{A},\n{long},\n{B}]").as_bytes());
        assert!(error.is_none());
        assert_eq!(found.len(), 3);
        match wanted {
            None => assert!(found[1].2 == long),
            Some(length) => assert_eq!(found[1].2, format!("{length} bytes")),
        }
        assert_eq!((found[2].0, &*found[2].2), (3, B));
    }
    // A string that never ends does not hide the lines after it.
    let lost = format!("[\n{{\"x\":\"\n{}\n{B}\n]", "y".repeat(2 * LINE_BYTES_MAX));
    let (found, error) = pieces(lost.as_bytes());
    assert!(
        error.is_none() && found.len() == 2 && found[1].2 == B,
        "{error:?}"
    );
}

#[test]
fn utf_16_is_read_as_text() {
    let text = format!("{A}\r\n{{\"t\":\"join\",\"user\":\"kim 🎈 é 漢\"}}\r\n");
    let narrow = texts(text.as_bytes());
    for little in [true, false] {
        assert_eq!(texts(&wide(&text, little)), narrow);
        assert_eq!(texts(&wide("", little)), [""; 0], "a mark alone is nothing");
        assert_eq!(texts(&wide(&format!("[{A},{B}]"), little)), [A, B]);
        // The same when packed.
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&wide(&text, little)).unwrap();
        assert_eq!(texts(&packed.finish().unwrap()), narrow);
        // A file cut within a UTF-16 unit: the lines before the cut are returned.
        let mut cut = wide(&text, little);
        cut.pop();
        let (found, error) = pieces(&cut);
        assert_eq!(found.len(), 1);
        let error = error.unwrap().to_string();
        assert!(
            error.contains("UTF-16") && error.contains("in the middle of a unit"),
            "{error}"
        );
        // A single half of a surrogate pair is no text.
        let mut half = wide(&format!("{A}\n"), little);
        let lone = 0xd83c_u16;
        half.extend(if little {
            lone.to_le_bytes()
        } else {
            lone.to_be_bytes()
        });
        half.extend(&wide(&format!("\n{B}\n"), little)[2..]);
        let found = texts(&half);
        assert_eq!((found.len(), &*found[0], &*found[2]), (3, A, B));
        assert!(found[1].contains('\u{fffd}'));
    }
    assert_eq!(texts("\u{feff}{}".as_bytes()).len(), 1);
}

#[test]
fn zeros_behind_what_gzip_packed_are_nothing() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(format!("{A}\n{B}\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for zeros in [1, 511, 400_000] {
        assert_eq!(texts(&[&packed[..], &vec![0; zeros]].concat()), [A, B]);
        assert_eq!(
            texts(&[&packed[..], &packed, &vec![0; zeros]].concat()).len(),
            4
        );
    }
    for behind in [&b"\0\0x"[..], b"x", b"\0\x1f\x8b"] {
        let (found, error) = pieces(&[&packed[..], behind].concat());
        assert_eq!(found.len(), 2);
        assert!(
            matches!(error, Some(SourceError::Corrupt { .. })),
            "{error:?}"
        );
    }
}

/// Files that are no feed, with what they look like.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let noise = |front: &[u8], length: u32| {
        let noise = (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        front.iter().copied().chain(noise).collect::<Vec<u8>>()
    };
    let lines = |lines: &[&str]| lines.join("\n").into_bytes();
    let mut tar = vec![0; 1_024];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    let unmarked = |little| wide(&format!("{A}\n{B}\n"), little)[2..].to_vec();
    vec![
        ("PNG", noise(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 90_000)),
        ("JPEG", noise(b"\xff\xd8\xff\xe0", 500)),
        ("PDF", noise(b"%PDF-1.7\n%\xe2\xe3\n", 500)),
        ("zip", noise(b"PK\x03\x04\x14\0", 300)),
        ("bzip2", noise(b"BZh91AY&SY", 300)),
        ("xz", noise(b"\xfd7zXZ\0", 300)),
        ("Parquet", noise(b"PAR1\x15\x04", 100_000)),
        ("Avro", noise(b"Obj\x01", 300)),
        ("SQLite", noise(b"SQLite format 3\0", 300)),
        (
            "packet capture",
            noise(b"\xd4\xc3\xb2\xa1\x02\0\x04\0", 300),
        ),
        ("tar", tar),
        ("UTF-16 without", unmarked(true)),
        ("UTF-16 without", unmarked(false)),
        ("binary data", noise(b"", 200_000)),
        (
            "HTML",
            lines(&["<!DOCTYPE html>", "<html><body>502", "</html>"]),
        ),
        (
            "HTML",
            lines(&["<html><body>502 Bad Gateway</body></html>"]),
        ),
        ("XML", lines(&["<?xml version=\"1.0\"?>", "<a/>"])),
        (
            "CSV",
            lines(&[
                "user,channel,at",
                "ann,room,1",
                "\"b,en\",room,2",
                "eve,room,3",
                "x,y,4",
                "",
            ]),
        ),
        ("CSV", lines(&["user,at", "ann,1", "ben,2"])),
        ("semicolons", lines(&["user;at", "ann;1", "ben;2"])),
        ("tabs", lines(&["user\tat", "ann\t1", "ben\t2"])),
        (
            "plain text log",
            lines(&[
                "2026-05-14 20:00:01 started",
                "2026-05-14T20:00:02Z join of ann",
                "20:00 end",
            ]),
        ),
        (
            "plain text log",
            lines(&["[INFO] server started", "[WARN] nobody came", ""]),
        ),
        (
            "plain text",
            "some words of prose\n".repeat(30).into_bytes(),
        ),
    ]
}

#[test]
fn what_is_no_feed_is_named() {
    for (like, bytes) in foreign() {
        let (found, error) = pieces(&bytes);
        let Some(SourceError::Foreign { looks, .. }) = &error else {
            panic!("{like}: {error:?}, {found:?}");
        };
        assert!(looks.like.contains(like), "{like}: {}", looks.like);
        assert!(found.is_empty(), "{like}");
        let sentence = error.unwrap().to_string();
        assert!(
            sentence.contains("it looks like") && !sentence.contains('\n'),
            "{sentence}"
        );
    }
}

#[test]
fn a_feed_whose_first_line_is_bad_is_a_feed() {
    for (like, bytes) in foreign() {
        let first = bytes.split(|&byte| byte == b'\n').next().unwrap();
        let feed = [first, b"\n", A.as_bytes(), b"\n", B.as_bytes(), b"\n"].concat();
        if feed.starts_with(b"\xff\xfe") || feed.starts_with(b"\xfe\xff") {
            continue;
        }
        let (found, error) = pieces(&feed);
        assert!(error.is_none(), "{like}: {error:?}");
        let last: Vec<&str> = found[found.len() - 2..].iter().map(|p| &*p.2).collect();
        assert_eq!(last, [A, B], "{like}");
    }
    // However long the bad first line is, and however long the line after it.
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(200_000));
    for first in [
        vec![0; 200_000],
        b"x".repeat(200_000),
        b"nonsense".to_vec(),
        b"\x89PNG".to_vec(),
    ] {
        let (found, error) = pieces(&[&first, "\n".as_bytes(), long.as_bytes(), b"\n"].concat());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(found.len(), 2);
    }
    // A file of bad lines only is still a file of lines.
    for bad in [
        "nonsense",
        "nonsense\nmore of it\n",
        "ORC",
        "PK",
        "a,b",
        "2026-05-14 20:00:00 x",
    ] {
        let (found, error) = pieces(bad.as_bytes());
        assert!(error.is_none() && !found.is_empty(), "{bad}: {error:?}");
    }
}
