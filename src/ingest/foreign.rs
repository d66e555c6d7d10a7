//! Texts that are no feed: what they look like, and what to do about it. This is asked only about a text without an
//! object in any line, so that a bad line among events is never taken for another kind of file.

use memchr::{memchr, memmem};

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// The words that follow "it looks like".
    pub like: &'static str,
    /// What to do with it.
    pub advice: &'static str,
}

const UNPACK: &str = "unpack it, and take in what is inside";
const EXPORT: &str = "write its rows as JSON lines, one event a line";
const CONVERT: &str = "convert it to UTF-8, or to UTF-16 with a byte-order mark";
const EVENTS: &str =
    "a feed has events in JSON: one a line, an array of them, or one after the other";

/// First bytes of known kinds of file, what each is, and the advice.
const MAGIC: &[(&[u8], &str, &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG image", EVENTS),
    (b"\xff\xd8\xff", "a JPEG image", EVENTS),
    (b"GIF8", "a GIF image", EVENTS),
    (b"RIFF", "a RIFF file (sound, film or WebP image)", EVENTS),
    (b"OggS", "an Ogg file", EVENTS),
    (b"%PDF-", "a PDF document", EVENTS),
    (
        b"PK\x03\x04",
        "a zip archive (or an office document)",
        UNPACK,
    ),
    (b"PK\x05\x06", "an empty zip archive", UNPACK),
    (b"BZh", "data packed by bzip2", UNPACK),
    (b"\xfd7zXZ\0", "data packed by xz", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"\x04\x22\x4d\x18", "data packed by lz4", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "data packed by snappy", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"ARROW1", "an Arrow file", EXPORT),
    (b"ORC", "an ORC file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"SQLite format 3\0", "a SQLite database", EXPORT),
    (b"\xd4\xc3\xb2\xa1", PCAP, EVENTS),
    (b"\xa1\xb2\xc3\xd4", PCAP, EVENTS),
    (b"\x4d\x3c\xb2\xa1", PCAP, EVENTS),
    (b"\xa1\xb2\x3c\x4d", PCAP, EVENTS),
    (b"\x0a\x0d\x0d\x0a", PCAP, EVENTS),
    (b"\x7fELF", "a program", EVENTS),
    (b"MZ\x90\0", "a program", EVENTS),
    (b"\0\0\xfe\xff", "UTF-32", CONVERT),
];
const PCAP: &str = "a packet capture (pcap)";

/// How many lines are looked at to recognise a table or a log.
const LINES_SEEN: usize = 64;
/// How many lines without a pattern make a text count as prose.
const PROSE_LINES: usize = 20;

/// What a text looks like that begins with `window` and has no object in any line. `None`: it is no known kind, so
/// its lines may be bad lines of a feed. `ended`: `window` is the whole text.
pub(super) fn looks(window: &[u8], ended: bool) -> Option<Looks> {
    // A text that is still in its first line may become anything.
    if !ended && memchr(b'\n', window).is_none() {
        return None;
    }
    let named = |like, advice| Some(Looks { like, advice });
    let odd = |&byte: &u8| byte < b' ' && !byte.is_ascii_whitespace() && byte != 0x1b;
    let binary = |bytes: &[u8]| bytes.iter().any(|byte| odd(byte) || !byte.is_ascii());
    // A line of text may begin with any letters, so the rest must look binary.
    let known = MAGIC.iter().find(|(magic, ..)| window.starts_with(magic));
    if let Some((_, like, advice)) = known.filter(|_| binary(window)) {
        return named(like, advice);
    }
    if window.get(4..8) == Some(b"ftyp") {
        return named("a film or a sound (MP4)", EVENTS);
    }
    if window.get(257..262) == Some(b"ustar") {
        return named("a tar archive", UNPACK);
    }
    let front = window.trim_ascii_start();
    // The mark of UTF-32 begins like the mark of UTF-16, and is read as that.
    let wide = [b"{\0", b"\0{", b"[\0", b"\0["];
    if wide.iter().any(|wide| front.starts_with(*wide)) {
        return named("UTF-16 without a byte-order mark, or UTF-32", CONVERT);
    }
    let lines: Vec<&[u8]> = window
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(LINES_SEEN)
        .collect();
    let head = window.get(..1024).unwrap_or(window);
    let odd = head.iter().filter(|byte| odd(byte)).count();
    if lines.len() > 2 && odd * 20 > head.len() {
        return named("binary data", EVENTS);
    }
    let opening = front.get(..64).unwrap_or(front).to_ascii_lowercase();
    let opens = |tags: &[&str]| tags.iter().any(|tag| opening.starts_with(tag.as_bytes()));
    if opens(&["<!doctype html", "<html", "<head", "<body"]) {
        return named(
            "an HTML page",
            "look at it in a browser: it may be the answer of a server that wanted a login",
        );
    }
    if opens(&["<?xml", "<!doctype", "<svg", "<rss", "<feed"]) {
        return named("XML", EVENTS);
    }
    text(&lines)
}

/// What lines of text look like.
fn text(lines: &[&[u8]]) -> Option<Looks> {
    let named = |like, advice| Some(Looks { like, advice });
    let logged = lines.iter().filter(|line| is_logged(line)).count();
    if lines.len() >= 2 && logged * 5 >= lines.len() * 4 {
        return named("a plain text log", EVENTS);
    }
    for (separator, like) in [
        (b',', "CSV"),
        (b';', "CSV (with semicolons)"),
        (b'\t', "a table with tabs"),
    ] {
        let columns = |line: &[u8]| line.iter().filter(|&&byte| byte == separator).count();
        let mut counts = lines.iter().map(|line| columns(line));
        let first = counts.next().unwrap_or(0);
        // Quoted fields may contain separators.
        let like_first = counts.filter(|&columns| columns == first).count() + 1;
        let enough = if first > 1 { 2 } else { 3 };
        if first > 0 && lines.len() >= enough && like_first * 5 >= lines.len() * 4 {
            return named(like, EXPORT);
        }
    }
    (lines.len() >= PROSE_LINES).then_some(Looks {
        like: "plain text",
        advice: EVENTS,
    })
}

/// Whether a line has what log lines have: a time of day, or a severity.
fn is_logged(line: &[u8]) -> bool {
    const GRAVE: [&[u8]; 8] = [
        b"INFO",
        b"WARN",
        b"ERROR",
        b"DEBUG",
        b"TRACE",
        b"FATAL",
        b"NOTICE",
        b"CRITICAL",
    ];
    let head = line.get(..96).unwrap_or(line);
    let clock = head.windows(5).any(|five| match five {
        [a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    });
    clock || GRAVE.iter().any(|word| memmem::find(head, word).is_some())
}
