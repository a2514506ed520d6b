//! `hostmem check`: the main job.
//!
//! First the shrunk failures of the past, then the scenarios, then the recordings of a real
//! CLR, then seeded random work: what most likely fails comes first.
//!
//! Deliberately not here: running and telling ([`super::judge`]).

use std::time::Duration;

use clap::Args;
use hostmem_interface::scenario::MAX_GROUP;

use super::judge::judge;
use super::known::Use;
use super::options::RunOptions;
use super::{Context, Error};
use crate::campaign::plan::{CASES, OPS, Plan, RandomPlan};
use crate::files::{self, FileError, NamedScenario, Selection, builtin};
use crate::limits::duration;
use crate::report::ExitStatus;
use crate::seed::Seed;
use crate::workload::{Profile, TURNS};

/// Check a backend: replay the built-in scenarios and CLR recordings, then run random work
///
/// Without options it checks this machine's own system, takes about a minute on two
/// processors, and writes nothing unless something fails (then under ./hostmem-results/).
#[derive(Debug, Args)]
pub struct Check {
    /// All random work follows from it: a decimal number, 0x…, or a 40-digit commit id
    #[arg(long, value_name = "SEED", default_value_t, help_heading = "What to run")]
    seed: Seed,
    /// How many random cases [default: a fixed number; with --time, as many as there is time for]
    #[arg(long, value_name = "N", help_heading = "What to run")]
    cases: Option<u64>,
    /// How many operations a random case has
    #[arg(long, value_name = "N", default_value_t = OPS, help_heading = "What to run")]
    ops: usize,
    /// Begin no case after this time (30s, 5m, 1h); a run that it ends has no digest
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "What to run")]
    time: Option<Duration>,
    /// The workload of the random cases; of several, the cases take turns
    /// [default: clr, wide, clr, hostile]
    #[arg(long = "profile", value_name = "PROFILE", help_heading = "What to run")]
    profiles: Vec<String>,
    /// How many threads the steps of a random case are spread over, up to 6; with more than
    /// one their calls overlap, and some order of them must be lawful. Such a run has no digest
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "What to run",
          value_parser = clap::value_parser!(u32).range(1..=MAX_GROUP as i64))]
    threads: u32,
    /// Pin what the random cases draw, as `name=number,…`; --verbose tells what each drew, and
    /// the rest is drawn as ever
    #[arg(
        long,
        value_name = "DRAWN",
        default_value = "",
        hide_default_value = true,
        help_heading = "What to run"
    )]
    swarm: String,
    /// Write what differs into the list of known differences of the implementation, without
    /// the entries that no longer differ
    #[arg(long, help_heading = "How to run")]
    update_known: bool,
    /// Replay these scenario files of your own first, such as failures that were mended; may be
    /// given several times
    #[arg(long, value_name = "FILE|DIR", help_heading = "What to run")]
    regressions: Vec<String>,
    #[command(flatten)]
    run: RunOptions,
}

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// A mistake in the options, or a report that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let selection = self.run.selection()?;
        let scenarios = scenarios(&self.regressions, &selection)?;
        let random = self.random(context.parts.profiles)?;
        let (fail_each, shard) = (self.run.fail_each, self.run.shard);
        let plan = Plan { scenarios, fail_each, random, selection, shard };
        let will = if self.update_known { Use::Update } else { Use::Verify };
        judge(&plan, &self.run, self.time, will, context)
    }

    fn random(&self, profiles: &[Profile]) -> Result<Option<RandomPlan>, Error> {
        let names: Vec<&str> = if self.profiles.is_empty() {
            let known = |name: &&str| profiles.iter().any(|profile| profile.name == *name);
            TURNS.iter().copied().filter(known).collect()
        } else {
            self.profiles.iter().map(String::as_str).collect()
        };
        for name in &names {
            let drawn = named(name, profiles)?.usual(&self.swarm);
            drawn.map_err(|why| Error::Usage(format!("--swarm, in the profile {name}: {why}")))?;
        }
        let cases = self.cases.or(if self.time.is_some() { None } else { Some(CASES) });
        if names.is_empty() {
            return Ok(None);
        }
        Ok(Some(RandomPlan {
            threads: self.threads,
            swarm: self.swarm.clone(),
            ..RandomPlan::new(self.seed, cases, self.ops, &names)
        }))
    }
}

/// The user's own, then the built-in ones.
fn scenarios(own: &[String], selection: &Selection) -> Result<Vec<NamedScenario>, FileError> {
    let mut scenarios = Vec::new();
    for path in own {
        scenarios.extend(files::load(path)?);
    }
    for builtin in builtin::all() {
        scenarios.push(builtin.read()?);
    }
    scenarios.retain(|one| selection.selects(&one.name, &one.scenario.rules));
    Ok(scenarios)
}

fn named<'a>(name: &str, profiles: &'a [Profile]) -> Result<&'a Profile, Error> {
    profiles.iter().find(|profile| profile.name == name).ok_or_else(|| {
        let known: Vec<&str> = profiles.iter().map(|profile| profile.name).collect();
        let known = known.join(", ");
        Error::Usage(format!("there is no profile `{name}`; expected one of: {known}"))
    })
}
