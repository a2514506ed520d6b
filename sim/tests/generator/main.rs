//! The generator, carried out on the model: it is deterministic, keeps its promises in every
//! state, and reaches the law.

mod driver;

use hostmem::workload::PROFILES;
use hostmem_interface::Machine;

#[test]
fn every_profile_goes_on_for_ever_within_its_bounds() {
    for profile in PROFILES {
        for seed in 0..20 {
            let case = driver::run(profile, seed, Machine::WINDOWS_X64, 600);
            assert!(case.most_committed <= 1 << 30, "{} {seed}", profile.name);
        }
    }
}

#[test]
fn the_same_seed_writes_the_same_steps() {
    for profile in PROFILES {
        let log = |seed| driver::run(profile, seed, Machine::WINDOWS_X64, 300).log;
        assert_eq!(log(7), log(7), "{}", profile.name);
        assert_ne!(log(7), log(8), "{}", profile.name);
    }
}
