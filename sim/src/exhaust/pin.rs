//! Pins a failure down: which call did it, and what shows it.
//!
//! Calls that change nothing by the law are tried one after the other on the same subject,
//! so when something shows, an earlier one may have done it. Each is therefore tried again
//! alone; only if none fails alone are they told as the sequence that they were.

use hostmem_interface::scenario::Scenario;

use super::Search;
use super::probe::{Probe, Trail, Trouble};
use super::report::Failure;
use crate::run::{Ending, run_scenario};

impl<'a> Search<'a> {
    /// A fresh subject after a sequence of calls.
    pub(super) fn reach(&'a self, sequence: &[u16]) -> Result<Probe<'a>, Trouble> {
        let mut probe = Probe::open(self.backend, &self.layout)?;
        for number in sequence {
            probe.carry_out(self.call(*number))?;
        }
        Ok(probe)
    }

    /// The same once more, by what the first one left.
    pub(super) fn reach_again(
        &'a self,
        sequence: &[u16],
        trail: &Trail,
    ) -> Result<Probe<'a>, Trouble> {
        Probe::follow(self.backend, &self.layout, trail).map_or_else(|| self.reach(sequence), Ok)
    }

    /// What failed when, after `path`, the calls of `tried` were tried in turn.
    pub(super) fn pin_down(&self, path: &[u16], tried: &[u16], seen: Trouble) -> Failure {
        let alone = tried.iter().find_map(|number| {
            let sequence = [path, &[*number]].concat();
            self.failure_of(&sequence).map(|trouble| (sequence, trouble))
        });
        let (sequence, trouble) = alone.unwrap_or_else(|| ([path, tried].concat(), seen));
        let scenario = self.scenario(&sequence, trouble.shown_by.as_ref());
        let ending = self.settled(&scenario, trouble.ending);
        Failure { scenario, calls: sequence.len(), ending }
    }

    /// What goes wrong in a sequence on a fresh subject, or when it is looked at behind it.
    pub(super) fn failure_of(&self, sequence: &[u16]) -> Option<Trouble> {
        self.reach(sequence).and_then(|mut probe| probe.look()).err()
    }

    /// Whether a place is taken lawfully, only the runner finds out, which tries elsewhere.
    pub(super) fn settled(&self, scenario: &Scenario, ending: Ending) -> Ending {
        if !matches!(ending, Ending::Taken(_)) {
            return ending;
        }
        match run_scenario(scenario, "", self.backend, &mut |_, _| {}).ending {
            Ending::Agrees => ending,
            found => found,
        }
    }
}
