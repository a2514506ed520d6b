//! What the command is put together from: the engine, the kinds of backends, the profiles.
//!
//! A new backend or profile is one row here. Tests of the command bring parts of their own.
//!
//! Deliberately not here: anything that runs.

use std::sync::Arc;

use hostmem_model::ModelBackend;

use crate::backend::{Kind, Made, Make};
use crate::engine::Engine;
#[cfg(any(target_os = "linux", windows))]
use crate::limits::Limits;
use crate::runner::Runner;
use crate::workload::{PROFILES, Profile};

/// Everything that the command needs from the rest of hostmem.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// What carries out cases.
    pub engine: &'a dyn Engine,
    /// The backends.
    pub backends: &'a [Kind],
    /// The profiles. Without any there is no random work.
    pub profiles: &'a [Profile],
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("backends", &self.backends).finish_non_exhaustive()
    }
}

/// Every kind of backend that this build has.
pub const BACKENDS: &[Kind] = &[
    Kind {
        name: "model",
        argument: None,
        about: "hostmem's own model of the law, on a simulated machine",
        make: Make::Here(|_| Ok(Arc::new(ModelBackend))),
    },
    Kind {
        name: hostmem_slow_twin::NAME,
        argument: None,
        about: "the law written a second time and plainly: the check on the model",
        make: Make::Here(|_| Ok(Arc::new(hostmem_slow_twin::SlowTwinBackend))),
    },
    Kind {
        name: "canary",
        argument: Some("NAME"),
        about: "a manager that is wrong on purpose, in one way: hostmem must catch it",
        make: Make::Here(canary),
    },
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Kind {
        name: "linux",
        argument: None,
        about: "this machine's Linux kernel: mmap, mprotect and munmap on real memory",
        make: Make::Here(|_| Ok(Arc::new(hostmem_backends::linux::LinuxBackend::default()))),
    },
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Kind {
        name: "linux-pressure",
        argument: None,
        about: "the same, and listens to the kernel's memory pressure: notices come as they come",
        make: Make::Here(|_| Ok(Arc::new(hostmem_backends::linux::LinuxBackend::listening()))),
    },
    #[cfg(all(windows, target_pointer_width = "64"))]
    Kind {
        name: "win32",
        argument: None,
        about: "this machine's Windows, or Wine: the VirtualAlloc family and its heaps",
        make: Make::Here(|_| Ok(Arc::new(hostmem_backends::win32::Win32Backend::default()))),
    },
    #[cfg(all(windows, target_pointer_width = "64"))]
    Kind {
        name: "win32-arena",
        argument: None,
        about: "hostmem's own manager over a part of the address space, which serves `host`",
        make: Make::Here(|_| Ok(Arc::new(hostmem_backends::win32::arena::ArenaBackend::default()))),
    },
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Kind {
        name: "wine",
        argument: Some("[EXE]"),
        about: "the Windows build of hostmem under Wine, driven from here",
        make: Make::Apart(wine),
    },
    #[cfg(any(target_os = "linux", windows))]
    Kind {
        name: "com",
        argument: Some("PATH"),
        about: "a shared library that exports an IHostMemoryManager, in a process of its own",
        make: Make::Apart(com),
    },
    #[cfg(any(target_os = "linux", windows))]
    Kind {
        name: "agent",
        argument: Some("COMMAND"),
        about: "an adapter in any language, which speaks lines of JSON (see VALIDATE.md)",
        make: Make::Apart(agent),
    },
];

#[cfg(any(target_os = "linux", windows))]
fn agent(command: &str, limits: Limits) -> Made {
    use hostmem_backends::agent::{AgentBackend, Limits as Of};

    Ok(Arc::new(AgentBackend::started(command, adapters(limits, Of::USUAL))?))
}

/// Limits of an adapter.
#[cfg(any(target_os = "linux", windows))]
pub(crate) fn adapters(
    limits: Limits,
    usual: hostmem_backends::agent::Limits,
) -> hostmem_backends::agent::Limits {
    hostmem_backends::agent::Limits {
        time: limits.step.unwrap_or(usual.time),
        memory: limits.memory.unwrap_or(usual.memory),
        line: limits.line.unwrap_or(usual.line),
    }
}

#[cfg(any(target_os = "linux", windows))]
fn com(library: &str, limits: Limits) -> Made {
    use hostmem_backends::com::{ComBackend, WorkerCommand};

    let worker = WorkerCommand::this_program().map_err(|error| error.to_string())?;
    let backend = ComBackend::named(library, worker)?;
    let limit = limits.step.unwrap_or(backend.limit);
    Ok(Arc::new(ComBackend { limit, memory: limits.memory, ..backend }))
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn wine(exe: &str, limits: Limits) -> Made {
    use hostmem_backends::wine::WineBackend;

    let exe = Some(exe).filter(|exe| !exe.is_empty()).map(std::path::Path::new);
    Ok(Arc::new(WineBackend::new(exe, adapters(limits, WineBackend::LIMITS))?))
}

fn canary(name: &str) -> Made {
    match hostmem_twin::canary(name) {
        Some(canary) => Ok(Arc::new(canary)),
        None => {
            let names: Vec<&str> = hostmem_twin::CANARIES.iter().map(|it| it.name).collect();
            Err(format!("no canary is called `{name}`; expected one of none, {}", names.join(", ")))
        }
    }
}

/// The parts of the product.
#[must_use]
pub const fn parts() -> Parts<'static> {
    Parts { engine: &Runner, backends: BACKENDS, profiles: PROFILES }
}
