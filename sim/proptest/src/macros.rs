//! The macro [`conformance`](crate::conformance!): a module of tests for one manager.

/// Makes a module of tests that hold your manager against the law of Win32 virtual memory.
///
/// The first argument names the module, the manager in reports, and the folder in which
/// failures are kept; the second makes a fresh manager, anything that is a
/// [`Host`](crate::Host). Put it into a file of `tests/`, or into a `#[cfg(test)]` module:
///
/// ```
/// use hostmem_interface::Machine;
/// use hostmem_model::simulator::Simulator;
///
/// hostmem_proptest::conformance! { simulator, Simulator::new(Machine::WINDOWS_X64) }
/// # fn main() {
/// #     // Tests of a doctest are not run; these are the same calls.
/// #     let tested = simulator::tested();
/// #     tested.scenarios("free").unwrap();
/// #     tested.with_cases(2, 100).random("wide").unwrap();
/// # }
/// ```
///
/// `cargo test` then shows
///
/// ```text
/// test simulator::regressions ... ok
/// test simulator::scenarios::alloc ... ok
/// test simulator::scenarios::free ... ok
/// …
/// test simulator::recordings ... ok
/// test simulator::random::clr ... ok
/// test simulator::random::wide ... ok
/// test simulator::random::hostile ... ok
/// test simulator::state_machine ... ok
/// ```
///
/// A manager that can show machines of different limits takes the one that a case asks for,
/// so that scenarios about limits are not skipped:
///
/// ```
/// # use hostmem_model::simulator::Simulator;
/// hostmem_proptest::conformance! { limited, |machine| Simulator::new(*machine) }
/// # fn main() { limited::tested().scenarios("alloc").unwrap(); }
/// ```
///
/// Divergences from rules that are a *must* or a *should* fail. With `failing_from: Must` at the
/// end only the former do, with `failing_from: May` all.
///
/// What a manager's description lacks is skipped with the reason; `cargo test -- --nocapture`
/// shows it.
#[macro_export]
macro_rules! conformance {
    ($name:ident, |$machine:ident| $new:expr $(, failing_from: $level:ident)? $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "what makes the manager is written outside")]
            use super::*;

            /// The tests, to be called by hand.
            #[allow(dead_code, reason = "without tests there is nobody who calls it")]
            pub(crate) fn tested() -> $crate::Conformance {
                let make = |$machine: &$crate::Machine| $new;
                let site = $crate::Site {
                    package: env!("CARGO_PKG_NAME"),
                    folder: ::std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")),
                    module: module_path!(),
                };
                let backend = $crate::HostBackend::new(stringify!($name), make);
                let tests = $crate::Conformance::new(backend, site);
                $(let tests = tests.failing_from($crate::Level::$level);)?
                tests
            }

            $crate::conformance! { @tests
                regressions: regressions();
                recordings: scenarios("clr");
                state_machine: state_machine();
            }

            mod scenarios {
                use super::tested;

                $crate::conformance! { @tests
                    alloc: scenarios("alloc");
                    free: scenarios("free");
                    protect: scenarios("protect");
                    query: scenarios("query");
                    guard: scenarios("guard");
                    watch: scenarios("watch");
                    reset: scenarios("reset");
                    access: scenarios("access");
                    malloc: scenarios("malloc");
                    load: scenarios("load");
                    notice: scenarios("notice");
                    stories: scenarios("stories");
                    regressions: scenarios("regressions");
                }
            }

            mod random {
                use super::tested;

                $crate::conformance! { @tests
                    clr: random("clr");
                    wide: random("wide");
                    hostile: random("hostile");
                }
            }
        }
    };
    (@tests $($name:ident: $method:ident($($argument:literal)?);)+) => {
        $(
            #[test]
            fn $name() {
                $crate::settle(tested().$method($($argument)?));
            }
        )+
    };
    ($name:ident, $new:expr $(, failing_from: $level:ident)? $(,)?) => {
        $crate::conformance! { $name, |_machine| $new $(, failing_from: $level)? }
    };
}
