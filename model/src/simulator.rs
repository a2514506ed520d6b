//! The model as a manager: [`Simulator`] implements the interface's traits over an
//! [`Actor`], so whatever takes a manager can take the model.
//!
//! The lock is never held while a notification is delivered: the callback may call back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{
    Address, AllocationType, Backend, Call, Capabilities, CriticalLevel, Data, Description,
    ExecuteError, Fault, FreeType, Grain, Host, HostMalloc, HostMemoryManager, InProcess, Machine,
    MallocId, MallocType, MemoryAccess, MemoryAvailable, MemoryLoad, MemoryLoadControl,
    MemoryNotificationCallback, OpenError, OutPointer, Outcome, Protection, QueryAnswer, Refusal,
    Reply, Subject, Value, WatchAnswer, WatchFlags, WatchPointers, WriteWatch,
};

use hostmem_interface::dispatch::leak;

use crate::actor::Actor;
use crate::heaps::Block;
use crate::state::State;

/// The model as a manager.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

struct Shared {
    description: Description,
    actor: Mutex<Actor>,
    callback: Mutex<Option<Arc<dyn MemoryNotificationCallback>>>,
    bell: Mutex<Bell>,
    /// Where blocks come from that `DebugAlloc` made: file and line.
    sources: Mutex<BTreeMap<Address, (String, i32)>>,
}

/// Notifications on their way.
#[derive(Default)]
struct Bell {
    waiting: VecDeque<MemoryAvailable>,
    /// Whether somebody delivers them already.
    ringing: bool,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("machine", &self.shared.description.machine).finish()
    }
}

impl Simulator {
    /// A fresh manager that shows `machine`.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let description = Description {
            name: "model".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine,
            capabilities: Capabilities::ALL,
            grain: Grain::Win32,
            absent: Vec::new(),
        };
        let actor = Mutex::new(Actor::new(State::new(machine)));
        Self {
            shared: Arc::new(Shared {
                description,
                actor,
                callback: Mutex::default(),
                bell: Mutex::default(),
                sources: Mutex::default(),
            }),
        }
    }

    /// A fresh manager that shows `machine`, if there can be one.
    ///
    /// # Errors
    /// [`OpenError::Machine`] for a machine that is too large, or is none.
    pub fn open(machine: Machine) -> Result<Self, OpenError> {
        let Machine { page, granularity, lowest, highest, .. } = machine;
        let units = page.is_power_of_two() && granularity.is_power_of_two() && page <= granularity;
        let spans = lowest < highest && highest < u64::MAX && (highest + 1).is_multiple_of(page);
        if !units || !spans {
            let why = "page and granularity are powers of two, and user space is whole pages";
            return Err(OpenError::Machine(why.to_owned()));
        }
        if machine.end() / granularity > u64::from(u32::MAX) {
            let why = "the model holds at most 2^32 granules of address space";
            return Err(OpenError::Machine(why.to_owned()));
        }
        Ok(Self::new(machine))
    }

    fn lock(&self) -> MutexGuard<'_, Actor> {
        locked(&self.shared.actor)
    }

    fn act(&self, call: &Call) -> Result<Value, Refusal> {
        let (outcome, notified) = match self.lock().act(call) {
            Reply::Outcome { outcome, notified } => (outcome, notified),
            other => unreachable!("the model answers every call of a manager: {other:?}"),
        };
        self.notify(&notified);
        match outcome {
            Outcome::Done { value, .. } => Ok(value),
            Outcome::Refused(refusal) => Err(refusal),
            Outcome::Faulted(fault) => unreachable!("a call of a manager does not fault: {fault}"),
        }
    }

    fn touch(&self, call: &Call) -> Result<Value, Fault> {
        match self.lock().act(call) {
            Reply::Outcome { outcome: Outcome::Done { value, .. }, .. } => Ok(value),
            Reply::Outcome { outcome: Outcome::Faulted(fault), .. } => Err(fault),
            other => unreachable!("an access succeeds or faults: {other:?}"),
        }
    }

    /// Delivers notifications, one after the other: what a callback causes by calling back
    /// comes when it has returned. No lock is held meanwhile.
    fn notify(&self, notified: &[MemoryAvailable]) {
        if notified.is_empty() {
            return;
        }
        let mut bell = locked(&self.shared.bell);
        bell.waiting.extend(notified);
        if std::mem::replace(&mut bell.ringing, true) {
            return;
        }
        while let Some(available) = bell.waiting.pop_front() {
            drop(bell);
            let callback = locked(&self.shared.callback).clone();
            if let Some(callback) = callback {
                callback.on_memory_notification(available);
            }
            bell = locked(&self.shared.bell);
        }
        bell.ringing = false;
    }
}

/// Guarded by a lock that no panic leaves half done: a call is carried out as a whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value that the call always gives.
macro_rules! expect_value {
    ($result:expr, $pattern:pat => $value:expr) => {
        $result.map(|value| match value {
            $pattern => $value,
            other => unreachable!("another call's value: {other:?}"),
        })
    };
}

impl HostMemoryManager for Simulator {
    fn create_malloc(&self, kind: MallocType) -> Result<Arc<dyn HostMalloc>, Refusal> {
        let result = self.act(&Call::CreateMalloc { kind });
        expect_value!(result, Value::Malloc(id) => {
            Arc::new(SimulatedMalloc { manager: self.clone(), id }) as Arc<dyn HostMalloc>
        })
    }

    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        critical: CriticalLevel,
    ) -> Result<Address, Refusal> {
        let call = Call::VirtualAlloc { address, size, kind, protect, critical };
        expect_value!(self.act(&call), Value::Address(base) => base)
    }

    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        self.act(&Call::VirtualFree { address, size, kind }).map(drop)
    }

    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        let call = Call::VirtualQuery { address, buffer, length };
        expect_value!(self.act(&call), Value::Region(answer) => answer)
    }

    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        let call = Call::VirtualProtect { address, size, protect, old };
        expect_value!(self.act(&call), Value::Old(old) => old)
    }

    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        expect_value!(self.act(&Call::GetMemoryLoad), Value::Load(load) => load)
    }

    fn register_memory_notification_callback(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        self.act(&Call::RegisterMemoryNotificationCallback)?;
        // The runtime registers once; a second registration replaces the first.
        *locked(&self.shared.callback) = Some(callback);
        Ok(())
    }

    fn needs_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        self.act(&Call::NeedsVirtualAddressSpace { address, size }).map(drop)
    }

    fn acquired_virtual_address_space(&self, address: Address, size: u64) -> Result<(), Refusal> {
        self.act(&Call::AcquiredVirtualAddressSpace { address, size }).map(drop)
    }

    fn released_virtual_address_space(&self, address: Address) -> Result<(), Refusal> {
        self.act(&Call::ReleasedVirtualAddressSpace { address }).map(drop)
    }
}

impl MemoryAccess for Simulator {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        self.lock().read_into(address, into)
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        self.touch(&Call::Write { address, data: Data::Bytes(bytes.into()) }).map(drop)
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        let mut byte = [0];
        match self.lock().act(&Call::Execute { address }) {
            Reply::Outcome { outcome: Outcome::Faulted(fault), .. } => {
                return Err(ExecuteError::Fault(fault));
            }
            Reply::Unreadable(_) => {}
            _ => return Ok(()),
        }
        self.read(address, &mut byte).map_err(ExecuteError::Fault)?;
        Err(ExecuteError::NotReturn(byte[0]))
    }
}

impl WriteWatch for Simulator {
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        let call = Call::GetWriteWatch { address, size, flags, capacity, null };
        expect_value!(self.act(&call), Value::Pages { pages, granularity } => {
            WatchAnswer { pages, granularity }
        })
    }

    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal> {
        self.act(&Call::ResetWriteWatch { address, size }).map(drop)
    }
}

impl MemoryLoadControl for Simulator {
    fn set_memory_load(&self, load: MemoryLoad) -> Result<(), Refusal> {
        let MemoryLoad { load, available } = load;
        self.act(&Call::SetMemoryLoad { load, available }).map(drop)
    }
}

impl Host for Simulator {
    fn description(&self) -> &Description {
        &self.shared.description
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

    fn leaks(&self) -> Vec<String> {
        // In this order, as in `free`.
        let sources = locked(&self.shared.sources);
        let actor = self.lock();
        let told = |(at, block): (Address, &Block)| {
            let source = sources.get(&at).map(|(file, line)| (&**file, *line));
            leak(block.malloc.0.into(), block.size, source)
        };
        actor.state.heaps.blocks().map(told).collect()
    }
}

/// One of the model's heaps.
struct SimulatedMalloc {
    manager: Simulator,
    id: MallocId,
}

impl HostMalloc for SimulatedMalloc {
    fn alloc(&self, size: u64, critical: CriticalLevel) -> Result<Address, Refusal> {
        let call = Call::Alloc { malloc: self.id, size, critical };
        expect_value!(self.manager.act(&call), Value::Address(base) => base)
    }

    fn debug_alloc(
        &self,
        size: u64,
        critical: CriticalLevel,
        file: &str,
        line: i32,
    ) -> Result<Address, Refusal> {
        let call = Call::DebugAlloc { malloc: self.id, size, critical, file: file.into(), line };
        let base = expect_value!(self.manager.act(&call), Value::Address(base) => base)?;
        locked(&self.manager.shared.sources).insert(base, (file.to_owned(), line));
        Ok(base)
    }

    fn free(&self, address: Address) -> Result<(), Refusal> {
        // Before the block is gone: afterwards the place may be another's.
        let mut sources = locked(&self.manager.shared.sources);
        let source = sources.remove(&address);
        let freed = self.manager.act(&Call::Free { malloc: self.id, address }).map(drop);
        if let (Err(_), Some(source)) = (&freed, source) {
            sources.insert(address, source);
        }
        freed
    }
}

/// Opens simulators.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelBackend;

impl Backend for ModelBackend {
    fn name(&self) -> &'static str {
        "model"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(InProcess::new(Simulator::open(*machine)?)))
    }
}
