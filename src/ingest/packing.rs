//! Unpacks gzip (any number of members, zeros after the last) and zstd (any number of frames). The format is
//! recognised by the first bytes, whatever the file's name. What the bytes mean is not looked at here.

use crate::limits;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes may come out of packed data.
pub(super) struct Allowance {
    packed: AtomicU64,
    most: AtomicU64,
    at_any_ratio: AtomicU64,
}

impl Default for Allowance {
    fn default() -> Self {
        Allowance {
            packed: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
            at_any_ratio: AtomicU64::new(limits::UNPACKED_BYTES_FREE),
        }
    }
}

impl Allowance {
    /// Allows no more than this many bytes.
    pub fn at_most(&self, bytes: u64) {
        self.most.store(bytes, Ordering::Relaxed);
    }

    /// Allows this many bytes at any compression ratio.
    pub fn at_any_ratio(&self, bytes: u64) {
        self.at_any_ratio.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        let packed = self.packed.load(Ordering::Relaxed);
        let by_ratio = packed.saturating_mul(limits::UNPACKED_RATIO_MAX);
        let at_any_ratio = self.at_any_ratio.load(Ordering::Relaxed);
        by_ratio
            .max(at_any_ratio)
            .min(self.most.load(Ordering::Relaxed))
    }
}

/// More bytes came out than are allowed.
#[derive(Debug, thiserror::Error)]
#[error("{packed} packed bytes give more than {unpacked}")]
pub(super) struct Overpacked {
    pub packed: u64,
    pub unpacked: u64,
}

/// Counts the bytes that are read.
struct Counted<R>(R, Arc<Allowance>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.packed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Fails when more bytes come out than are allowed.
struct Allowed<R> {
    reader: R,
    allowance: Arc<Allowance>,
    unpacked: u64,
}

impl<R: Read> Read for Allowed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.unpacked += read as u64;
        let unpacked = self.allowance.bytes();
        if self.unpacked > unpacked {
            let packed = self.allowance.packed.load(Ordering::Relaxed);
            return Err(io::Error::other(Overpacked { packed, unpacked }));
        }
        Ok(read)
    }
}

/// The packing of a source, by its first bytes; `None`: it is not packed.
pub(super) fn packing(magic: &[u8]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("gzip"),
        // A frame, or a skippable frame, which some packers put before the first frame.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some("zstd"),
        _ => None,
    }
}

/// Unpacks a source whose first bytes are `magic`; they decide the packing.
pub(super) fn unpacked(
    magic: Vec<u8>,
    raw: impl Read + Send + 'static,
    buffer: usize,
    allowance: &Arc<Allowance>,
) -> io::Result<Box<dyn Read + Send>> {
    let packing = packing(&magic);
    let raw = Cursor::new(magic).chain(raw);
    let packed = |raw| BufReader::with_capacity(buffer, Counted(raw, Arc::clone(allowance)));
    let reader: Box<dyn Read + Send> = match packing {
        Some("gzip") => Box::new(Members::Inside(GzDecoder::new(packed(raw)))),
        Some(_) => Box::new(zstd::stream::read::Decoder::with_buffer(packed(raw))?),
        None => return Ok(Box::new(raw)),
    };
    Ok(Box::new(Allowed {
        reader,
        allowance: Arc::clone(allowance),
        unpacked: 0,
    }))
}

/// The members of a gzip file, one after the other. The multi-member decoder would take zeros after the last member
/// for a damaged one. Such zeros come from a tape, or from a disk with preallocated space.
enum Members<R> {
    Inside(GzDecoder<R>),
    Over,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Members::Inside(member) = self else {
                return Ok(0);
            };
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Members::Inside(member) = std::mem::replace(self, Members::Over) {
                let mut packed = member.into_inner();
                if another(&mut packed)? {
                    *self = Members::Inside(GzDecoder::new(packed));
                }
            }
        }
    }
}

/// Whether another member follows; zeros are skipped.
fn another(packed: &mut impl BufRead) -> io::Result<bool> {
    let mut zeros = false;
    loop {
        let held = packed.fill_buf()?;
        let Some(&first) = held.first() else {
            return Ok(false);
        };
        if first != 0 {
            // If it is no member, the next decoder reports what is wrong with it.
            return if zeros {
                let what = "something that is no zero follows the zeros behind its data";
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            } else {
                Ok(true)
            };
        }
        zeros = true;
        let length = held.iter().take_while(|&&byte| byte == 0).count();
        packed.consume(length);
    }
}
