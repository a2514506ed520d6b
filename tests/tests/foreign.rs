//! A scenario that names foreign absolute addresses touches nothing of hostmem's own, on any
//! backend: not its heap, not its stack, not its code, not a page that it mapped.

use hostmem::run::run_scenario;
use hostmem_interface::Backend;
use hostmem_interface::scenario::read::read;
use hostmem_model::ModelBackend;
use hostmem_slow_twin::SlowTwinBackend;

static CODE: fn() = nothing;

fn nothing() {}

/// Everything that a file could try to do to an address, each by itself.
fn attacks(at: u64) -> Vec<String> {
    let page = at & !0xFFF;
    let steps = [
        format!(r#"{{ "call": "Write", "address": "{at:#x}", "bytes": "deadbeefdeadbeef" }}"#),
        format!(r#"{{ "call": "Write", "address": "{page:#x}", "size": "0x1000", "fill": 204 }}"#),
        format!(
            r#"{{ "call": "VirtualFree", "address": "{page:#x}", "size": 0, "type": "MEM_RELEASE" }}"#
        ),
        format!(
            r#"{{ "call": "VirtualFree", "address": "{page:#x}", "size": "0x1000", "type": "MEM_DECOMMIT" }}"#
        ),
        format!(
            r#"{{ "call": "VirtualProtect", "address": "{page:#x}", "size": "0x1000", "protect": "PAGE_NOACCESS" }}"#
        ),
        format!(
            r#"{{ "call": "VirtualAlloc", "address": "{page:#x}", "size": "0x1000", "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_NOACCESS" }}"#
        ),
        format!(
            r#"{{ "call": "VirtualAlloc", "address": "{page:#x}", "size": "0x1000", "type": "MEM_COMMIT", "protect": "PAGE_READWRITE" }}"#
        ),
        format!(
            r#"{{ "call": "VirtualAlloc", "address": "{page:#x}", "size": "0x1000", "type": "MEM_RESET", "protect": "PAGE_READWRITE" }}"#
        ),
        format!(r#"{{ "call": "ResetWriteWatch", "address": "{page:#x}", "size": "0x1000" }}"#),
        format!(r#"{{ "call": "Read", "address": "{at:#x}", "size": 8 }}"#),
    ];
    let scenario = |step: &String| {
        format!(
            "{{ \"format\": \"hostmem/1\", \"about\": \"A file from a stranger\", \
             \"steps\": [ {step} ] }}"
        )
    };
    steps.iter().map(scenario).collect()
}

fn nothing_is_touched(backend: &dyn Backend) {
    let on_heap: Box<[u64; 1024]> = Box::new([0x5A5A; 1024]);
    let on_stack = [0xA5A5_u64; 64];
    let addresses = [
        std::ptr::from_ref(&on_heap[512]) as u64,
        std::ptr::from_ref(&on_stack[32]) as u64,
        std::ptr::from_ref(&CODE) as u64,
        nothing as *const () as u64,
    ];
    for at in addresses {
        for text in attacks(at) {
            let scenario = read(text.as_bytes()).expect("a well-formed file");
            // What comes of it is the law's business; that we are still here is the test.
            let _ = run_scenario(&scenario, "foreign", backend, &mut |_, _| {});
            assert_eq!(*on_heap, [0x5A5A; 1024], "{} wrote to the heap: {text}", backend.name());
            assert_eq!(on_stack, [0xA5A5; 64], "{} wrote to the stack: {text}", backend.name());
            CODE();
        }
    }
}

#[test]
fn the_model_touches_nothing() {
    nothing_is_touched(&ModelBackend);
}

#[test]
fn the_slow_twin_touches_nothing() {
    nothing_is_touched(&SlowTwinBackend);
}

#[cfg(target_os = "linux")]
#[test]
fn linux_touches_nothing() {
    nothing_is_touched(&hostmem_backends::linux::LinuxBackend::default());
}
