//! Sources: lines, their positions and endings, compression, lines that are too long, resuming, damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use flate2::{Compression, write::GzEncoder};
use rollbook::ingest::source::{Fingerprint, LineText, Source, SourceError};
use rollbook::limits::{LINE_BYTES_MAX, REJECT_TEXT_BYTES_MAX};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

struct File {
    _dir: TempDir,
    path: PathBuf,
}

fn file(name: &str, bytes: &[u8]) -> File {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    File { _dir: dir, path }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

type Seen = (u64, u64, u64, bool, Vec<u8>);

/// The number, start, end, terminator and text of each line, and the error after them.
fn rest(source: &mut Source) -> (Vec<Seen>, Option<SourceError>) {
    let mut seen = Vec::new();
    loop {
        match source.next_line() {
            Ok(Some(line)) => {
                let LineText::Whole(text) = line.text else {
                    panic!("too long")
                };
                let seen_line = (
                    line.number,
                    line.start,
                    line.end,
                    line.terminated,
                    text.to_vec(),
                );
                seen.push(seen_line);
            }
            Ok(None) => return (seen, None),
            Err(error) => return (seen, Some(error)),
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<Seen> {
    let (lines, error) = rest(&mut Source::open(&file("f", bytes).path).unwrap());
    assert!(error.is_none(), "{error:?}");
    lines
}

#[test]
fn places_and_ends() {
    assert_eq!(
        lines(b"a\r\n\n b\n\r\r\nlast\r"),
        [
            (1, 0, 3, true, b"a".to_vec()),
            (2, 3, 4, true, b"".to_vec()),
            (3, 4, 7, true, b" b".to_vec()),
            (4, 7, 10, true, b"\r".to_vec()),
            (5, 10, 15, false, b"last".to_vec()),
        ]
    );
    assert_eq!(lines(b""), []);
    assert_eq!(lines(b"\n"), [(1, 0, 1, true, vec![])]);
    assert_eq!(lines(b"ab"), [(1, 0, 2, false, b"ab".to_vec())]);
}

/// Lines of many lengths around the buffer's sizes. The first line makes it a feed.
fn much() -> Vec<u8> {
    let mut text = b"{}\n".to_vec();
    for length in (0..900).chain([65_535, 262_143, 262_144, 262_145, 700_000, 3]) {
        text.extend(std::iter::repeat_n(b'a' + (length % 26) as u8, length));
        text.extend(if length % 7 == 0 { &b"\r\n"[..] } else { b"\n" });
    }
    text
}

#[test]
fn compression_is_seen_by_the_first_bytes() {
    let text = much();
    let plain = lines(&text);
    assert_eq!(plain.len(), 907);
    assert_eq!(plain.last().unwrap().2, text.len() as u64);
    let (left, right) = text.split_at(300_000);
    assert_eq!(lines(&gzip(&text)), plain);
    assert_eq!(lines(&[gzip(left), gzip(b""), gzip(right)].concat()), plain);
    assert_eq!(lines(&zstd(&text)), plain);
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    assert_eq!(lines(&[skipped, zstd(left), zstd(right)].concat()), plain);
    assert_eq!(lines(&gzip(b"")), []);
    // The file's name does not matter.
    let (seen, _) = rest(&mut Source::open(&file("x.gz", b"{}\n").path).unwrap());
    assert_eq!(seen, [(1, 0, 3, true, b"{}".to_vec())]);
}

#[test]
fn a_long_line_is_gone_through() {
    for ending in ["\n", "\r\n"] {
        for more in [0, 1, 2, 3, 400_000] {
            let mut long = vec![b'x'; LINE_BYTES_MAX + more];
            long[5] = b'\r';
            long[LINE_BYTES_MAX - 1] = b'\r';
            let text = [b"a\n", &long[..], ending.as_bytes(), b"b"].concat();
            let file = file("f", &text);
            let mut source = Source::open(&file.path).unwrap();
            source.next_line().unwrap();
            let line = source.next_line().unwrap().unwrap();
            let end = (text.len() - 1) as u64;
            assert_eq!(
                (line.number, line.start, line.end, line.terminated),
                (2, 2, end, true)
            );
            // A `\r` at the end of a line is not part of the text.
            let wanted = long
                .strip_suffix(b"\r")
                .filter(|_| ending == "\n")
                .unwrap_or(&long);
            match line.text {
                LineText::Whole(text) => {
                    assert_eq!(more, 0);
                    assert!(text == wanted);
                }
                LineText::TooLong {
                    head,
                    length,
                    blake3,
                } => {
                    assert!(more > 0);
                    assert!(head == &long[..REJECT_TEXT_BYTES_MAX]);
                    assert_eq!(length, wanted.len() as u64);
                    assert_eq!(blake3, *blake3::hash(wanted).as_bytes());
                }
            }
            assert_eq!(
                rest(&mut source).0,
                [(3, end, end + 1, false, b"b".to_vec())]
            );
        }
    }
    // A line without an end.
    let long = vec![b'x'; LINE_BYTES_MAX * 2];
    let file = file("f", &gzip(&long));
    let mut source = Source::open(&file.path).unwrap();
    let line = source.next_line().unwrap().unwrap();
    assert!(!line.terminated);
    assert!(matches!(line.text, LineText::TooLong { length, .. } if length == long.len() as u64));
    assert!(source.next_line().unwrap().is_none());
}

#[test]
fn goes_on_anywhere() {
    let text = much();
    let all = lines(&text);
    for packed in [text.clone(), gzip(&text), zstd(&text)] {
        let file = file("f", &packed);
        for at in [0, 1, 500, 899, 903, 905, 907] {
            let mut source = Source::open(&file.path).unwrap();
            let offset = all.get(at).map_or(text.len() as u64, |line| line.1);
            source.skip_to(offset, at as u64).unwrap();
            assert_eq!(rest(&mut source).0, all[at..]);
        }
        let mut source = Source::open(&file.path).unwrap();
        let error = source.skip_to(text.len() as u64 + 1, 9).unwrap_err();
        assert!(matches!(error, SourceError::Short { length, .. } if length == text.len() as u64));
    }
}

#[test]
fn a_file_is_known_again() {
    let text = much();
    let print = |bytes: &[u8]| Source::open(&file("f", bytes).path).unwrap();
    let known = print(&text).fingerprint().unwrap();
    assert_eq!(
        known,
        Fingerprint {
            hash: *blake3::hash(&text[..65_536]).as_bytes(),
            hashed: 65_536
        }
    );
    assert_eq!(print(&gzip(&text)).fingerprint(), Some(known));
    assert!(print(&zstd(&text[..70_000])).matches(&known));
    assert!(!print(&text[..65_535]).matches(&known));
    // The file was shorter, and has grown.
    let short = print(&text[..100]).fingerprint().unwrap();
    assert_eq!(short.hashed, 100);
    assert!(print(&text).matches(&short));
    let mut changed = text.clone();
    changed[50] ^= 1;
    assert!(!print(&changed).matches(&short));
    // Reading does not change the fingerprint.
    let file = file("f", &text);
    let mut source = Source::open(&file.path).unwrap();
    rest(&mut source);
    assert_eq!(source.fingerprint(), Some(known));
}

#[test]
fn damage_is_told_behind_the_lines_before_it() {
    let text = much();
    let all = lines(&text);
    for (packing, packed) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
        for keep in [5, 20, packed.len() / 2, packed.len() - 1] {
            let file = file("cut", &packed[..keep]);
            let mut source = Source::open(&file.path).unwrap();
            let (seen, error) = rest(&mut source);
            assert_eq!(seen, all[..seen.len()]);
            let error = error.expect("a cut file has an error");
            let SourceError::Corrupt { offset, .. } = &error else {
                panic!("{error:?}")
            };
            assert!(*offset >= seen.last().map_or(0, |line| line.2));
            let sentence = error.to_string();
            assert!(sentence.contains("cut is damaged") && sentence.contains(packing));
            assert!(source.next_line().unwrap().is_none());
        }
    }
    let mut broken = gzip(&text);
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    let (seen, error) = rest(&mut Source::open(&file("f", &broken).path).unwrap());
    assert!(seen.len() < all.len() && error.is_some());
}

#[test]
fn what_cannot_be_opened_says_so() {
    let dir = TempDir::new().unwrap();
    for path in [dir.path().join("none"), dir.path().to_owned()] {
        let error = Source::open(&path).unwrap_err();
        assert!(matches!(error, SourceError::Open { .. }));
        let sentence = error.to_string();
        assert!(sentence.starts_with(&format!("cannot open {}", path.display())));
    }
}
