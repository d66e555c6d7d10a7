//! `schema`: the columns of the answers. It needs no store.

use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::tables::SchemaTable;
use crate::export::schema::{TABLES, TableSchema};
use clap::Args;

/// `schema`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook schema attendance
  rollbook schema stats-by-user
  rollbook schema --format csv > columns.csv
")]
pub struct SchemaArgs {
    /// Only of this answer: the command that gives it
    pub table: Option<String>,
}

pub(in crate::cli) fn run(args: &SchemaArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let is_asked =
        |table: &&&TableSchema| args.table.as_ref().is_none_or(|name| name == table.name);
    let asked: Vec<_> = TABLES.iter().filter(is_asked).collect();
    if asked.is_empty() {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let name = args.table.as_deref().unwrap_or_default();
        let what = format!("there is no answer \"{name}\"");
        return Err(Failure::new(Exit::Usage, what).hint(format!("there are {}", names.join(", "))));
    }
    let mut list = output.list(SchemaTable::default());
    for row in asked.into_iter().flat_map(|table| table.rows()) {
        list.row(&row)?;
    }
    list.finish()
}
