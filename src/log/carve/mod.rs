//! Carving: finds the frames and blocks of a log in raw files, without the engine that wrote them, and puts them in order.
//! For a log that the engine cannot open, or opens with a part of it missing.
//!
//! | file | what |
//! | --- | --- |
//! | `scan` | finds values by their magic in any file |
//! | `history` | which frames and blocks follow one another, and where something is missing between them |
//!
//! **Invariant:** files are only read. What is given out has the right checksums, and each piece was decoded with its chain.
//! Nothing here knows what entries mean.

mod history;
mod scan;

use super::block::{BaseObject, BlockError, WholeBlock};
use super::engine::objects::{FolderObjects, ObjectStore};
use super::frame::{self, Check, FrameError, FrameHeader, FrameRecords, ReadScope};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use scan::{FoundFrames, ValuePlace};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where to look.
#[derive(Debug, Default)]
pub struct CarveSources {
    /// Files that may hold values.
    pub files: Vec<PathBuf>,
    /// The folder of the blocks.
    pub objects: PathBuf,
}

/// A part of a file that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarveFault {
    /// The file.
    pub file: PathBuf,
    /// Its first byte, and the one behind the last; `None`: all of it, or it is not known how much.
    pub bytes: Option<(u64, u64)>,
    /// What is wrong there.
    pub what: String,
}

/// A frame or a block that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarvedPiece {
    /// Its header.
    pub header: FrameHeader,
    /// Whether nothing is missing between it and the piece before, or the begin of the log.
    pub follows: bool,
    place: PiecePlace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PiecePlace {
    /// The parts of a frame.
    Values(Vec<ValuePlace>),
    /// A block: its position, and whether it can be taken as it is.
    Block(u64, bool),
}

/// The bytes of a piece, as a log keeps them.
#[derive(Debug)]
pub enum PieceBytes {
    /// The values of a frame.
    Values(Vec<Vec<u8>>),
    /// A block, and its position.
    Block(u64, Vec<u8>),
}

/// What was found of a log.
pub struct Carving {
    /// Where the log begins, if older entries were pruned and that is known.
    pub base: Option<BaseObject>,
    /// The frames and blocks of the log's last history, in order.
    pub pieces: Vec<CarvedPiece>,
    /// What could not be used.
    pub faults: Vec<CarveFault>,
    /// Headers of frames and blocks of which other parts are damaged: they tell what is missing.
    broken: Vec<FrameHeader>,
    sources: CarveSources,
}

impl CarvedPiece {
    /// The entry behind its last one.
    #[must_use]
    pub fn end_seq(&self) -> u64 {
        self.header.first_seq.saturating_add(self.header.entries)
    }

    /// When its first and its last entry were recorded, if it has entries.
    #[must_use]
    pub fn recorded(&self) -> Option<(Millis, Millis)> {
        (self.header.entries > 0).then_some(self.header.recorded_at)
    }

    /// The position of a block that can be taken as it is.
    #[must_use]
    pub fn block(&self) -> Option<u64> {
        match self.place {
            PiecePlace::Block(position, true) => Some(position),
            _ => None,
        }
    }

    /// Whether it is a block.
    #[must_use]
    pub fn is_block(&self) -> bool {
        matches!(self.place, PiecePlace::Block(..))
    }

    fn of_block(whole: &WholeBlock) -> CarvedPiece {
        CarvedPiece {
            header: whole.block.header.clone(),
            follows: false,
            place: PiecePlace::Block(whole.block.position, whole.states_fit),
        }
    }
}

/// Looks for the frames and blocks of a log.
///
/// # Errors
/// A file that is there cannot be read.
pub fn carve(sources: CarveSources) -> io::Result<Carving> {
    let mut found = FoundFrames::default();
    let mut faults = Vec::new();
    for (number, file) in (0..).zip(&sources.files) {
        if let Err(error) = found.scan(number, file) {
            let what = format!("it cannot be read to its end: {error}");
            faults.push(CarveFault {
                file: file.clone(),
                bytes: None,
                what,
            });
        }
    }
    let mut carving = Carving {
        base: None,
        pieces: Vec::new(),
        faults,
        broken: Vec::new(),
        sources,
    };
    let (frames, torn) = found.frames(&mut carving.broken);
    let frames = frames.into_iter().map(|(header, values)| CarvedPiece {
        header,
        follows: false,
        place: PiecePlace::Values(values),
    });
    let mut candidates: Vec<CarvedPiece> = frames.collect();
    let pruned = carving.objects(&mut candidates);
    if pruned && carving.base.is_none() {
        // What was pruned may still lie about, and must not come back.
        let first = candidates.iter().filter(|piece| piece.is_block());
        let first = first.map(|block| block.header.frame).min();
        candidates.retain(|piece| first.is_none_or(|first| piece.header.frame >= first));
    }
    let base = carving.base.as_ref().map(|base| base.header.clone());
    loop {
        carving.pieces = history::choose(&candidates, base.as_ref());
        let unsound = carving.pieces.iter().find(|piece| !carving.is_sound(piece));
        let Some(unsound) = unsound.cloned() else {
            break;
        };
        candidates
            .retain(|piece| (&piece.header, &piece.place) != (&unsound.header, &unsound.place));
    }
    for torn in torn {
        let covers = |piece: &&CarvedPiece| {
            (piece.header.frame..=piece.header.last_frame()).contains(&torn.frame)
        };
        let pruned = base.as_ref().is_some_and(|base| torn.frame <= base.frame);
        let file = carving.sources.files.get(torn.file).cloned();
        if let Some(file) = file
            && !pruned
            && !carving.pieces.iter().any(|piece| covers(&piece))
        {
            carving.faults.push(CarveFault {
                file,
                bytes: Some((torn.from, torn.to)),
                what: format!("a part of frame {} is damaged", torn.frame),
            });
        }
    }
    Ok(carving)
}

impl Carving {
    /// Whether there is no trace of any frame or block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none()
            && self.pieces.is_empty()
            && self.faults.is_empty()
            && self.broken.is_empty()
    }

    /// Adds the blocks that are whole to the candidates. Returns whether entries were pruned.
    fn objects(&mut self, candidates: &mut Vec<CarvedPiece>) -> bool {
        let folder = self.sources.objects.clone();
        let objects = FolderObjects::look(&folder);
        let mut pruned = false;
        for number in objects.numbers().unwrap_or_default() {
            let bytes = objects.read(number, 0, usize::MAX);
            let bytes = bytes.map_err(|error| error.to_string());
            let read = match number {
                0 => {
                    pruned = true;
                    bytes.and_then(|bytes| self.take_base(bytes).map_err(|it| it.to_string()))
                }
                _ => bytes.and_then(|bytes| {
                    let whole = WholeBlock::read(&bytes);
                    if let Err((_, Some(header))) = &whole {
                        self.broken.push((**header).clone());
                    }
                    let whole = whole.map_err(|(error, _)| error.to_string())?;
                    candidates.push(CarvedPiece::of_block(&whole));
                    Ok(())
                }),
            };
            if let Err(what) = read {
                self.faults.push(CarveFault {
                    file: folder.join(FolderObjects::name(number)),
                    bytes: None,
                    what,
                });
            }
        }
        pruned
    }

    fn take_base(&mut self, bytes: Vec<u8>) -> Result<(), BlockError> {
        let base = BaseObject::read(bytes)?;
        base.content()?;
        self.base = Some(base);
        Ok(())
    }

    /// Whether a piece decodes, and its chain leads to the link that it names.
    fn is_sound(&self, piece: &CarvedPiece) -> bool {
        let names = &mut Names::new();
        let mut decoded = || -> Result<(), CarveError> {
            let mut records = self.records(piece, Check::Chain)?;
            while records.next(names)?.is_some() {}
            Ok(())
        };
        decoded().is_ok()
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// They cannot be read any more.
    pub fn bytes(&self, piece: &CarvedPiece) -> Result<PieceBytes, CarveError> {
        match &piece.place {
            PiecePlace::Values(values) => {
                let values = values.iter().map(|place| self.value(place));
                Ok(PieceBytes::Values(values.collect::<Result<_, _>>()?))
            }
            &PiecePlace::Block(position, _) => {
                let objects = FolderObjects::look(&self.sources.objects);
                let bytes = objects.read(position, 0, usize::MAX);
                let bytes = bytes.map_err(|error| io::Error::other(error.to_string()))?;
                Ok(PieceBytes::Block(position, bytes))
            }
        }
    }

    fn value(&self, place: &ValuePlace) -> io::Result<Vec<u8>> {
        let file = self.sources.files.get(place.file);
        let file = file.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(place.at))?;
        let mut bytes = vec![0; place.length];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The records of a piece.
    ///
    /// # Errors
    /// It cannot be read any more, or is damaged.
    pub fn records(
        &self,
        piece: &CarvedPiece,
        check: Check,
    ) -> Result<FrameRecords<Vec<u8>>, CarveError> {
        match self.bytes(piece)? {
            PieceBytes::Values(values) => Ok(FrameRecords::open(values, check)?),
            PieceBytes::Block(_, bytes) => {
                let whole = WholeBlock::read(&bytes).map_err(|(error, _)| error)?;
                let (header, payload) = (whole.block.header, whole.payload);
                let scope = ReadScope::all(check);
                Ok(FrameRecords::of_block(header, payload, 0, scope)?)
            }
        }
    }

    /// The channels, by their hashes, that the missing frames between two numbers touched; `None` if that is not known, or they
    /// may have touched any.
    #[must_use]
    pub fn channels_missing(&self, behind: u64, before: u64) -> Option<Vec<u64>> {
        let mut channels = Vec::new();
        let mut frame = behind.checked_add(1)?;
        while frame < before {
            let mut headers = self.broken.iter();
            let header = headers.find(|it| (it.frame..=it.last_frame()).contains(&frame))?;
            match &header.channels {
                frame::Channels::These(these) if !header.unscoped => channels.extend(these),
                _ => return None,
            }
            frame = header.last_frame().checked_add(1)?;
        }
        channels.sort_unstable();
        channels.dedup();
        Some(channels)
    }
}

/// Why a piece that was found cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarveError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A frame is damaged.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A block is damaged.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// The files of an engine's folder in which values may lie.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn files_of_engine(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in [folder.to_owned(), folder.join("blobs")] {
        let items = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            items => items?,
        };
        for item in items {
            let item = item?;
            if item.file_type()?.is_file() {
                files.push(item.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
