//! `hostmem merge`: the results files of the parts of a campaign, as one.
//!
//! Deliberately not here: what belongs together ([`crate::results::merge`]).

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::judge::planted;
use super::{Context, Error};
use crate::backend::{self, Named};
use crate::files::Atomic;
use crate::output::remark;
use crate::report::human::{self, Detail};
use crate::report::{ExitStatus, Format, Report};
use crate::results::merge::merge;

/// Put results files together that parts of one campaign left (check --results, --shard)
///
/// Prints the report of the whole, with the digest that one run of everything has. The order
/// of the files does not matter, and merging a merge again changes nothing. What is missing is
/// named, and then the exit code is not 0.
#[derive(Debug, Args)]
pub struct Merge {
    /// Results files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the results of the whole to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Tell of cases that agree too
    #[arg(short, long)]
    verbose: bool,
    /// Tell which rules decided, and how often
    #[arg(long)]
    coverage: bool,
}

impl Merge {
    /// Runs the command.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together, or output that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let merged = merge(&self.files)?;
        for what in &merged.remarks {
            remark(what);
        }
        if let Some(path) = &self.output {
            let mut file = Atomic::new(path)?;
            merged.write(&mut file).map_err(|source| file.wrong(source))?;
            file.finish()?;
        }
        let (outcome, campaign) = (merged.outcome(), &merged.campaign);
        // Only to know what was put into them: one that is gone says nothing.
        let backends: Vec<Named> = campaign
            .backends
            .iter()
            .filter_map(|spec| backend::parse(spec, context.parts.backends).ok())
            .collect();
        let report = Report {
            header: campaign.header(None),
            results: outcome.results,
            end: outcome.end,
            coverage: self.coverage.then_some(outcome.coverage),
            strict: campaign.strict,
            require: campaign.require.clone(),
            unreadable: outcome.unreadable,
            threaded: campaign.is_threaded(),
            planted: if campaign.random.is_some() { planted(&backends) } else { Vec::new() },
        };
        let out = &mut context.out;
        match (self.format, self.verbose) {
            (Format::Human, true) => {
                human::write_header(&report.header, out)?;
                human::write_body(&report, Detail::Everything, out)?;
            }
            (format, _) => format.write(&report, out)?,
        }
        out.flush()?;
        Ok(report.status())
    }
}
