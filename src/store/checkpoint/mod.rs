//! Checkpoints: the state at a frame, stored beside the log, so that opening the store and queries about the past
//! need not begin at the first entry. The newest ones are kept, and of the older ones ever fewer.
//!
//! **Invariant:** nothing depends on checkpoints (but a pruned log on its base, which is no checkpoint: it is kept beside
//! the blocks). A checkpoint that does not fit the log (its frame is missing, or
//! has another chain link) is skipped. Without any checkpoint the whole log is read.
//!
//! | file | what |
//! | --- | --- |
//! | `draft` | a checkpoint of the present state: made, placed, saved |
//! | `index` | the index of a checkpoint |
//! | `load` | the checkpoint at which a scope may begin |
//! | `block_states` | the states that a sealed block has of its channels |
//! | `base` | the state where the log begins: nothing, or the base of a pruned log |
//! | `restore` | the state of a checkpoint or base |
//! | `retention` | which checkpoints are dropped |
//! | `retry_chunks` | the ids of lines that are stored with them |
//! | `keys` | the keys of all these values |
//!
//! When a checkpoint is due is the writer's business.

mod base;
mod block_states;
mod draft;
mod index;
mod keys;
mod load;
mod restore;
mod retention;
mod retry_chunks;

pub(in crate::store) use base::{base_ids, beginning};
pub(crate) use draft::{Checkpoint, PartFrames, PendingCheckpoint, draft};
pub(in crate::store) use keys::{checkpoint_frames, clear, rekey, whole_frames};
pub(in crate::store) use load::{load, pointers};
pub(in crate::store) use retention::{drop_excess, drop_pruned, drop_unusable};
pub(in crate::store) use retry_chunks::{drop_retries, load_retries, save_retries};
