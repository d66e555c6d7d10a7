//! The header of a frame: what a query needs to know before it reads the payload.

use super::FrameError;
use crate::domain::entry::{Entry, Payload};
use crate::domain::names::{NameId, NameTable};
use crate::domain::time::Millis;
use crate::log::chain::ChainLink;
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::HeaderBody;

/// The most channels that a header names. A frame with more has only the note that it may touch any channel.
pub const CHANNELS_MAX: usize = 1_024;

/// The hash of a channel in headers: the first bytes of BLAKE3 of its name, little-endian.
#[must_use]
pub fn channel_hash(channel: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(channel.as_bytes()).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// How the payload is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Uncompressed.
    Plain,
    /// One zstd frame.
    Zstd,
}

/// The channels that a frame's entries and pages touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channels {
    /// More than [`CHANNELS_MAX`]: any channel is possible.
    Any,
    /// These, by [`channel_hash`], sorted.
    These(Vec<u64>),
}

/// The header of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHeader {
    /// The frame's number: dense, from 1. Of a sealed block, the number of its first frame.
    pub frame: u64,
    /// How many frames it stands for: 1, or those of a sealed block.
    pub frames: u64,
    /// The number of its values, or of those that a sealed block replaces.
    pub parts: u32,
    /// How its payload is stored.
    pub compression: Compression,
    /// Bytes of the payload before compression.
    pub plain_len: u64,
    /// Entries in it.
    pub entries: u64,
    /// Commits in it.
    pub commits: u64,
    /// Pages and ends of connections in it: they change the state, but are not entries.
    pub pages: u64,
    /// Rejects in it.
    pub rejects: u64,
    /// Progress records in it.
    pub progress: u64,
    /// The number of its first entry; without entries, the number of the next one.
    pub first_seq: u64,
    /// Smallest and largest `effective_at` of its entries; zeros without entries.
    pub effective_at: (Millis, Millis),
    /// Smallest and largest `recorded_at` of its entries; zeros without entries.
    pub recorded_at: (Millis, Millis),
    /// The earliest moment in any entry: `occurred_at`, a window's `not_before`, the opening of a gap, the begin of a
    /// paged snapshot. `i64::MIN` if a window has no lower end; `i64::MAX` without entries.
    pub reaches_back_to: Millis,
    /// Channels that it touches.
    pub channels: Channels,
    /// It has entries that concern all channels of an observer.
    pub unscoped: bool,
    /// The chain link before its first commit.
    pub link_before: ChainLink,
    /// The chain link after its last commit.
    pub link_after: ChainLink,
    /// An ingest connection may be up at its end: a process that opens the log there must check.
    pub connected: bool,
}

impl FrameHeader {
    /// Whether the frame may touch the channel with this hash.
    #[must_use]
    pub fn may_touch(&self, channel: u64) -> bool {
        self.unscoped
            || match &self.channels {
                Channels::Any => true,
                Channels::These(these) => these.binary_search(&channel).is_ok(),
            }
    }

    /// The number of the last frame that it stands for.
    #[must_use]
    pub fn last_frame(&self) -> u64 {
        self.frame.saturating_add(self.frames).saturating_sub(1)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let mut bytes = Vec::with_capacity(256);
        pack(&self.body(), &mut bytes)?;
        let length = u32::try_from(bytes.len()).map_err(|_| FrameError::TooLarge(bytes.len()))?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&bytes);
        Ok(())
    }

    /// What is stored of it, besides the number of the frame and of its parts.
    pub(in crate::log) fn body(&self) -> HeaderBody {
        // Wrapping differences: short if the times are close, and correct if they are not.
        let (effective, recorded) = (self.effective_at, self.recorded_at);
        HeaderBody {
            zstd: self.compression == Compression::Zstd,
            plain_len: self.plain_len,
            entries: self.entries,
            commits: self.commits,
            pages: self.pages,
            rejects: self.rejects,
            progress: self.progress,
            first_seq: self.first_seq,
            recorded_min: recorded.0,
            recorded_span: recorded.1.wrapping_sub(recorded.0),
            effective_min: effective.0.wrapping_sub(recorded.0),
            effective_span: effective.1.wrapping_sub(effective.0),
            reaches_back: effective.0.wrapping_sub(self.reaches_back_to),
            unscoped: self.unscoped,
            channels: match &self.channels {
                Channels::Any => None,
                Channels::These(these) => {
                    Some(these.iter().map(|hash| hash.to_le_bytes()).collect())
                }
            },
            link_before: self.link_before,
            link_after: self.link_after,
            connected: self.connected,
        }
    }

    /// Reads the header at the front of a body. Also returns the bytes after it.
    pub(super) fn read(
        frame: u64,
        parts: u32,
        body: &[u8],
    ) -> Result<(FrameHeader, &[u8]), FrameError> {
        let cut = FrameError::Disagree("the header's length");
        let Some((length, rest)) = body.split_first_chunk::<4>() else {
            return Err(cut);
        };
        let Some((bytes, payload)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
        else {
            return Err(cut);
        };
        let (header, used): (HeaderBody, usize) = unpack(bytes)?;
        if used != bytes.len() {
            return Err(cut);
        }
        let header = FrameHeader::of_body(frame, 1, parts, header)?;
        Ok((header, payload))
    }

    /// The header of frames of which this is stored.
    pub(in crate::log) fn of_body(
        frame: u64,
        frames: u64,
        parts: u32,
        header: HeaderBody,
    ) -> Result<FrameHeader, FrameError> {
        // Entries are numbered from 1, and the number after the last one must exist too: so later arithmetic cannot
        // overflow.
        if header.first_seq == 0 || header.first_seq.checked_add(header.entries).is_none() {
            return Err(FrameError::Disagree("the entries' numbers"));
        }
        let effective_min = header.recorded_min.wrapping_add(header.effective_min);
        Ok(FrameHeader {
            frame,
            frames,
            parts,
            compression: if header.zstd {
                Compression::Zstd
            } else {
                Compression::Plain
            },
            plain_len: header.plain_len,
            entries: header.entries,
            commits: header.commits,
            pages: header.pages,
            rejects: header.rejects,
            progress: header.progress,
            first_seq: header.first_seq,
            effective_at: (
                effective_min,
                effective_min.wrapping_add(header.effective_span),
            ),
            recorded_at: (
                header.recorded_min,
                header.recorded_min.wrapping_add(header.recorded_span),
            ),
            reaches_back_to: effective_min.wrapping_sub(header.reaches_back),
            channels: match header.channels {
                None => Channels::Any,
                Some(these) => {
                    Channels::These(these.0.into_iter().map(u64::from_le_bytes).collect())
                }
            },
            unscoped: header.unscoped,
            link_before: header.link_before,
            link_after: header.link_after,
            connected: header.connected,
        })
    }
}

/// The earliest moment in an entry ([`FrameHeader::reaches_back_to`]).
pub(in crate::log) fn reach(entry: &Entry) -> Millis {
    let of_gaps = match &entry.payload {
        Payload::Link(link) => link.gaps.iter().map(|gap| gap.at).min(),
        _ => None,
    };
    let own = reach_itself(entry);
    of_gaps.map_or(own, |moment| moment.min(own))
}

/// The same, without the gaps that a link opens or ends: each is of one channel.
pub(in crate::log) fn reach_itself(entry: &Entry) -> Millis {
    let of_payload = match &entry.payload {
        Payload::Change(_) => {
            let window = entry.window();
            window.map(|window| window.not_before.unwrap_or(Millis::MIN))
        }
        Payload::Snapshot(snapshot) => {
            let opened = snapshot.gap.and_then(|gap| gap.opened);
            let begin = snapshot.begin.map(|begin| begin.occurred_at);
            opened.into_iter().chain(begin).min()
        }
        Payload::Link(_) | Payload::Token(_) => None,
    };
    of_payload.map_or(entry.occurred_at, |moment| moment.min(entry.occurred_at))
}

/// The header's statistics of the entries, collected while they are written.
#[derive(Debug)]
pub(super) struct FrameStatistics {
    effective_at: (Millis, Millis),
    recorded_at: (Millis, Millis),
    reaches_back_to: Millis,
    unscoped: bool,
    /// Each channel once, but a channel may come again after another one.
    channels: Vec<NameId>,
    /// There are too many channels to name.
    any: bool,
}

impl FrameStatistics {
    pub(super) fn new() -> Self {
        FrameStatistics {
            effective_at: (Millis::MAX, Millis::MIN),
            recorded_at: (Millis::MAX, Millis::MIN),
            reaches_back_to: Millis::MAX,
            unscoped: false,
            channels: Vec::new(),
            any: false,
        }
    }

    pub(super) fn touch(&mut self, channel: NameId) {
        if self.any || self.channels.last() == Some(&channel) {
            return;
        }
        self.channels.push(channel);
        // Interleaved channels repeat in the list, so it is sorted and deduplicated at times.
        if self.channels.len() >= 4 * CHANNELS_MAX {
            self.tidy();
            self.any = self.channels.len() > CHANNELS_MAX;
        }
    }

    fn tidy(&mut self) {
        self.channels.sort_unstable_by_key(|name| name.0);
        self.channels.dedup();
    }

    pub(super) fn entry(&mut self, entry: &Entry, names: &NameTable) {
        let widen = |range: &mut (Millis, Millis), moment: Millis| {
            range.0 = range.0.min(moment);
            range.1 = range.1.max(moment);
        };
        widen(&mut self.effective_at, entry.effective_at);
        widen(&mut self.recorded_at, entry.recorded_at);
        self.reaches_back_to = self.reaches_back_to.min(reach(entry));
        match &entry.payload {
            Payload::Change(change) => self.touch(names.key(change.member).channel),
            Payload::Snapshot(snapshot) => self.touch(snapshot.channel),
            Payload::Link(link) => {
                // An observer's first link line changes what its events prove in all its channels.
                self.unscoped = true;
                self.scope(link.channel);
                link.gaps.iter().for_each(|gap| self.touch(gap.channel));
            }
            Payload::Token(token) => self.scope(token.channel),
        }
    }

    pub(super) fn scope(&mut self, channel: Option<NameId>) {
        match channel {
            Some(channel) => self.touch(channel),
            None => self.unscoped = true,
        }
    }

    /// Writes the statistics into a header that already has its counts.
    pub(super) fn tell(&mut self, header: &mut FrameHeader, hash: impl FnMut(NameId) -> u64) {
        if header.entries > 0 {
            header.effective_at = self.effective_at;
            header.recorded_at = self.recorded_at;
        } else {
            header.effective_at = (0, 0);
            header.recorded_at = (0, 0);
        }
        header.reaches_back_to = self.reaches_back_to;
        header.unscoped = self.unscoped;
        header.channels = self.channels(hash);
    }

    fn channels(&mut self, hash: impl FnMut(NameId) -> u64) -> Channels {
        self.tidy();
        if self.any || self.channels.len() > CHANNELS_MAX {
            return Channels::Any;
        }
        let mut these: Vec<u64> = self.channels.iter().copied().map(hash).collect();
        these.sort_unstable();
        these.dedup();
        Channels::These(these)
    }
}
