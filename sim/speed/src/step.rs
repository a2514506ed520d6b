//! A whole differential step (draw an operation, carry it out on the model and on an address
//! space that somebody else wrote, compare, fold the answer) beside the same two tested by
//! proptest-state-machine on the same operations.

use std::hint::black_box;

use hostmem::random::Draw;
use proptest::prelude::{BoxedStrategy, Just, Strategy as _, any};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use crate::Effort;
use crate::contestant::{Contestant as _, Model, Runs, fold};
use crate::measure::{median, time};
use crate::stream::{Kind, Plan, Wish};
use crate::table::{Cell, Table};

/// Live reservations at the beginning of a case.
const LIVE: usize = 20;
/// Operations of a case.
const STEPS: usize = 1000;

/// The table.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let (rounds, cases) = if effort == Effort::Full { (11, 20) } else { (3, 4) };
    let mut table = Table::new(
        "A differential step",
        "Nanoseconds: an operation of the stream is drawn, carried out on the model and on the \
         `BTreeMap` of runs, the answers are compared and folded. proptest-state-machine draws \
         from the same operations and compares the same two. Cases of 1000 operations on about \
         20 live reservations.",
        &["ns a step", "by ours"],
    );
    let mut samples = [const { Vec::new() }; 3];
    for round in 0..rounds {
        let steps = (cases * STEPS) as f64;
        samples[0].push(time(|| _ = black_box(own(round, cases))) / steps);
        samples[1].push(time(|| by_proptest(round, cases)) / steps);
        samples[2].push(time(|| _ = black_box(drawn(round, cases))) / steps);
    }
    let medians = samples.map(|samples| median(&samples));
    let names = ["hostmem: seed to digest", "proptest-state-machine", "of ours: drawing alone"];
    for (name, time) in names.iter().zip(medians) {
        table.row(name, vec![Cell::Number(time), Cell::Ratio(time / medians[0])]);
    }
    table
}

/// The two that are compared.
#[derive(Debug, Default)]
struct Pair {
    model: Model,
    runs: Runs,
    sum: u64,
}

impl Pair {
    fn carry_out(&mut self, plan: &mut Plan, wish: &Wish) {
        let op = plan.realise(wish);
        let (one, other) = (self.model.answer(&op), self.runs.answer(&op));
        assert_eq!(one, other, "{op:x?}");
        self.sum = fold(self.sum, one);
    }
}

/// A case that has begun.
fn begun() -> (Plan, Pair) {
    let (plan, ops) = Plan::with(LIVE, &mut Draw::from_number(3));
    let mut pair = Pair::default();
    pair.model.replay(&ops);
    pair.runs.replay(&ops);
    (plan, pair)
}

fn own(round: u64, cases: usize) -> u64 {
    let mut draw = Draw::from_number(round);
    let case = |_| {
        let (mut plan, mut pair) = begun();
        for _ in 0..STEPS {
            pair.carry_out(&mut plan, &Wish::draw(&mut draw));
        }
        pair.sum
    };
    (0..cases).map(case).fold(0, fold)
}

fn drawn(round: u64, cases: usize) -> u64 {
    let mut draw = Draw::from_number(round);
    let case = |_| {
        let (mut plan, _) = Plan::with(LIVE, &mut Draw::from_number(3));
        (0..STEPS).fold(0, |sum, _| fold(sum, plan.realise(&Wish::draw(&mut draw)).at))
    };
    (0..cases).map(case).fold(0, fold)
}

/// What is live, as proptest-state-machine sees it.
#[derive(Debug)]
struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Plan;
    type Transition = Wish;

    fn init_state() -> BoxedStrategy<Plan> {
        Just(begun().0).boxed()
    }

    fn transitions(_: &Plan) -> BoxedStrategy<Wish> {
        let kind = proptest::prop_oneof![
            1 => Just(Kind::Reserve),
            1 => Just(Kind::Release),
            55 => Just(Kind::Commit),
            8 => Just(Kind::Decommit),
            15 => Just(Kind::Protect),
            20 => Just(Kind::Query),
        ];
        let wish = |(kind, which, share, more, variant)| Wish { kind, which, share, more, variant };
        (kind, any::<u32>(), any::<u16>(), any::<u8>(), any::<u8>()).prop_map(wish).boxed()
    }

    fn apply(mut plan: Plan, wish: &Wish) -> Plan {
        plan.realise(wish);
        plan
    }
}

fn by_proptest(round: u64, cases: usize) {
    let config = Config {
        cases: u32::try_from(cases).expect("few cases"),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(round),
        ..Config::default()
    };
    let strategy = Reference::sequential_strategy(STEPS);
    let tested = TestRunner::new(config).run(&strategy, |(mut plan, wishes, _)| {
        let (_, mut pair) = begun();
        for wish in &wishes {
            pair.carry_out(&mut plan, wish);
        }
        Ok(())
    });
    tested.expect("the two agree");
}
