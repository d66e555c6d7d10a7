//! `bench`: measures a Rollbook on this machine.

use super::failure;
use super::write_args::DurabilityArg;
use crate::bench::{BenchError, BenchEvent, BenchListener, Sizes, bench};
#[cfg(all(feature = "client", feature = "server"))]
use crate::bench::{LineFlow, live};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::interrupt::interrupted;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::tables::BenchTable;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// `bench`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook bench --quick
  rollbook bench --dir /mnt/disk --format json > figures.json
  rollbook bench --live
")]
pub struct BenchArgs {
    /// A few seconds instead of a minute or two; the figures are coarse
    #[arg(long)]
    pub quick: bool,
    /// A server instead of a store: how long a line takes to its acknowledgement, and to a subscriber
    #[cfg(all(feature = "client", feature = "server"))]
    #[arg(long)]
    pub live: bool,
    /// On which disk: a folder is made in this one, and taken away again
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// What an acknowledged line survives, and a line of the bare file beside it: power unless given, and with --live
    /// power and then none
    #[arg(long, value_name = "LEVEL")]
    pub durability: Option<DurabilityArg>,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &BenchArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let interrupted = interrupted();
    let mut list = output.list(BenchTable::default());
    let mut written = Ok(());
    let done = args.measure(&mut |news| {
        match news {
            BenchEvent::Begins(work) => say(&format!("{work} …")),
            // A measurement may take long, so each result is shown at once.
            BenchEvent::Measured(figure) => written = list.row(&figure).and_then(|()| list.flush()),
        }
        written.is_ok() && !interrupted.load(Ordering::Relaxed)
    });
    written?;
    list.finish()?;
    done.map_err(|error| match error {
        BenchError::Store(error) => failure(data, error),
        BenchError::Stopped => Failure::new(Exit::Interrupted, error.to_string()),
        other => Failure::new(Exit::Failed, other.to_string()),
    })
}

impl BenchArgs {
    fn measure(&self, onlooker: BenchListener<'_>) -> Result<(), BenchError> {
        let (dir, given) = (&self.dir, self.durability);
        #[cfg(all(feature = "client", feature = "server"))]
        if self.live {
            let flow = if self.quick {
                LineFlow::QUICK
            } else {
                LineFlow::FULL
            };
            let levels = [DurabilityArg::Power, DurabilityArg::None];
            let mut levels = levels.into_iter().filter(|_| given.is_none()).chain(given);
            return levels.try_for_each(|level| live(dir, &flow, level.into(), onlooker));
        }
        let sizes = if self.quick {
            Sizes::QUICK
        } else {
            Sizes::FULL
        };
        let level = given.unwrap_or(DurabilityArg::Power);
        bench(dir, &sizes, level.into(), onlooker)
    }
}
