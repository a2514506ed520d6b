use hostmem::run::run_scenario;
fn main() {
    let mut n = 0; let mut bad = 0;
    for path in std::env::args().skip(1) {
        let text = std::fs::read(&path).unwrap();
        let s = match hostmem_interface::scenario::read::read(&text) { Ok(s) => s, Err(e) => { println!("{path}: {e}"); bad+=1; continue } };
        let o = run_scenario(&s, &path, &hostmem_model::ModelBackend, &mut |_, _| {});
        n += 1;
        if !matches!(o.ending, hostmem::run::Ending::Agrees) { bad += 1; println!("{path}: step {} {:#?} self_check={}", o.steps, o.ending, o.self_check); }
    }
    println!("{n} run, {bad} bad");
}
