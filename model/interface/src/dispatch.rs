//! The only place where a [`Call`] becomes a method call.
//!
//! [`InProcess`] makes a [`Subject`] of any manager in this process: it keeps the heaps by
//! their number, collects notifications, and splits long accesses into single ones, so that
//! every manager is asked in exactly the same way.
//!
//! Deliberately not here: any judgement. What the manager says is handed on as it is.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Address, Call, Data, Description, ExecuteError, Fault, HostMalloc, HostMemoryManager, MallocId,
    MemoryAccess, MemoryAvailable, MemoryLoad, MemoryLoadControl, MemoryNotificationCallback,
    Outcome, Refusal, Reply, Subject, Value, Win32Error, WriteWatch,
};

/// A manager in this process with everything that it can do besides.
pub trait Host: Send + Sync {
    /// What it says of itself.
    fn description(&self) -> &Description;

    /// As [`Subject::one_at_a_time`].
    fn one_at_a_time(&self) -> bool {
        false
    }

    /// The manager.
    fn memory(&self) -> &dyn HostMemoryManager;

    /// Its memory, if it can be touched.
    fn access(&self) -> Option<&dyn MemoryAccess> {
        None
    }

    /// Its write watch, if it has one.
    fn watch(&self) -> Option<&dyn WriteWatch> {
        None
    }

    /// Its simulated machine, if it has one.
    fn load_control(&self) -> Option<&dyn MemoryLoadControl> {
        None
    }

    /// See [`Subject::checkpoint`].
    ///
    /// # Errors
    /// What does not agree.
    fn checkpoint(&self) -> Result<(), String> {
        Ok(())
    }

    /// See [`Subject::leaks`].
    fn leaks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A manager and what it says of itself, with nothing besides: its memory is not touched.
#[derive(Clone, Debug)]
pub struct ManagerOnly<M> {
    manager: M,
    description: Description,
}

impl<M: HostMemoryManager> ManagerOnly<M> {
    /// What is missing from the capabilities of `description` is never asked for.
    pub const fn new(manager: M, description: Description) -> Self {
        Self { manager, description }
    }
}

impl<M: HostMemoryManager> Host for ManagerOnly<M> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        &self.manager
    }
}

/// A [`Host`] as a [`Subject`].
pub struct InProcess<H> {
    /// Before the host: heaps go first.
    mallocs: Mutex<Vec<Arc<dyn HostMalloc>>>,
    host: H,
    inbox: Arc<Inbox>,
}

impl<H: Host> std::fmt::Debug for InProcess<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("host", &self.host.description().name).finish()
    }
}

/// Notifications that were delivered and not yet reported.
#[derive(Default)]
struct Inbox(Mutex<Vec<MemoryAvailable>>);

impl MemoryNotificationCallback for Inbox {
    fn on_memory_notification(&self, available: MemoryAvailable) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(available);
    }
}

impl<H: Host> InProcess<H> {
    /// Wraps a manager.
    pub fn new(host: H) -> Self {
        Self { host, mallocs: Mutex::default(), inbox: Arc::default() }
    }

    /// The manager.
    pub fn host(&self) -> &H {
        &self.host
    }

    fn malloc(&self, id: MallocId) -> Option<Arc<dyn HostMalloc>> {
        let mallocs = self.mallocs.lock().unwrap_or_else(PoisonError::into_inner);
        mallocs.get(id.0 as usize).cloned()
    }

    fn on_malloc(
        &self,
        id: MallocId,
        act: impl FnOnce(&dyn HostMalloc) -> Result<Value, Refusal>,
    ) -> Reply {
        match self.malloc(id) {
            Some(malloc) => answer(act(&*malloc)),
            None => Reply::Unreadable(format!("heap {} was never created", id.0)),
        }
    }

    fn create_malloc(&self, kind: crate::MallocType) -> Reply {
        answer(self.host.memory().create_malloc(kind).map(|malloc| {
            let mut mallocs = self.mallocs.lock().unwrap_or_else(PoisonError::into_inner);
            let id = u32::try_from(mallocs.len()).expect("fewer than 2^32 heaps in a case");
            mallocs.push(malloc);
            Value::Malloc(MallocId(id))
        }))
    }

    fn with_access(&self, act: impl FnOnce(&dyn MemoryAccess) -> Reply) -> Reply {
        match self.host.access() {
            Some(access) => act(access),
            None => Reply::Unsupported("its memory cannot be touched".to_owned()),
        }
    }

    fn with_watch(&self, act: impl FnOnce(&dyn WriteWatch) -> Result<Value, Refusal>) -> Reply {
        match self.host.watch() {
            Some(watch) => answer(act(watch)),
            None => Reply::Unsupported("it has no write watch".to_owned()),
        }
    }

    fn memory_call(&self, call: &Call) -> Reply {
        let memory = self.host.memory();
        match call {
            Call::VirtualAlloc { address, size, kind, protect, critical } => answer(
                memory
                    .virtual_alloc(*address, *size, *kind, *protect, *critical)
                    .map(Value::Address),
            ),
            Call::VirtualFree { address, size, kind } => {
                nothing(memory.virtual_free(*address, *size, *kind))
            }
            Call::VirtualQuery { address, buffer, length } => {
                answer(memory.virtual_query(*address, *buffer, *length).map(Value::Region))
            }
            Call::VirtualProtect { address, size, protect, old } => {
                answer(memory.virtual_protect(*address, *size, *protect, *old).map(Value::Old))
            }
            Call::GetMemoryLoad => answer(memory.get_memory_load().map(Value::Load)),
            Call::RegisterMemoryNotificationCallback => {
                let inbox = Arc::clone(&self.inbox);
                nothing(memory.register_memory_notification_callback(inbox))
            }
            Call::NeedsVirtualAddressSpace { address, size } => {
                nothing(memory.needs_virtual_address_space(*address, *size))
            }
            Call::AcquiredVirtualAddressSpace { address, size } => {
                nothing(memory.acquired_virtual_address_space(*address, *size))
            }
            Call::ReleasedVirtualAddressSpace { address } => {
                nothing(memory.released_virtual_address_space(*address))
            }
            Call::CreateMalloc { kind } => self.create_malloc(*kind),
            _ => self.other_call(call),
        }
    }

    fn other_call(&self, call: &Call) -> Reply {
        match call {
            Call::Alloc { malloc, size, critical } => {
                self.on_malloc(*malloc, |heap| heap.alloc(*size, *critical).map(Value::Address))
            }
            Call::DebugAlloc { malloc, size, critical, file, line } => self
                .on_malloc(*malloc, |heap| {
                    heap.debug_alloc(*size, *critical, file, *line).map(Value::Address)
                }),
            Call::Free { malloc, address } => {
                self.on_malloc(*malloc, |heap| heap.free(*address).map(|()| Value::Nothing))
            }
            Call::Read { address, size } => self.with_access(|access| {
                let page = self.host.description().machine.page;
                match read(access, page, *address, *size) {
                    Ok(bytes) => Outcome::done(Value::Bytes(bytes)).into(),
                    Err(fault) => Outcome::Faulted(fault).into(),
                }
            }),
            Call::Write { address, data } => self.with_access(|access| {
                let page = self.host.description().machine.page;
                match write(access, page, *address, data) {
                    Ok(()) => Outcome::ok().into(),
                    Err(fault) => Outcome::Faulted(fault).into(),
                }
            }),
            Call::Execute { address } => self.with_access(|access| execute(access, *address)),
            Call::GetWriteWatch { address, size, flags, capacity, null } => {
                self.with_watch(|watch| {
                    watch.get_write_watch(*address, *size, *flags, *capacity, *null).map(|answer| {
                        Value::Pages { pages: answer.pages, granularity: answer.granularity }
                    })
                })
            }
            Call::ResetWriteWatch { address, size } => self.with_watch(|watch| {
                watch.reset_write_watch(*address, *size).map(|()| Value::Nothing)
            }),
            Call::SetMemoryLoad { load, available } => match self.host.load_control() {
                Some(control) => nothing(
                    control.set_memory_load(MemoryLoad { load: *load, available: *available }),
                ),
                None => Reply::Unsupported("its memory load cannot be set".to_owned()),
            },
            _ => Reply::Unreadable(format!("{} is no call of a manager", call.name())),
        }
    }
}

impl<H: Host> Subject for InProcess<H> {
    fn description(&self) -> &Description {
        self.host.description()
    }

    fn call(&self, call: &Call) -> Reply {
        let mut reply = self.memory_call(call);
        if let Reply::Outcome { notified, .. } = &mut reply {
            let mut inbox = self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner);
            *notified = mem::take(&mut inbox);
        }
        reply
    }

    fn one_at_a_time(&self) -> bool {
        self.host.one_at_a_time()
    }

    fn checkpoint(&self) -> Result<(), String> {
        self.host.checkpoint()
    }

    fn leaks(&self) -> Vec<String> {
        self.host.leaks()
    }
}

fn answer(result: Result<Value, Refusal>) -> Reply {
    match result {
        Ok(value) => Outcome::done(value).into(),
        Err(refusal) => Outcome::Refused(refusal).into(),
    }
}

fn nothing(result: Result<(), Refusal>) -> Reply {
    answer(result.map(|()| Value::Nothing))
}

/// The single accesses that a long one is made of: (offset, bytes), ascending.
///
/// 1, 2, 4 and 8 bytes are one access, whatever they straddle; anything else is done page by
/// page (scenario format, "Values").
pub fn pieces(page: u64, address: Address, size: u64) -> impl Iterator<Item = (u64, u64)> {
    let whole = matches!(size, 1 | 2 | 4 | 8);
    let mut offset = 0;
    std::iter::from_fn(move || {
        if offset == size {
            return None;
        }
        let at = address.wrapping_add(offset).0;
        let length = if whole { size } else { (page - at % page).min(size - offset) };
        offset += length;
        Some((offset - length, length))
    })
}

fn read(
    access: &dyn MemoryAccess,
    page: u64,
    address: Address,
    size: u64,
) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; usize::try_from(size).expect("reads are limited to 64 MiB")];
    let mut rest = &mut bytes[..];
    for (offset, length) in pieces(page, address, size) {
        let (piece, behind) =
            rest.split_at_mut(usize::try_from(length).expect("shorter than the read"));
        access.read(address.wrapping_add(offset), piece)?;
        rest = behind;
    }
    Ok(bytes)
}

fn write(access: &dyn MemoryAccess, page: u64, address: Address, data: &Data) -> Result<(), Fault> {
    let mut buffer = Vec::new();
    for (offset, length) in pieces(page, address, data.size()) {
        buffer.resize(usize::try_from(length).expect("at most a page"), 0);
        data.copy_to(offset, &mut buffer);
        access.write(address.wrapping_add(offset), &buffer)?;
    }
    Ok(())
}

fn execute(access: &dyn MemoryAccess, address: Address) -> Reply {
    match access.execute(address) {
        Ok(()) => Outcome::ok().into(),
        Err(ExecuteError::Fault(fault)) => Outcome::Faulted(fault).into(),
        Err(ExecuteError::NotReturn(byte)) => Reply::Unreadable(not_return(address, byte)),
    }
}

/// The complaint about code that is not a lone `ret`.
#[must_use]
pub fn not_return(address: Address, byte: u8) -> String {
    format!("Execute at {address}: the byte there is {byte:02x}, and only c3 (ret) is ever run")
}

/// How hostmem's own managers tell of a block that is not freed.
#[must_use]
pub fn leak(heap: u64, size: u64, source: Option<(&str, i32)>) -> String {
    let from = match source {
        Some((file, line)) => format!("{file}:{line}"),
        None => "an unnamed place".to_owned(),
    };
    format!("heap {heap}: {size} bytes from {from}")
}

/// The refusal of a heap asked for with unknown bits, shared by hostmem's own managers.
#[must_use]
pub fn unknown_malloc_type() -> Refusal {
    Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER)
}
