//! Which of the frames and blocks that were found are the log, and where something is missing between them. The same numbers
//! may have been given twice: where a crash lost frames that were not synced, later ones took their numbers. And a block and
//! its frames may both be there.

use super::CarvedPiece;
use crate::domain::time::Millis;
use crate::log::chain;
use crate::log::codec::base::BaseHeader;
use std::collections::BTreeMap;

/// The pieces of the last history, in order. It is followed back from its last piece: to the one to which the chain leads, or,
/// where that is missing, to the last one before it that can belong to it.
pub(super) fn choose(found: &[CarvedPiece], base: Option<&BaseHeader>) -> Vec<CarvedPiece> {
    let begin = base.map_or(0, |base| base.frame);
    let mut pieces: Vec<&CarvedPiece> = found
        .iter()
        .filter(|piece| piece.header.frame > begin)
        .collect();
    pieces.sort_by_key(|piece| (piece.header.frame, piece.header.last_frame()));
    let ends = Ends::of(&pieces);
    let Some(last) = ends.last() else {
        return Vec::new();
    };
    let mut chosen = vec![last];
    let mut at = last;
    while let Some(before) = ends.before(at) {
        chosen.push(before);
        at = before;
    }
    chosen.reverse();
    let (mut frame, mut link, mut seq) = match base {
        Some(base) => (base.frame, base.link, base.seq.saturating_add(1)),
        None => (0, chain::START, 1),
    };
    let pieces = chosen.into_iter().map(|piece| {
        let header = &piece.header;
        let follows = header.frame == frame.saturating_add(1)
            && header.link_before == link
            && header.first_seq == seq;
        (frame, link, seq) = (header.last_frame(), header.link_after, piece.end_seq());
        CarvedPiece {
            follows,
            ..piece.clone()
        }
    });
    pieces.collect()
}

/// The pieces by their last frames, each with the latest recording of the chain that leads to it.
struct Ends<'p> {
    by_last: BTreeMap<u64, Vec<(&'p CarvedPiece, Millis)>>,
}

impl<'p> Ends<'p> {
    fn of(sorted: &[&'p CarvedPiece]) -> Ends<'p> {
        let mut ends = Ends {
            by_last: BTreeMap::new(),
        };
        for &piece in sorted {
            let before = ends.chained(piece).map(|(_, recorded)| recorded).max();
            let own = piece.recorded().map(|(_, last)| last);
            // A piece without entries says nothing of its time: it is as late as what may be before it.
            let recorded = own.max(before).unwrap_or_else(|| {
                let earlier = ends.by_last.range(..piece.header.frame);
                let earlier = earlier.flat_map(|(_, pieces)| pieces);
                earlier.map(|&(_, it)| it).max().unwrap_or(Millis::MIN)
            });
            let last = ends.by_last.entry(piece.header.last_frame()).or_default();
            last.push((piece, recorded));
        }
        ends
    }

    /// The pieces from which the chain leads to this one.
    fn chained(&self, piece: &CarvedPiece) -> impl Iterator<Item = (&'p CarvedPiece, Millis)> {
        let header = &piece.header;
        let (link, seq) = (header.link_before, header.first_seq);
        let before = header.frame.checked_sub(1);
        let before = before.and_then(|before| self.by_last.get(&before));
        let before = before.into_iter().flatten().copied();
        before.filter(move |(piece, _)| piece.header.link_after == link && piece.end_seq() == seq)
    }

    /// The last piece of the history that was recorded last.
    fn last(&self) -> Option<&'p CarvedPiece> {
        let all = self.by_last.values().flatten();
        let last = all.max_by_key(|(piece, recorded)| {
            let header = &piece.header;
            (*recorded, header.last_frame(), header.frames)
        });
        last.map(|&(piece, _)| piece)
    }

    /// The piece before another one of the same history.
    fn before(&self, piece: &CarvedPiece) -> Option<&'p CarvedPiece> {
        let chained = self.chained(piece).max_by_key(|(it, _)| it.header.frames);
        if let Some((before, _)) = chained {
            return Some(before);
        }
        // No frame is missing behind the one before it, so that one is of another history.
        let missing = piece.header.frame.checked_sub(1)?;
        let earlier = self.by_last.range(..missing).rev();
        let fits = |before: &CarvedPiece| {
            let in_time = match (before.recorded(), piece.recorded()) {
                (Some((_, before)), Some((after, _))) => before <= after,
                _ => true,
            };
            in_time && before.end_seq() <= piece.header.first_seq
        };
        let mut earlier = earlier.filter_map(|(_, pieces)| {
            let fitting = pieces.iter().filter(|(before, _)| fits(before));
            fitting.max_by_key(|(before, recorded)| (*recorded, before.header.frames))
        });
        earlier.next().map(|&(before, _)| before)
    }
}
