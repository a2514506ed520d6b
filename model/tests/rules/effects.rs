//! What effects mean, and readings that the model itself does not take first.

use hostmem_interface::{MemoryLoad, Value};
use hostmem_model::actor::Preference;
use hostmem_model::effect::Pages;
use hostmem_model::space::Allocation;

use super::*;

/// An effect remembers where its allocation was found. In another state of the same memory
/// that place may be another's, or nobody's; the effect means the same.
#[test]
fn an_effect_means_the_same_wherever_the_allocation_is_held() {
    let at = |granule: u64| granule * GRANULE;
    let reserved = |order: &[u64]| {
        let reserve = |granule: &u64| alloc(at(*granule), GRANULE, R, RW);
        World::after(&order.iter().map(reserve).collect::<Vec<_>>()).0.state
    };
    let committed = |state: &State| -> Vec<(Address, u64)> {
        state.space.iter().map(|it| (it.base(), it.committed_pages())).collect()
    };
    let commit = decide(&reserved(&[5, 6, 7]), &alloc(at(7), 3 * PAGE, C, RW)).first.effect;
    for order in [&[5, 6, 7][..], &[7, 6, 5], &[7]] {
        let mut state = reserved(order);
        state.apply(&commit);
        let others = committed(&state).into_iter().filter(|(base, _)| base.0 != at(7));
        assert!(others.into_iter().all(|(_, pages)| pages == 0), "{order:?}");
        let here = state.space.find(Address(at(7)));
        assert_eq!(here.map(Allocation::committed_pages), Some(3));
    }
}

/// Pages of other allocations, or other pages, are others.
#[test]
fn effects_on_other_pages_are_others() {
    let pages = |base, range| Pages::of(Address(base), range);
    assert_eq!(pages(P, 0..2), pages(P, 0..2));
    assert_ne!(pages(P, 0..2), pages(2 * P, 0..2));
    assert_ne!(pages(P, 0..2), pages(P, 0..3));
}

/// The second lawful answer to a query behind user space can be had too.
#[test]
fn a_query_may_write_nothing() {
    let (reply, liked) = World::new().0.act_preferring(&query(END), &Outcome::is_done);
    let Reply::Outcome { outcome, .. } = reply else { panic!("{reply:?}") };
    let written = match outcome.value() {
        Some(Value::Region(answer)) => answer.written,
        other => panic!("{other:?}"),
    };
    assert!(liked && written == 0);
}

/// The runs of a part of an allocation are cut at its ends.
#[test]
fn runs_are_cut_at_the_ends_of_what_was_asked_for() {
    let world = World::after(&[alloc(P, 8 * PAGE, R, RO), alloc(P + 2 * PAGE, 2 * PAGE, C, RO)]);
    let allocation = world.0.state.space.find(Address(P)).expect("it was reserved");
    let runs: Vec<_> = allocation.runs(1..5).map(|(run, at)| (run, at.protection().0)).collect();
    assert_eq!(runs, [(1..2, 0), (2..4, RO), (4..5, 0)]);
}

/// Likes one answer only, and proposes it.
struct Proposes(Outcome);

impl Preference for Proposes {
    fn likes(&self, outcome: &Outcome) -> bool {
        *outcome == self.0
    }

    fn instead_of(&self, _: &Outcome) -> Vec<Outcome> {
        vec![self.0.clone()]
    }
}

/// The model gives an answer that it would not have thought of, if that is as lawful.
#[test]
fn another_choice_that_is_as_lawful() {
    let mut world = World::new();
    let mut gives = |call: &Call, outcome: Outcome| {
        let proposed = Proposes(outcome);
        let (reply, liked) = world.0.act_preferring(call, &proposed);
        let Reply::Outcome { outcome, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(outcome == proposed.0, liked);
        liked
    };
    let at = |at: u64| Outcome::done(Value::Address(Address(at)));
    let there = 77 * GRANULE;
    assert!(gives(&alloc(0, PAGE, RC, RW), at(there)));
    assert!(!gives(&alloc(0, PAGE, RC, RW), at(there)), "it lies there");
    assert!(!gives(&alloc(0, PAGE, RC, RW), at(there + PAGE)), "not a granule's first page");
    assert!(gives(&free(there, 0, RELEASE), Outcome::ok()), "what was given counts");
    let loads = |load| Outcome::done(Value::Load(MemoryLoad { load, available: 5 }));
    assert!(!gives(&Call::GetMemoryLoad, loads(99)), "a load that was not set");
}
