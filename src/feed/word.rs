//! Eight bytes of a text at a time, as a number whose lowest byte comes first. Most bytes of a line are looked at only
//! here.

/// The bytes of a word.
pub(super) const BYTES: usize = 8;

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The first eight bytes of a text, with zeros behind a shorter one.
pub(super) const fn of(text: &str) -> u64 {
    let mut rest = text.as_bytes();
    let (mut word, mut shift) = (0, 0);
    while let Some((&byte, behind)) = rest.split_first()
        && shift < u64::BITS
    {
        word |= (byte as u64) << shift;
        shift += 8;
        rest = behind;
    }
    word
}

/// The first eight bytes of a text; zeros behind a shorter one.
#[inline]
pub(super) fn ahead(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(&chunk) => u64::from_le_bytes(chunk),
        None => short(bytes),
    }
}

fn short(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// How many bytes at the start of a text stand for themselves in a string.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut length = 0;
    for &word in words {
        let plain = before(stops(u64::from_le_bytes(word)));
        length += plain;
        if plain < BYTES {
            return length;
        }
    }
    length + before(stops(short(tail)))
}

/// The high bit of the first byte that may not stand for itself in a string, which is a quote, a backslash or a control
/// character; perhaps also of some bytes behind it.
#[inline]
pub(super) fn stops(word: u64) -> u64 {
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n);
    // The quote, 0x22, becomes 0x20 and so the neighbour of the control characters, which stay among themselves.
    let quotes_and_controls = below(word ^ (ONES * 2), 0x21);
    let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
    (quotes_and_controls | backslashes) & !word & HIGHS
}

/// How many bytes come before the first of the [`stops`].
#[inline]
pub(super) fn before(stops: u64) -> usize {
    stops.trailing_zeros() as usize / 8
}

/// The bytes before the first of the [`stops`], and zeros behind them.
#[inline]
pub(super) fn cut(word: u64, stops: u64) -> u64 {
    let first = stops & stops.wrapping_neg();
    word & (first >> 7).wrapping_sub(1)
}

/// How many digits come first.
#[inline]
pub(super) fn digits(word: u64) -> usize {
    let values = word ^ (ONES * u64::from(b'0'));
    // A byte of more than 9 gets its high bit; none carries into the next one.
    let others = ((values & !HIGHS) + ONES * (0x80 - 10)) | values;
    (others & HIGHS).trailing_zeros() as usize / 8
}
