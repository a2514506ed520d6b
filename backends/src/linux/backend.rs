//! [`LinuxBackend`]: opens a manager with an arena of its own for each case.
//!
//! What this machine cannot do is found out by doing it once, and is told with its reason.
//!
//! Deliberately not here: machines with other pages or limits of user space. A real system
//! has the ones it has; only the commit limit is ours to set.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use hostmem_interface::{
    Backend, Capabilities, Capability, Description, Grain, InProcess, Machine, OpenError, Subject,
};

use super::access;
use super::announced::Announced;
use super::commit_charge::CommitCharge;
use super::kernel_view;
use super::malloc::Heaps;
use super::manager::{LinuxManager, Space};
use super::mapping::Arena;
use super::mapping_budget::MappingBudget;
use super::memory_load;
use super::pressure;
use super::watch;
use crate::callbacks::Callbacks;
use crate::ledger::Ledger;
use crate::touch::Touch;

/// Capabilities that need nothing of the machine.
const ALWAYS: [Capability; 8] = [
    Capability::Buffers,
    Capability::Malloc,
    Capability::AddressSpaceNotices,
    Capability::TopDown,
    Capability::Reset,
    Capability::Nocache,
    Capability::Query,
    Capability::PrivateArena,
];

/// How a manager is opened; sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct LinuxOptions {
    /// The arena wanted. A half, quarter, … is taken where the kernel refuses.
    pub arena: u64,
    /// The smallest arena that will do.
    pub smallest_arena: u64,
    /// How much may be committed at once; by default physical memory. A case that asks for a
    /// machine with a commit limit gets that one.
    pub commit_limit: Option<u64>,
    /// Mappings that the process may have; by default the kernel's `vm.max_map_count`.
    pub mapping_limit: Option<u64>,
    /// Whether memory pressure is listened to. Not by default: the notices of a real machine
    /// come when they come, and a run should be the same each time.
    pub notifies: bool,
}

impl Default for LinuxOptions {
    fn default() -> Self {
        Self {
            arena: 16 << 40,
            smallest_arena: 1 << 30,
            commit_limit: None,
            mapping_limit: None,
            notifies: false,
        }
    }
}

/// The backend `linux`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxBackend {
    options: LinuxOptions,
}

impl LinuxBackend {
    /// A backend that opens managers in this way.
    #[must_use]
    pub fn new(options: LinuxOptions) -> Self {
        Self { options }
    }

    /// A backend whose managers listen to memory pressure: `linux-pressure`.
    #[must_use]
    pub fn listening() -> Self {
        Self::new(LinuxOptions { notifies: true, ..LinuxOptions::default() })
    }

    /// Opens a manager that shows `machine`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn manager(&self, machine: &Machine) -> Result<LinuxManager, OpenError> {
        let options = self.options;
        let description = describe(machine, &options)?;
        kernel_view::mappings(&(0..1), 0).map_err(|error| {
            OpenError::Unavailable(format!("/proc/self/maps cannot be read: {error}"))
        })?;
        let arena = Arena::open(options.arena, options.smallest_arena).map_err(|error| {
            let wanted = options.smallest_arena >> 20;
            OpenError::Unavailable(format!("no {wanted} MiB of address space: {error}"))
        })?;
        let limit = description.machine.commit_limit.unwrap_or(u64::MAX);
        let commit = Arc::new(CommitCharge::new(limit));
        let budget = MappingBudget::new(options.mapping_limit);
        let notifies = description.capabilities.has(Capability::Notifications);
        let ledger = Ledger::new(arena.range());
        Ok(LinuxManager {
            touch: Touch::arm().ok(),
            description,
            budget,
            space: Mutex::new(Space { ledger, watch: None }),
            writes: RwLock::new(()),
            overdue: AtomicBool::new(false),
            heaps: Arc::new(Heaps::new(Arc::clone(&commit), budget)),
            commit,
            callbacks: Callbacks::new(notifies),
            announced: Announced::default(),
            arena,
        })
    }
}

impl Backend for LinuxBackend {
    fn name(&self) -> &'static str {
        if self.options.notifies { "linux-pressure" } else { "linux" }
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(InProcess::new(self.manager(machine)?)))
    }
}

fn describe(asked: &Machine, options: &LinuxOptions) -> Result<Description, OpenError> {
    let physical = memory_load::physical();
    let known = physical.clone().ok();
    let machine = Machine {
        physical: known,
        commit_limit: asked.commit_limit.or(options.commit_limit).or(known),
        ..Machine::WINDOWS_X64
    };
    let shown = Machine { physical: asked.physical.and(known), commit_limit: None, ..machine };
    if shown != (Machine { commit_limit: None, ..*asked }) {
        let why = "its page, granularity, limits or physical memory are not those asked for";
        return Err(OpenError::Machine(why.to_owned()));
    }
    let mut capabilities = Capabilities::from_iter(ALWAYS);
    let mut absent = Vec::new();
    let mut judge = |capability, found: Result<(), String>| match found {
        Ok(()) => capabilities = capabilities.with(capability),
        Err(reason) => absent.push((capability, reason)),
    };
    let touch = Touch::arm().map(drop);
    for capability in [Capability::Contents, Capability::Faults, Capability::GuardPages] {
        judge(capability, touch.clone());
    }
    judge(Capability::Execute, access::probe_execution());
    judge(Capability::WriteWatch, watch::probe());
    judge(Capability::MemoryLoad, physical.map(drop));
    judge(Capability::MemoryLoadControl, Err("this is a real machine".to_owned()));
    let deaf = || Err("memory pressure is not listened to (linux-pressure does)".to_owned());
    judge(Capability::Notifications, if options.notifies { pressure::probe() } else { deaf() });
    Ok(Description {
        name: "linux".to_owned(),
        version: release(),
        machine,
        capabilities,
        grain: Grain::Win32,
        absent,
    })
}

/// The kernel's release, empty if it does not say.
fn release() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}
