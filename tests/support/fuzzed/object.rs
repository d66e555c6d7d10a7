//! Objects and backups as a fuzzer can change them: what is compressed in them lies open, and lengths and checksums are set when they
//! are put together. `FORMAT.md` has their form.

/// Magic, version, three zeros, the length of the header, a CRC.
const PREFIX_BYTES: usize = 16;
/// The first bytes of a block, and of a base.
const BLOCK: [u8; 4] = [0xF5, b'R', b'b', 0xFD];
const BASE: [u8; 4] = [0xF5, b'R', b'b', 0xFC];
/// The first bytes of a backup.
const BACKUP: [u8; 8] = [0xF5, b'R', b'b', 0xFB, 1, 0, 0, 0];
/// The tag of a backup's last item, which ends with a hash of all before it.
const END: u8 = 4;
/// The highest bit of a tag: the length is stated by the input.
const STATED: u8 = 0x80;

/// Whether the lengths in a header are those of what lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Lengths,
    /// Those of what is stored; those before compression are as the header has them.
    Stored,
    Nothing,
}

/// An object in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    version: u8,
    header: Vec<u8>,
    /// Before compression.
    sections: Vec<Vec<u8>>,
}

impl Object {
    /// The parts of bytes: a version, and pieces with their lengths.
    pub fn of_seed(bytes: &[u8]) -> Object {
        let (&version, rest) = bytes.split_first().unwrap_or((&3, &[]));
        let mut pieces = pieces(rest).into_iter();
        Object {
            version,
            header: pieces.next().unwrap_or_default().to_vec(),
            sections: pieces.map(<[u8]>::to_vec).collect(),
        }
    }

    pub fn seed(&self) -> Vec<u8> {
        let mut bytes = vec![self.version];
        for piece in [&self.header].into_iter().chain(&self.sections) {
            bytes.extend_from_slice(&u16::try_from(piece.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(piece);
        }
        bytes
    }

    /// The parts of an object that was stored.
    pub fn of_object(object: &[u8], is_base: bool) -> Object {
        let (prefix, rest) = object.split_at(PREFIX_BYTES);
        let length = u32::from_le_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
        let (header, mut stored) = rest.split_at(length as usize);
        let mut walk = Walk::new(header, None);
        match is_base {
            true => walk.base().unwrap(),
            false => drop(walk.block().unwrap()),
        }
        let sections = walk.stated.iter().map(|&(packed, plain)| {
            let (section, rest) = stored.split_at(packed as usize + 4);
            stored = rest;
            zstd::bulk::decompress(&section[..packed as usize], plain as usize).unwrap()
        });
        Object {
            version: prefix[4],
            header: header.to_vec(),
            sections: sections.collect(),
        }
    }

    /// The object of a block, and its number.
    pub fn block(&self, fit: Fit) -> (u64, Vec<u8>) {
        let mut walk = Walk::new(&self.header, None);
        let position = walk.block().unwrap_or(1).max(1);
        (
            position,
            self.object(BLOCK, fit, |walk| walk.block().map(drop)),
        )
    }

    /// The object of a base, and its number.
    pub fn base(&self, fit: Fit) -> (u64, Vec<u8>) {
        (0, self.object(BASE, fit, |walk| walk.base()))
    }

    fn object(&self, magic: [u8; 4], fit: Fit, walk: fn(&mut Walk<'_>) -> Option<()>) -> Vec<u8> {
        let packed = self.sections.iter().map(|plain| {
            let packed = zstd::bulk::compress(plain, 1).unwrap();
            (packed, plain.len() as u64)
        });
        let packed: Vec<(Vec<u8>, u64)> = packed.collect();
        let lengths = packed.iter().map(|(it, plain)| (it.len() as u64, *plain));
        let mut fitted = Walk::new(&self.header, Some(lengths.collect()));
        fitted.keeps_plain = fit == Fit::Stored;
        let header = match fit {
            Fit::Lengths | Fit::Stored if walk(&mut fitted).is_some() => fitted.finish(),
            _ => self.header.clone(),
        };
        let mut object = magic.to_vec();
        object.extend_from_slice(&[self.version, 0, 0, 0]);
        object.extend_from_slice(&(header.len() as u32).to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&object), &header);
        object.extend_from_slice(&sum.to_le_bytes());
        object.extend_from_slice(&header);
        for (packed, _) in &packed {
            object.extend_from_slice(packed);
            object.extend_from_slice(&crc32c::crc32c(packed).to_le_bytes());
        }
        object
    }
}

/// Pieces, each behind its length. The last one may be shorter.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        let (piece, rest) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Goes over a header, and writes it again with other lengths.
struct Walk<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    /// The lengths of sections, stored and plain.
    stated: Vec<(u64, u64)>,
    /// Those that are written instead.
    fitting: Option<Vec<(u64, u64)>>,
    /// The plain lengths stay as they are.
    keeps_plain: bool,
    /// Where the sum of the plain lengths of streams stands, and what it is.
    sum: Option<(usize, u64)>,
}

impl<'a> Walk<'a> {
    fn new(header: &'a [u8], fitting: Option<Vec<(u64, u64)>>) -> Walk<'a> {
        Walk {
            rest: header,
            out: Vec::new(),
            stated: Vec::new(),
            fitting,
            keeps_plain: false,
            sum: None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn copy(&mut self, length: usize) -> Option<()> {
        let taken = self.take(length)?;
        self.out.extend_from_slice(taken);
        Some(())
    }

    /// A number as bincode writes it.
    fn number(&mut self) -> Option<u64> {
        let wide = match self.take(1)? {
            [251] => 2,
            [252] => 4,
            [253] => 8,
            [small] if *small < 251 => return Some(u64::from(*small)),
            _ => return None,
        };
        let mut bytes = [0; 8];
        bytes[..wide].copy_from_slice(self.take(wide)?);
        Some(u64::from_le_bytes(bytes))
    }

    fn put(&mut self, number: u64) {
        put(&mut self.out, number);
    }

    fn numbers<const COUNT: usize>(&mut self) -> Option<[u64; COUNT]> {
        let mut numbers = [0; COUNT];
        for number in &mut numbers {
            *number = self.number()?;
            self.put(*number);
        }
        Some(numbers)
    }

    /// Whether what may be missing is there.
    fn is_some(&mut self) -> Option<bool> {
        let [tag] = *self.take(1)? else { return None };
        self.out.push(tag);
        (tag < 2).then_some(tag == 1)
    }

    fn section(&mut self, is_stream: bool) -> Option<()> {
        let stated = (self.number()?, self.number()?);
        let fitting = self.fitting.as_ref();
        let fitting = fitting.map(|all| all.get(self.stated.len()).copied().unwrap_or((0, 0)));
        self.stated.push(stated);
        let (stored, plain) = self.fit(stated, fitting);
        self.put(stored);
        self.put(plain);
        if let Some((_, sum)) = self.sum.as_mut().filter(|_| is_stream) {
            *sum = sum.saturating_add(plain);
        }
        Some(())
    }

    fn fit(&self, stated: (u64, u64), fitting: Option<(u64, u64)>) -> (u64, u64) {
        match fitting {
            Some((stored, _)) if self.keeps_plain => (stored, stated.1),
            fitting => fitting.unwrap_or(stated),
        }
    }

    /// The header of a block of the later formats. Returns its position.
    fn block(&mut self) -> Option<u64> {
        let [_frame, _frames, position, _positions] = self.numbers()?;
        self.copy(1)?;
        let plain_len = self.number()?;
        match self.keeps_plain {
            true => self.put(plain_len),
            false => self.sum = Some((self.out.len(), 0)),
        }
        // Entries, commits, pages, rejects, progress, first seq, and five moments.
        self.numbers::<11>()?;
        self.copy(1)?;
        if self.is_some()? {
            let [channels] = self.numbers()?;
            self.copy(usize::try_from(channels).ok()?.checked_mul(8)?)?;
        }
        self.copy(2 * 32 + 1)?;
        if self.is_some()? {
            self.section(false)?;
        }
        let [streams] = self.numbers()?;
        for _ in 0..streams {
            if self.is_some()? {
                self.copy(8)?;
            }
            self.numbers::<1>()?;
            self.section(true)?;
            if self.is_some()? {
                self.section(false)?;
            }
        }
        Some(position)
    }

    /// The header of a base: its section is named last, the plain length first.
    fn base(&mut self) -> Option<()> {
        self.numbers::<2>()?;
        self.copy(32)?;
        self.numbers::<6>()?;
        let (plain, stored) = (self.number()?, self.number()?);
        let fitting = self.fitting.as_ref();
        let fitting = fitting.map(|all| all.first().copied().unwrap_or((0, 0)));
        self.stated.push((stored, plain));
        let (stored, plain) = self.fit((stored, plain), fitting);
        self.put(plain);
        self.put(stored);
        Some(())
    }

    fn finish(mut self) -> Vec<u8> {
        if let Some((at, sum)) = self.sum {
            let mut number = Vec::new();
            put(&mut number, sum);
            self.out.splice(at..at, number);
        }
        self.out.extend_from_slice(self.rest);
        self.out
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=250 => out.push(number as u8),
        251..=0xFFFF => {
            out.push(251);
            out.extend_from_slice(&(number as u16).to_le_bytes());
        }
        0x1_0000..=0xFFFF_FFFF => {
            out.push(252);
            out.extend_from_slice(&(number as u32).to_le_bytes());
        }
        _ => {
            out.push(253);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// A backup of items: each a tag and a piece with its length, or, where the tag says so, with a length that is stated behind it.
pub fn archive(mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = BACKUP.to_vec();
    while let Some((&tag, rest)) = bytes.split_first() {
        let mut rest = rest;
        let mut stated = None;
        if tag & STATED != 0
            && let Some((length, behind)) = rest.split_first_chunk::<8>()
        {
            stated = Some(u64::from_le_bytes(*length));
            rest = behind;
        }
        let Some((length, behind)) = rest.split_first_chunk::<2>() else {
            break;
        };
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (body, behind) = behind.split_at(length);
        bytes = behind;
        let tag = tag & !STATED;
        let whole = body.len() + if tag == END { blake3::OUT_LEN } else { 0 };
        plain.push(tag);
        plain.extend_from_slice(&stated.unwrap_or(whole as u64).to_le_bytes());
        plain.extend_from_slice(body);
        if tag == END {
            let hash = *blake3::hash(&plain).as_bytes();
            plain.extend_from_slice(&hash);
        }
    }
    zstd::bulk::compress(&plain, 1).unwrap()
}

/// The items of a backup.
pub fn archive_seed(backup: &[u8]) -> Vec<u8> {
    let plain = zstd::stream::decode_all(backup).unwrap();
    let (mut seed, mut rest) = (Vec::new(), &plain[BACKUP.len()..]);
    while let Some((&tag, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk::<8>().unwrap();
        let (body, behind) = behind.split_at(u64::from_le_bytes(*length) as usize);
        let body = match tag {
            END => &body[..body.len() - blake3::OUT_LEN],
            _ => body,
        };
        seed.push(tag);
        seed.extend_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
        seed.extend_from_slice(body);
        rest = behind;
    }
    seed
}
