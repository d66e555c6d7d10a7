//! Rollbook beside its peers and beside the limit, on the same events. Each call does one work for one contender in a
//! process of its own, and prints its figures as JSON. The script `run` calls it by turns and writes the page.
//!
//! | file | what |
//! | --- | --- |
//! | `args`, `figure` | what comes in, what goes out |
//! | `events`, `rows` | the lines; a line in columns |
//! | `own` | Rollbook: the frames that it makes of batches |
//! | `peers` | the other engines, each with its settings |
//! | `works` | what is timed |

mod args;
mod events;
mod figure;
mod own;
mod peers;
mod rows;
mod works;

use args::Args;
use std::error::Error;

/// The program's allocator, so that Rollbook runs as its program does; the peers have the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why a work gave no figures.
type Failure = Box<dyn Error + Send + Sync>;
/// What a step gives.
type Outcome<T> = Result<T, Failure>;

fn main() -> Outcome<()> {
    let args = Args::read()?;
    match args.work.as_str() {
        "events" => events::write_events(&args),
        "questions" => events::write_questions(&args),
        "snapshots" => events::write_snapshots(&args),
        "versions" => works::versions(),
        "append" => works::append::run(&args),
        "import" => works::import::run(&args),
        "ask" => works::ask::run(&args),
        "parse" => works::parse::run(&args),
        "reconcile" => works::reconcile::run(&args),
        "scale" => works::scale::run(&args),
        other => Err(format!("there is no work {other}").into()),
    }
}
