//! How many calls a random campaign needs to find what is wrong with a backend.
//!
//! Deliberately not here: which backends are wrong on purpose (`hostmem-twin`).

use hostmem_interface::Backend;
use hostmem_interface::scenario::Scenario;

use super::Runner;
use crate::engine::{Engine as _, RandomCase, Settings};
use crate::report::{CaseResult, VerdictWord};
use crate::seed::Seed;

/// How a backend is hunted.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The seed of the campaign.
    pub seed: Seed,
    /// The profile of its cases.
    pub profile: &'static str,
    /// How many operations each has.
    pub ops: usize,
    /// How many threads its steps are spread over.
    pub threads: u32,
    /// After this many calls it gives up.
    pub most_calls: usize,
}

/// What a hunt came home with.
#[derive(Clone, Debug)]
pub struct Catch {
    /// How many calls it took.
    pub calls: usize,
    /// What was found.
    pub result: CaseResult,
    /// The shrunk case.
    pub failing: Scenario,
}

impl Hunt {
    /// Runs case after case until one diverges by a rule that `is_named` knows; other
    /// divergences are passed over, and told to `strange`.
    pub fn run(
        &self,
        backend: &dyn Backend,
        is_named: impl Fn(&str) -> bool,
        mut strange: impl FnMut(&CaseResult),
    ) -> Option<Catch> {
        let mut calls = 0;
        for index in 0.. {
            if calls >= self.most_calls {
                break;
            }
            // A case that ends before its first step must not go on for ever.
            calls += 1;
            let seed = self.seed.case(index);
            let case = RandomCase {
                index,
                seed,
                ops: self.ops,
                profile: self.profile.to_owned(),
                threads: self.threads,
                swarm: String::new(),
            };
            let Ok(ran) = Runner.random(&case, backend, Settings::default()) else { continue };
            let (result, failing) = (ran.result, ran.failing);
            calls += result.shrunk.as_ref().map_or(result.steps, |shrunk| shrunk.from);
            match (result.word, failing) {
                (VerdictWord::Diverges, Some(failing))
                    if result.rule.as_deref().is_some_and(&is_named) =>
                {
                    return Some(Catch { calls, result, failing });
                }
                (VerdictWord::Diverges | VerdictWord::Broken, _) => strange(&result),
                _ => {}
            }
        }
        None
    }
}
