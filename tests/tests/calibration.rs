//! Dump.

use hostmem::random::Draw;
use hostmem::run::run_generated;
use hostmem::workload::PROFILES;
use hostmem_interface::Machine;
use hostmem_interface::scenario::Scenario;
use hostmem_model::ModelBackend;
use hostmem_tests::scenarios;
use hostmem_tests::shape::{Role, Shape, distance, mix_distance, quantile};

fn cases(name: &str) -> Vec<Scenario> {
    let profile = hostmem::workload::profile(name).unwrap();
    (0..12)
        .map(|seed| {
            let mut draw = Draw::from_number(seed);
            let mut workload = profile.start(&mut draw);
            run_generated("x", &Machine::WINDOWS_X64, &ModelBackend, 1500, &mut |view, _| {
                workload.next(&mut draw, view)
            })
            .scenario
        })
        .collect()
}

fn tell(name: &str, shape: &Shape) {
    print!("{name:<14} {:>6}", shape.calls());
    for kind in [
        "reserve",
        "commit",
        "decommit",
        "release",
        "reset",
        "query",
        "get-watch",
        "reset-watch",
        "load",
        "protect",
    ] {
        print!(" {:>5.1}", shape.share(kind));
    }
    let q =
        |s: &[u64]| format!("{:x}/{:x}/{:x}", quantile(s, 10), quantile(s, 50), quantile(s, 90));
    let d = |s: &[u64]| format!("{}/{}/{}", quantile(s, 10), quantile(s, 50), quantile(s, 90));
    println!(
        " sizes {} runs {} (n{}) lives {} (n{})",
        q(&shape.sizes),
        d(&shape.runs),
        shape.runs.len(),
        d(&shape.lives),
        shape.lives.len()
    );
}

#[test]
fn dump() {
    let recordings: Vec<_> = scenarios().into_iter().filter(|(n, _)| n.contains("/clr/")).collect();
    let all: Vec<_> = PROFILES.iter().map(|p| (p.name, cases(p.name))).collect();
    for role in [Role::Everything, Role::Segments, Role::LargeObjects, Role::Tables, Role::Loader] {
        println!(
            "\n== {role:?}: calls | reserve commit decommit release reset query gww rww load protect"
        );
        let shapes: Vec<_> = all
            .iter()
            .map(|(name, cases)| {
                let mut s = Shape::default();
                for c in cases {
                    s.add(c, role);
                }
                (*name, s)
            })
            .collect();
        for (name, s) in &shapes {
            tell(name, s);
        }
        for (name, scenario) in &recordings {
            let mut s = Shape::default();
            s.add(scenario, role);
            println!();
            tell(name.rsplit('/').next().unwrap(), &s);
            let mut near: Vec<_> = shapes
                .iter()
                .map(|(p, o)| {
                    (
                        *p,
                        mix_distance(&s, o),
                        distance(&s.sizes, &o.sizes),
                        distance(&s.runs, &o.runs),
                        distance(&s.lives, &o.lives),
                    )
                })
                .collect();
            near.sort_by(|a, b| (a.1 + a.2 + a.3).total_cmp(&(b.1 + b.2 + b.3)));
            for n in near.iter().take(6) {
                println!(
                    "      {:<12} mix {:.2} sizes {:.2} runs {:.2} lives {:.2}",
                    n.0, n.1, n.2, n.3, n.4
                );
            }
        }
    }
}
