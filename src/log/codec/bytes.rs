//! Basic encodings: varints, a reader that checks every length, and bincode behind [`pack`] and [`unpack`].

use super::CodecError;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::Reader as _;
use bincode::de::{BorrowDecode, BorrowDecoder, Decode, Decoder};
use bincode::enc::{Encode, Encoder};
use bincode::error::{DecodeError, EncodeError};

/// The size limit for one body that bincode reads: no frame can hold more, so only invalid input reaches it.
const BODY_BYTES_MAX: usize = crate::limits::FRAME_BYTES_MAX;
/// The most bytes of memory per byte of input: a larger reservation also means invalid input.
const MEMORY_RATIO_MAX: usize = 64;

type Within<const LIMIT: usize> = Configuration<LittleEndian, Varint, Limit<LIMIT>>;
const CONFIG: Within<BODY_BYTES_MAX> = within();

const fn within<const LIMIT: usize>() -> Within<LIMIT> {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Appends `value` in bincode's varint encoding.
pub(in crate::log) fn pack<T: Encode>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    bincode::encode_into_std_write(value, out, CONFIG)
        .map(|_written| ())
        .map_err(|error| CodecError::Body(error.to_string()))
}

/// Calls a function of bincode with a limit that fits the input: bincode reserves memory for a list or a text by its stated
/// length, and a few bytes can state a length up to the limit.
macro_rules! within_means {
    ($decode:path, $bytes:expr) => {{
        let most = $bytes.len().saturating_mul(MEMORY_RATIO_MAX);
        let decoded = if most <= 1 << 20 {
            $decode($bytes, within::<{ 1 << 20 }>())
        } else if most <= 1 << 24 {
            $decode($bytes, within::<{ 1 << 24 }>())
        } else if most <= 1 << 28 {
            $decode($bytes, within::<{ 1 << 28 }>())
        } else {
            $decode($bytes, CONFIG)
        };
        decoded.map_err(|error| CodecError::Body(error.to_string()))
    }};
}

/// Decodes a `T` from the front of `bytes`. Also returns how many bytes it took.
pub(in crate::log) fn unpack<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), CodecError> {
    within_means!(bincode::decode_from_slice, bytes)
}

/// The same, but texts and bytes are borrowed.
pub(in crate::log) fn unpack_borrowed<'b, T: BorrowDecode<'b, ()>>(
    bytes: &'b [u8],
) -> Result<(T, usize), CodecError> {
    within_means!(bincode::borrow_decode_from_slice, bytes)
}

/// Appends a number as LEB128: seven bits a byte, low bits first.
#[inline]
pub(in crate::log) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number as zigzag, then LEB128, so that small numbers of either sign are short.
#[inline]
pub(in crate::log) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads the remaining bytes.
#[derive(Debug, Clone)]
pub(in crate::log) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(in crate::log) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(in crate::log) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(in crate::log) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(in crate::log) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(in crate::log) fn byte(&mut self) -> Result<u8, CodecError> {
        let (&first, rest) = self.rest.split_first().ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(first)
    }

    pub(in crate::log) fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(in crate::log) fn varint(&mut self) -> Result<u64, CodecError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 || shift > 63 {
                return Err(CodecError::Number);
            }
            value |= low << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    #[inline]
    pub(in crate::log) fn zigzag(&mut self) -> Result<i64, CodecError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    #[inline]
    pub(in crate::log) fn index(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.varint()?).map_err(|_| CodecError::Number)
    }

    /// Reads the count of items that take at least `each` bytes. It never exceeds what the remaining bytes can hold.
    pub(in crate::log) fn count(&mut self, each: usize) -> Result<usize, CodecError> {
        let count = usize::try_from(self.varint()?).map_err(|_| CodecError::Number)?;
        if count > self.left() / each.max(1) {
            return Err(CodecError::Short);
        }
        Ok(count)
    }

    /// Reads a body with bincode.
    pub(in crate::log) fn body<T: Decode<()>>(&mut self) -> Result<T, CodecError> {
        let (body, taken) = unpack(self.rest)?;
        self.take(taken)?;
        Ok(body)
    }
}

/// A list in a body. Unlike bincode's own `Vec`, it never reserves memory for a length that the input cannot
/// have.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::log) struct Seq<T>(pub(in crate::log) Vec<T>);

impl<T> Seq<T> {
    pub(in crate::log) fn try_map<U>(
        &self,
        map: impl FnMut(&T) -> Result<U, CodecError>,
    ) -> Result<Vec<U>, CodecError> {
        self.0.iter().map(map).collect()
    }
}

impl<T> FromIterator<T> for Seq<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Seq(items.into_iter().collect())
    }
}

impl<T: Encode> Encode for Seq<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|item| item.encode(encoder))
    }
}

impl<C, T: Decode<C>> Decode<C> for Seq<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        let count = usize::try_from(count).map_err(|_| DecodeError::OutsideUsizeRange(count))?;
        // Each item takes at least a byte of input, and at most a few hundred bytes of memory.
        if decoder.reader().peek_read(count).is_none() {
            return Err(DecodeError::UnexpectedEnd { additional: count });
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(decoder)?);
        }
        Ok(Seq(items))
    }
}

impl<'de, C, T: Decode<C>> BorrowDecode<'de, C> for Seq<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Decode::decode(decoder)
    }
}
