//! Any bytes as frames. Reading gives an error or records, and these records are written and read again.

use rollbook::care::VerifyDepth;
use rollbook::domain::names::Names;
use rollbook::log::Record;
use rollbook::log::block::{BlockBuilder, Blocks};
use rollbook::log::engine::Journal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::MemoryObjects;
use rollbook::log::frame::{
    Check, Encoder, FrameError, FramePosition, FrameRecords, MAGIC, Packing, VALUE_HEADER_BYTES,
    VERSION, decode, header, value,
};
use rollbook::log::read::{FrameBytes, Log};
use rollbook::log::salts::Salts;
use rollbook::{Options, Store};

/// The bytes as a value, and as a frame's body with right checksums. The first byte chooses the number of values.
pub fn frames(bytes: &[u8]) {
    let _ = (value(bytes), header(bytes));
    for check in [Check::Form, Check::Chain] {
        let _ = decode(&[bytes], &mut Names::new(), check);
    }
    let Some((&how, body)) = bytes.split_first() else {
        return;
    };
    let body = with_its_length(body).unwrap_or_else(|| body.to_vec());
    let values = cut(&body, usize::from(how >> 4) + 1);
    if let Ok(header) = header(&values[0]) {
        is_read(&values, header.first_seq);
    }
    is_opened(&values);
}

/// The body with the right length of its payload in its header, so that a changed payload passes that check. The
/// header has its own length (four bytes), the compression (one byte), and the payload's length.
fn with_its_length(body: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (header, payload) = rest.split_at_checked(length)?;
    let (&zstd, header) = header.split_first()?;
    let (&first, header) = header.split_first()?;
    let rest = match first {
        0..=250 => header,
        251 => header.get(2..)?,
        252 => header.get(4..)?,
        _ => header.get(8..)?,
    };
    let mut plain = vec![zstd, 252];
    plain.extend_from_slice(&u32::try_from(payload.len()).ok()?.to_le_bytes());
    plain.extend_from_slice(rest);
    let mut whole = u32::try_from(plain.len()).ok()?.to_le_bytes().to_vec();
    whole.extend_from_slice(&plain);
    if zstd == 1 {
        whole.extend_from_slice(&zstd::bulk::compress(payload, 1).ok()?);
    } else {
        whole.extend_from_slice(payload);
    }
    Some(whole)
}

/// Splits a body into values, as `FORMAT.md` describes.
fn cut(body: &[u8], parts: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = body.chunks(body.len().div_ceil(parts).max(1)).collect();
    let pieces = if pieces.is_empty() {
        vec![&[][..]]
    } else {
        pieces
    };
    let count = pieces.len() as u32;
    let of_piece = |(part, piece): (u32, &&[u8])| {
        let mut value = MAGIC.to_vec();
        value.extend_from_slice(&[VERSION, 0, 0, 0]);
        value.extend_from_slice(&1u64.to_le_bytes());
        value.extend_from_slice(&part.to_le_bytes());
        value.extend_from_slice(&count.to_le_bytes());
        value.extend_from_slice(&(piece.len() as u32).to_le_bytes());
        value.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&value), piece);
        value.extend_from_slice(&crc.to_le_bytes());
        assert_eq!(value.len(), VALUE_HEADER_BYTES);
        value.extend_from_slice(piece);
        value
    };
    (0..).zip(&pieces).map(of_piece).collect()
}

/// The records of a frame are written and read again.
fn is_read(values: &[Vec<u8>], first_seq: u64) {
    let _ = decode(values, &mut Names::new(), Check::Chain);
    let mut names = Names::new();
    let mut records: Vec<Record> = Vec::new();
    // Also after an error: the header may not say how many records there are.
    if let Ok(mut frame) = FrameRecords::open(values.to_vec(), Check::Form) {
        while let Ok(Some(record)) = frame.next(&mut names) {
            records.push(record.to_record());
        }
    }
    let place = FramePosition {
        first_seq,
        ..FramePosition::FIRST
    };
    for packing in [Packing::Plain, Packing::Zstd] {
        let mut encoder = Encoder::new(Salts::from_seed([42; 32]), packing);
        let frame = match encoder.encode(place, &records, &names) {
            Ok(frame) => frame,
            Err(FrameError::Empty) if records.is_empty() => return,
            Err(error) => panic!("{error}: {records:?}"),
        };
        let again = decode(&frame.values, &mut names, Check::Chain);
        let again = again.unwrap_or_else(|error| panic!("{error}: {records:?}"));
        assert_eq!(again.records, records);
        assert_eq!(again.header, frame.header);
    }
}

/// Reads a log of these values to its end or its error, and opens a store on it.
fn is_opened(values: &[Vec<u8>]) {
    let holding = || {
        let journal = MemoryJournal::new();
        journal.append(0, values).unwrap();
        journal
    };
    let blocks = Blocks::open(Box::new(MemoryObjects::default())).unwrap();
    if let Ok(log) = Log::open(Box::new(holding()), blocks) {
        is_gone_through(&log, values.len() as u64);
    }
    let mut builder = BlockBuilder::default();
    if builder.add(1, values).is_ok() {
        let _ = builder.finish(None);
    }
    let journal = holding();
    if let Ok(store) = Store::on(Box::new(journal), Options::default()) {
        let _ = store.verify(VerifyDepth::Deep, |_| {});
    }
}

fn is_gone_through(log: &Log, end: u64) {
    let mut frames = log.frames(1, end + 1);
    while let Ok(Some(frame)) = frames.next_frame() {
        let mut names = Names::new();
        let (_, FrameBytes::Values(values)) = frame.into_parts() else {
            panic!("nothing is sealed");
        };
        if let Ok(mut frame) = FrameRecords::open(values, Check::Chain) {
            while let Ok(Some(_)) = frame.next(&mut names) {}
        }
    }
    for at in 0..=end + 2 {
        let _ = log.header_ending_before(at);
        let _ = log.find_seq(at, end + 1);
    }
}
