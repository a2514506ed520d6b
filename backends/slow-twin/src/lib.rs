//! The slow twin: Win32 private virtual memory, written down once more and as plainly as
//! possible.
//!
//! Promise: this crate shares nothing with the model that judges backends but the contract
//! (`hostmem-interface`), so a mistake has to be made twice to go unseen. Each call is its
//! documented list of checks, with the rules' ids beside them, over one table entry a page.
//!
//! Map, in reading order: `space` the tables, `protection` and `refusals` the words; then a
//! file for each call: `alloc`, `free`, `protect`, `query`, `access`, `watch`, `heap`,
//! `load`, `notice`. This file puts them behind the traits and one lock.
//!
//! What a rule leaves open, the file of the call decides, and says so in its first lines.
//!
//! Deliberately not here: speed, real memory, and everything outside private memory: no
//! sections, images, stacks, `VirtualLock` or memory of other processes. The space is empty
//! at first: nothing but the calls and the heaps puts anything into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{
    Address, AllocationType, Backend, Capabilities, CriticalLevel, Description, ExecuteError,
    Fault, FreeType, Grain, Host, HostMalloc, HostMemoryManager, InProcess, Machine, MallocType,
    MemoryAccess, MemoryLoad, MemoryLoadControl, MemoryNotificationCallback, OpenError, OutPointer,
    Protection, QueryAnswer, Refusal, Subject, WatchAnswer, WatchFlags, WatchPointers, WriteWatch,
};

use crate::load::Load;
use crate::space::Space;

mod access;
mod alloc;
mod free;
mod heap;
mod load;
mod notice;
mod protect;
mod protection;
mod query;
mod refusals;
mod space;
mod watch;

/// The name in reports, and by which the backend is asked for.
pub const NAME: &str = "slow-twin";

/// Everything that changes.
#[derive(Debug)]
struct State {
    space: Space,
    load: Load,
}

/// A manager of simulated memory.
#[derive(Debug)]
pub struct SlowTwin {
    description: Description,
    state: Arc<Mutex<State>>,
}

/// The state, also after a panic elsewhere: [`Host::checkpoint`] looks whether it is whole.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SlowTwin {
    /// An empty address space on a machine with these units and limits.
    ///
    /// # Errors
    /// What is wrong with the machine.
    pub fn new(machine: Machine) -> Result<Self, OpenError> {
        check_machine(&machine).map_err(|wrong| OpenError::Machine(wrong.to_owned()))?;
        Ok(Self {
            description: Description {
                name: NAME.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                machine,
                capabilities: Capabilities::ALL,
                grain: Grain::Win32,
                absent: Vec::new(),
            },
            state: Arc::new(Mutex::new(State {
                space: Space::new(machine),
                load: Load::new(machine.physical),
            })),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Units that nest, pages that hold a heap block, and a user space of whole pages.
fn check_machine(machine: &Machine) -> Result<(), &'static str> {
    let Machine { page, granularity, lowest, highest, .. } = *machine;
    let whole_pages = |address: u64| address.is_multiple_of(page);
    let conditions = [
        (page.is_power_of_two() && (16..1 << 32).contains(&page), "the page size"),
        (granularity.is_power_of_two() && granularity >= page, "the granularity"),
        (lowest < highest && highest < u64::MAX, "the limits of user space"),
    ];
    match conditions.iter().find(|(holds, _)| !holds) {
        Some((_, wrong)) => Err(wrong),
        None if !whole_pages(lowest) || !whole_pages(highest + 1) => {
            Err("user space is not made of whole pages")
        }
        None => Ok(()),
    }
}

impl HostMemoryManager for SlowTwin {
    fn create_malloc(&self, kind: MallocType) -> Result<Arc<dyn HostMalloc>, Refusal> {
        let heap = heap::create(&mut self.state().space, kind)?;
        Ok(Arc::new(Malloc { state: Arc::clone(&self.state), heap }))
    }

    /// A critical level changes nothing here: no request waits.
    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        _critical: CriticalLevel,
    ) -> Result<Address, Refusal> {
        alloc::virtual_alloc(&mut self.state().space, address, size, kind, protect)
    }

    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        free::virtual_free(&mut self.state().space, address, size, kind)
    }

    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        query::virtual_query(&self.state().space, address, buffer, length)
    }

    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        protect::virtual_protect(&mut self.state().space, address, size, protect, old)
    }

    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        Ok(self.state().load.get())
    }

    fn register_memory_notification_callback(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        self.state().load.register(callback);
        Ok(())
    }

    fn needs_virtual_address_space(&self, _address: Address, _size: u64) -> Result<(), Refusal> {
        Ok(())
    }

    fn acquired_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        notice::acquired(&mut self.state().space, address, size);
        Ok(())
    }

    fn released_virtual_address_space(&self, address: Address) -> Result<(), Refusal> {
        notice::released(&mut self.state().space, address);
        Ok(())
    }
}

impl MemoryAccess for SlowTwin {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        access::read(&mut self.state().space, address, into)
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        access::write(&mut self.state().space, address, bytes)
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        access::execute(&mut self.state().space, address)
    }
}

impl WriteWatch for SlowTwin {
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        watch::get_write_watch(&mut self.state().space, address, size, flags, capacity, null)
    }

    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal> {
        watch::reset_write_watch(&mut self.state().space, address, size)
    }
}

impl MemoryLoadControl for SlowTwin {
    /// Changes from several threads at once may be told of in another order than they came.
    fn set_memory_load(&self, load: MemoryLoad) -> Result<(), Refusal> {
        let due = self.state().load.set(load)?; // the lock ends with this line
        if let Some(notification) = due {
            notification.deliver();
        }
        Ok(())
    }
}

impl Host for SlowTwin {
    fn description(&self) -> &Description {
        &self.description
    }

    fn one_at_a_time(&self) -> bool {
        true
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        self
    }

    fn access(&self) -> Option<&dyn MemoryAccess> {
        Some(self)
    }

    fn watch(&self) -> Option<&dyn WriteWatch> {
        Some(self)
    }

    fn load_control(&self) -> Option<&dyn MemoryLoadControl> {
        Some(self)
    }

    fn checkpoint(&self) -> Result<(), String> {
        self.state().space.check()
    }

    fn leaks(&self) -> Vec<String> {
        self.state().space.heaps.leaks()
    }
}

/// A heap of a [`SlowTwin`].
struct Malloc {
    state: Arc<Mutex<State>>,
    heap: usize,
}

impl HostMalloc for Malloc {
    fn alloc(&self, size: u64, _critical: CriticalLevel) -> Result<Address, Refusal> {
        heap::alloc(&mut lock(&self.state).space, self.heap, size, None)
    }

    fn debug_alloc(
        &self,
        size: u64,
        _critical: CriticalLevel,
        file: &str,
        line: i32,
    ) -> Result<Address, Refusal> {
        let origin = Some(format!("{file}:{line}"));
        heap::alloc(&mut lock(&self.state).space, self.heap, size, origin)
    }

    fn free(&self, address: Address) -> Result<(), Refusal> {
        heap::free(&mut lock(&self.state).space, self.heap, address)
    }
}

/// Opens slow twins, each with an address space of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlowTwinBackend;

impl Backend for SlowTwinBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(InProcess::new(SlowTwin::new(*machine)?)))
    }
}
