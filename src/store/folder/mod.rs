//! The data directory: its lock, its manifest, its format, and whether its parts belong together. What the log holds is
//! not known here.
//!
//! | file | what |
//! | --- | --- |
//! | `data_dir` | the directory, and the lock that one process holds |
//! | `manifest` | its `store.json` |
//! | `migrate` | its format, and the steps from older ones |
//! | `look` | what a folder is, without changing anything |
//! | `identity` | checks that the manifest and the log belong together |
//! | `compact` | rewrites the engine's files |
//! | `stage` | a store that is made beside the one in the directory, and takes its place as a whole |
//! | `restore`, `forget` | one that is made of backups; one without the strings of a person |
//! | `salvage` | a folder that may be damaged in any way, to be read only |
//! | `unfinished` | what a crash left of a command that replaces parts of the directory |
//! | `copy_folder` | a private copy, for a store that cannot be written |

pub(in crate::store) mod compact;
pub(in crate::store) mod copy_folder;
pub(in crate::store) mod data_dir;
pub(in crate::store) mod forget;
pub(in crate::store) mod identity;
pub mod look;
pub(in crate::store) mod manifest;
pub(in crate::store) mod migrate;
pub(in crate::store) mod restore;
pub(in crate::store) mod salvage;
mod stage;
pub(in crate::store) mod unfinished;
