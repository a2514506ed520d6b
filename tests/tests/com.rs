//! COM in both directions, with a real C++ compiler: libraries that are right, wrong, and that
//! crash, hang or throw; and the model, which must come out the same behind COM.
//!
//! Without a C++ compiler the tests that need one say so and pass.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and why")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use hostmem::run::{Ending, run_scenario};
use hostmem_backends::com::{ComBackend, WorkerCommand};
use hostmem_interface::scenario::Level;
use hostmem_interface::{
    Address, AllocationType, Backend, Breakage, Call, Capability, CriticalLevel, FreeType, Hresult,
    Machine, OpenError, OutPointer, Outcome, Protection, Refusal, Reply, Subject,
};
use hostmem_model::ModelBackend;
use hostmem_tests::{root, scenarios};

/// Where the tests' own libraries are built: beside the tests, in a folder of their own.
fn built() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("com");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    folder
}

/// The library `hostmem-comlib`, which Cargo does not build for a test beside it.
fn comlib() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = built().join("comlib");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "-p", "hostmem-comlib", "--target-dir"])
            .arg(&target)
            .current_dir(root())
            .status();
        assert!(status.expect("cargo starts").success(), "comlib does not build");
        target.join("debug/libhostmem_comlib.so")
    })
}

/// Compiles a source file of `backends/comlib`; `None`, and says so, without a compiler.
fn compile(source: &str, name: &str, flags: &[&str]) -> Option<PathBuf> {
    let output = built().join(name);
    let folder = root().join("backends/comlib");
    let result = Command::new("g++")
        .args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .args(["-Wno-unused-parameter", "-Wno-delete-non-virtual-dtor"])
        .args(flags)
        .arg("-I")
        .arg(folder.join("include"))
        .arg(folder.join(source))
        .arg("-o")
        .arg(&output)
        .output();
    match result {
        Err(error) => {
            println!("skipped: g++ cannot be started: {error}");
            None
        }
        Ok(result) => {
            let said = String::from_utf8_lossy(&result.stderr);
            assert!(result.status.success(), "{source} {flags:?}:\n{said}");
            Some(output)
        }
    }
}

fn com(library: &Path, argument: Option<&str>) -> ComBackend {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_com_worker"));
    ComBackend {
        name: "com:test".to_owned(),
        library: library.to_owned(),
        argument: argument.map(str::to_owned),
        worker: WorkerCommand { program, arguments: Vec::new() },
        limit: Duration::from_secs(60),
        memory: None,
    }
}

fn open(backend: &ComBackend) -> Box<dyn Subject> {
    backend.open(&Machine::WINDOWS_X64).unwrap_or_else(|error| panic!("{error}"))
}

/// What must not depend on the way: refusals in the words that both have.
fn comparable(outcome: &Outcome) -> Outcome {
    match outcome {
        // COM says E_POINTER where Win32 says 998.
        Outcome::Refused(Refusal { hresult, .. }) => {
            let nowhere = Hresult(0x8007_03E6);
            let hresult = if *hresult == nowhere { Hresult::E_POINTER } else { *hresult };
            Outcome::Refused(Refusal::from_hresult(hresult))
        }
        other => other.clone(),
    }
}

/// Every answer of a scenario, and how it ended.
fn played(backend: &dyn Backend) -> Vec<(String, Option<String>, String)> {
    let mut all = Vec::new();
    for (name, scenario) in scenarios() {
        let mut answers = String::new();
        let outcome = run_scenario(&scenario, &name, backend, &mut |_, answered| {
            let outcome = comparable(&answered.outcome);
            answers.push_str(&format!("{outcome} {:?} {:?}\n", answered.notified, answered.rule));
        });
        let beyond = match &outcome.ending {
            Ending::Skipped(why) if outcome.missing.is_some() || why.starts_with("machine") => {
                Some(why.clone())
            }
            _ => None,
        };
        // Steps that overlap come out in any order, so their answers may be another's.
        if scenario.steps.iter().any(|step| step.with.is_some()) {
            answers.clear();
        }
        all.push((name, beyond, format!("{answers}{:?}", outcome.ending)));
    }
    all
}

#[test]
fn the_model_is_the_same_behind_com() {
    let behind_trait = played(&ModelBackend);
    let behind_com = played(&com(comlib(), Some("model")));
    let mut carried = 0;
    let mut beyond = Vec::new();
    for ((name, _, straight), (_, why, through)) in behind_trait.iter().zip(&behind_com) {
        match why {
            Some(why) => beyond.push(format!("{name}: {why}")),
            None => {
                assert_eq!(straight, through, "{name}");
                carried += 1;
            }
        }
    }
    println!("{carried} carried, {} beyond COM: {beyond:#?}", beyond.len());
    assert!(beyond.is_empty(), "COM carries everything: {beyond:#?}");
}

/// What a right manager may not come to.
fn diverging(backend: &ComBackend) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut agreed, mut skipped) = (0, 0);
    for (name, scenario) in scenarios() {
        let outcome = run_scenario(&scenario, &name, backend, &mut |_, _| {});
        match outcome.ending {
            Ending::Agrees => agreed += 1,
            Ending::Skipped(_) | Ending::Taken(_) => skipped += 1,
            Ending::Diverges(finding) if finding.level != Level::Must => {
                println!("{name}: {} {}", finding.rule, finding.observed);
            }
            ending => wrong.push(format!("{name}, step {}: {ending:#?}", outcome.steps)),
        }
    }
    println!("{agreed} agree, {skipped} skipped, {} wrong", wrong.len());
    wrong
}

#[test]
fn a_manager_written_in_cpp_passes() {
    let Some(library) = compile("samples/host.cpp", "host.so", &[]) else { return };
    let text = std::fs::read_to_string(root().join("backends/comlib/samples/host.cpp"));
    assert!(text.expect("the sample").lines().count() < 100);
    let wrong = diverging(&com(&library, None));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_short_sample_forwards_to_our_own_manager_and_passes() {
    let Some(library) = compile("samples/forward.cpp", "forward.so", &[]) else { return };
    let text = std::fs::read_to_string(root().join("backends/comlib/samples/forward.cpp"));
    assert!(text.expect("the sample").lines().count() < 100);
    let wrong = diverging(&com(&library, comlib().to_str()));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn our_own_linux_manager_passes_behind_com() {
    let wrong = diverging(&com(comlib(), Some("linux")));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn five_bugs_are_caught_by_rule() {
    for (bug, rules) in [
        ("BUG_SUCCESS", &["HR-04"][..]),
        ("BUG_RECOMMIT", &["ZF-", "VA-22", "VA-23"]),
        ("BUG_ALIGN", &["VA-13", "VA-23"]),
        ("BUG_RELEASE", &["VF-01", "VF-03"]),
        ("BUG_OLD", &["VP-10", "VP-09"]),
    ] {
        let name = format!("{bug}.so");
        let flag = format!("-D{bug}");
        let Some(library) = compile("samples/broken/wrong.cpp", &name, &[&flag]) else { return };
        let backend = com(&library, None);
        let caught = scenarios().into_iter().find_map(|(name, scenario)| {
            match run_scenario(&scenario, &name, &backend, &mut |_, _| {}).ending {
                Ending::Diverges(finding) => Some((name, finding)),
                Ending::Broken(how) => panic!("{bug} in {name}: {how}"),
                _ => None,
            }
        });
        let (name, finding) = caught.unwrap_or_else(|| panic!("{bug} survived"));
        println!("{bug}: {name}: {:?} {}", finding.rule, finding.observed);
        let rule = finding.rule.to_string();
        assert!(rules.iter().any(|it| rule.starts_with(it)), "{bug} by {rule}: {finding:?}");
    }
}

fn commit() -> Call {
    Call::VirtualAlloc {
        address: Address::NULL,
        size: 4096,
        kind: AllocationType::RESERVE | AllocationType::COMMIT,
        protect: Protection::READWRITE,
        critical: CriticalLevel::TASK,
    }
}

/// A library that does `what` on a commit, and what comes of it, twice on one subject.
fn breakage(what: &str, limit: Duration) -> Option<Breakage> {
    let name = format!("{what}.so");
    let library = compile("samples/broken/wrong.cpp", &name, &[&format!("-D{what}")])?;
    let backend = ComBackend { limit, ..com(&library, None) };
    let subject = open(&backend);
    assert!(matches!(subject.call(&Call::GetMemoryLoad), Reply::Outcome { .. }));
    let Reply::Broken(first) = subject.call(&commit()) else { panic!("{what} is not seen") };
    assert_eq!(subject.call(&Call::GetMemoryLoad), Reply::Broken(first.clone()), "it stays broken");
    let fresh = open(&backend);
    assert!(matches!(fresh.call(&Call::GetMemoryLoad), Reply::Outcome { .. }), "a fresh one works");
    Some(first)
}

#[test]
fn a_crash_an_exit_and_an_exception_are_results() {
    let limit = Duration::from_secs(60);
    for (what, tells) in [
        ("CRASHES", &["SIGSEGV", "VirtualAlloc"][..]),
        ("THROWS", &["SIGABRT", "VirtualAlloc", "exception"]),
        ("EXITS", &["exited with code 3", "VirtualAlloc"]),
    ] {
        let Some(how) = breakage(what, limit) else { return };
        println!("{what}: {how}");
        let Breakage::Died(text) = &how else { panic!("{how:?}") };
        assert!(tells.iter().all(|it| text.contains(it)), "{what}: {text}");
    }
}

#[test]
fn a_hang_is_ended_and_a_lie_is_told() {
    let Some(how) = breakage("HANGS", Duration::from_secs(2)) else { return };
    assert!(matches!(&how, Breakage::Hung(text) if text.contains("VirtualAlloc")), "{how}");
    let Some(how) = breakage("FORGETS", Duration::from_secs(60)) else { return };
    assert!(matches!(&how, Breakage::Lied(text) if text.contains("did not write")), "{how}");
    let library = compile("samples/broken/wrong.cpp", "OVERFLOWS.so", &["-DOVERFLOWS"]);
    let subject = open(&com(&library.expect("a compiler"), None));
    let (address, buffer) = (Address::NULL, OutPointer::Valid);
    let reply = subject.call(&Call::VirtualQuery { address, buffer, length: 48 });
    assert!(
        matches!(&reply, Reply::Broken(Breakage::Lied(it)) if it.contains("beyond")),
        "{reply:?}"
    );
}

#[test]
fn references_are_counted() {
    let Some(library) = compile("samples/host.cpp", "counted.so", &[]) else { return };
    let subject = open(&com(&library, None));
    subject.call(&Call::RegisterMemoryNotificationCallback);
    subject.call(&Call::CreateMalloc { kind: hostmem_interface::MallocType::THREADSAFE });
    assert_eq!(subject.checkpoint(), Ok(()));
    assert_eq!((subject.leaks(), subject.close()), (Vec::new(), Ok(())));
    let library = compile("samples/broken/wrong.cpp", "LEAKS.so", &["-DLEAKS"]);
    let subject = open(&com(&library.expect("a compiler"), None));
    let left = subject.close().expect_err("a reference that nobody holds");
    let told = "gave no sensible answer: IHostMemoryManager: the last Release";
    assert!(left.to_string().starts_with(told), "{left}");
    for argument in ["model", "linux"] {
        let subject = open(&com(comlib(), Some(argument)));
        subject.call(&Call::RegisterMemoryNotificationCallback);
        subject.call(&Call::CreateMalloc { kind: hostmem_interface::MallocType::THREADSAFE });
        assert_eq!(subject.checkpoint(), Ok(()));
        assert_eq!((subject.leaks(), subject.close()), (Vec::new(), Ok(())), "{argument}");
    }
}

#[test]
fn a_library_that_is_none_is_broken_and_says_why() {
    let backend = com(Path::new("/bin/sh"), None);
    let error = backend.open(&Machine::WINDOWS_X64).err();
    assert!(matches!(error, Some(OpenError::Broken(_))), "{error:?}");
    let error = com(comlib(), Some("nonsense")).open(&Machine::WINDOWS_X64).err();
    assert!(format!("{error:?}").contains("E_INVALIDARG"), "{error:?}");
    let worker = || WorkerCommand { program: PathBuf::new(), arguments: Vec::new() };
    assert!(ComBackend::named("/nowhere/at.all", worker()).is_err());
    let text = format!("{}#model", comlib().display());
    assert_eq!(ComBackend::named(&text, worker()).unwrap().argument.as_deref(), Some("model"));
}

#[test]
fn a_scenario_cannot_touch_what_it_was_not_given() {
    let Some(library) = compile("samples/host.cpp", "touched.so", &[]) else { return };
    let subject = open(&com(&library, None));
    assert!(subject.description().capabilities.has(Capability::Faults));
    let base = match subject.call(&commit()) {
        Reply::Outcome { outcome, .. } => outcome.address().expect("a base"),
        reply => panic!("{reply:?}"),
    };
    let read = |address| subject.call(&Call::Read { address, size: 8 });
    assert_eq!(read(base), Outcome::done(hostmem_interface::Value::Bytes(vec![0; 8])).into());
    subject.call(&Call::VirtualFree { address: base, size: 0, kind: FreeType::RELEASE });
    for address in [base, Address(0x40_0000), Address(0x5555_5555_5000), Address(u64::MAX - 3)] {
        let reply = read(address);
        assert!(matches!(&reply, Reply::Outcome { outcome: Outcome::Faulted(_), .. }), "{reply:?}");
    }
}

#[test]
fn a_cpp_compiler_agrees_with_the_header_slot_by_slot() {
    let program = built().join("abi");
    let folder = root().join("backends/comlib");
    let result = Command::new("g++")
        .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(folder.join("include"))
        .arg(folder.join("samples/abi.cpp"))
        .args(["-ldl", "-o"])
        .arg(&program)
        .output();
    let Ok(result) = result else {
        println!("skipped: g++ cannot be started");
        return;
    };
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let run = Command::new(&program).arg(comlib()).output().expect("a program");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{:?}\n{said}", run.status);
    // Hosting with our own manager, as the README says.
    let client = built().join("client");
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I"]).arg(folder.join("include"));
    compiler.arg(folder.join("samples/client.cpp")).args(["-ldl", "-o"]).arg(&client);
    assert!(compiler.status().expect("as before").success());
    let run = Command::new(&client).arg(comlib()).output().expect("a program");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("10 bytes from client.cpp:"), "{said}");
    assert!(said.contains("0x80131022"), "a double free: {said}");
    // The header is C as well.
    let text = "#include \"hostmem.h\"\n\
        int main(void) { return sizeof(IHostMemoryManagerVtbl) != 104; }\n";
    let source = built().join("header.c");
    std::fs::write(&source, text).expect("a writable folder");
    let flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"];
    let program = built().join("header");
    let mut compiler = Command::new("gcc");
    compiler.args(flags).arg(folder.join("include")).arg(&source).arg("-o").arg(&program);
    let Ok(compiled) = compiler.status() else {
        println!("skipped: gcc cannot be started");
        return;
    };
    assert!(compiled.success() && Command::new(&program).status().expect("it runs").success());
}
