//! Running code: only a lone `ret` is ever run, and a subject that runs or refuses to run
//! anything else than the law says is wrong.
//!
//! Deliberately not here: which pages may be executed (`hostmem-model`).

use std::ops::ControlFlow;

use hostmem_interface::{AccessKind, Address, Call, Reply};
use hostmem_model::verdict::Verdict;
use hostmem_model::{Divergence, State};

use crate::intent::realise::RET;
use crate::run::case::{Case, Ending};

impl Case<'_> {
    /// Whether running what is at an address is harmless: it returns at once, or it faults.
    pub(super) fn runs_return(&self, at: Address) -> bool {
        let State { space, contents, heaps, .. } = &self.judge.state;
        if !self.is_certain() {
            return false;
        }
        if heaps.holding(at).is_some() {
            return heaps.likeliest(at, 1) == [RET];
        }
        let page = space.find(at).map(|found| found.state(found.page_of(at)));
        let runs = page.is_some_and(|page| page.permits(AccessKind::Execute) && !page.is_guarded());
        !runs || contents.likeliest(at, 1) == [RET] && !contents.is_uncertain(at, 1)
    }

    /// A subject that will not run what is at an address, though the law says that the access
    /// faults first or that a lone `ret` was written there, is wrong; the case is not.
    pub(super) fn refuses_code(
        &self,
        reply: &Reply,
        call: &Call,
        verdict: &Verdict,
    ) -> ControlFlow<Ending> {
        let (Reply::Unreadable(why), Call::Execute { address }) = (reply, call) else {
            return ControlFlow::Continue(());
        };
        if !self.runs_return(*address) && !verdict.permits_only_faults() {
            return ControlFlow::Continue(());
        }
        // Where the law lets it run, it is the contents that are wrong.
        let reading = self.judge.decide(&Call::Read { address: *address, size: 1 });
        let decided = if verdict.permits_only_faults() { &verdict.first } else { &reading.first };
        self.diverge(Divergence {
            rule: decided.rule,
            expected: decided.answer.to_string(),
            observed: why.clone(),
        })
    }
}
