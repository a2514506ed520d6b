//! Writes the steps of one intent: calls with places relative to bound names, and names for
//! what they return.
//!
//! A step that may make something binds the next free number, counted through the steps of
//! the same script. Where a step is refused its name is not bound, and the steps behind it
//! that were written for it mean nothing any more: whoever carries a script out drops the
//! rest of it then.
//!
//! Deliberately not here: what to write ([`crate::intent`], [`crate::workload`]).

use std::sync::Arc;

use hostmem_interface::scenario::{Action, Name, Place, Step, SymbolicCall};
use hostmem_interface::{
    Address, AllocationType, Call, CriticalLevel, Data, FreeType, Hresult, MallocType,
    MemoryBasicInformation, OutPointer, Protection, WatchFlags, WatchPointers,
};
use hostmem_model::effect::Effect;
use hostmem_model::rules::decide;

use crate::view::{Binding, View};

/// Steps in the making.
#[derive(Debug)]
pub struct Script<'v> {
    view: View<'v>,
    names: u32,
    steps: Vec<Step>,
    /// The critical level of the calls that follow.
    pub level: CriticalLevel,
}

impl<'v> Script<'v> {
    /// An empty script for a case in this state.
    #[must_use]
    pub fn new(view: &View<'v>) -> Self {
        let names = u32::try_from(view.bound.len()).expect("at most one name a step");
        Self { view: *view, names, steps: Vec::new(), level: CriticalLevel::TASK }
    }

    /// The state that the first step finds.
    #[must_use]
    pub const fn view(&self) -> &View<'v> {
        &self.view
    }

    /// The steps.
    #[must_use]
    pub fn steps(self) -> Vec<Step> {
        self.steps
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A step that binds nothing.
    pub fn act(&mut self, action: Action) {
        self.steps.push(Step::new(action));
    }

    /// A call that binds nothing.
    pub fn call(&mut self, call: SymbolicCall) {
        self.act(Action::Call(call));
    }

    /// A step that binds a name.
    pub fn bind(&mut self, action: Action) -> Name {
        let name = Name(self.names);
        self.names += 1;
        self.steps.push(Step { bind: Some(name), ..Step::new(action) });
        name
    }

    /// `VirtualAlloc`, which binds a name if it may make an allocation.
    pub fn alloc(
        &mut self,
        address: Place,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) -> Option<Name> {
        let call = Call::VirtualAlloc { address, size, kind, protect, critical: self.level };
        if self.may_reserve(&call) {
            return Some(self.bind(Action::Call(call)));
        }
        self.call(call);
        None
    }

    /// A reservation at an address that the manager chooses.
    pub fn reserve(&mut self, size: u64, kind: AllocationType, protect: Protection) -> Name {
        let critical = self.level;
        let address = Place::NULL;
        self.bind(Action::Call(Call::VirtualAlloc { address, size, kind, protect, critical }))
    }

    /// A place for an explicit reservation.
    pub fn hole(&mut self, size: u64) -> Name {
        self.bind(Action::Hole { size })
    }

    /// `VirtualAlloc` with `MEM_COMMIT` in an allocation.
    pub fn commit(&mut self, address: Place, size: u64, protect: Protection) {
        let (kind, critical) = (AllocationType::COMMIT, self.level);
        self.call(Call::VirtualAlloc { address, size, kind, protect, critical });
    }

    /// `VirtualAlloc` with `MEM_RESET`.
    pub fn reset(&mut self, address: Place, size: u64) {
        let (kind, critical) = (AllocationType::RESET, self.level);
        let protect = Protection::READWRITE;
        self.call(Call::VirtualAlloc { address, size, kind, protect, critical });
    }

    /// `VirtualFree` with `MEM_DECOMMIT`.
    pub fn decommit(&mut self, address: Place, size: u64) {
        self.call(Call::VirtualFree { address, size, kind: FreeType::DECOMMIT });
    }

    /// `VirtualFree` with `MEM_RELEASE`.
    pub fn release(&mut self, address: Place) {
        self.call(Call::VirtualFree { address, size: 0, kind: FreeType::RELEASE });
    }

    /// `VirtualProtect`.
    pub fn protect(&mut self, address: Place, size: u64, protect: Protection) {
        self.call(Call::VirtualProtect { address, size, protect, old: OutPointer::Valid });
    }

    /// `VirtualQuery` with a buffer of the right size.
    pub fn query(&mut self, address: Place) {
        let length = MemoryBasicInformation::SIZE;
        self.call(Call::VirtualQuery { address, buffer: OutPointer::Valid, length });
    }

    /// A read.
    pub fn read(&mut self, address: Place, size: u64) {
        self.call(Call::Read { address, size });
    }

    /// A write of some bytes.
    pub fn write(&mut self, address: Place, bytes: &[u8]) {
        self.call(Call::Write { address, data: Data::Bytes(Arc::from(bytes)) });
    }

    /// `GetWriteWatch` as the runtime calls it: no flags, all pointers valid.
    pub fn get_watch(&mut self, address: Place, size: u64, capacity: u64) {
        let (flags, null) = (WatchFlags(0), WatchPointers::default());
        self.call(Call::GetWriteWatch { address, size, flags, capacity, null });
    }

    /// `ResetWriteWatch`.
    pub fn reset_watch(&mut self, address: Place, size: u64) {
        self.call(Call::ResetWriteWatch { address, size });
    }

    /// `CreateMalloc`.
    pub fn create_malloc(&mut self, kind: MallocType) -> Name {
        self.bind(Action::Call(Call::CreateMalloc { kind }))
    }

    /// `IHostMalloc::Alloc`.
    pub fn heap_alloc(&mut self, malloc: Name, size: u64) -> Name {
        self.bind(Action::Call(Call::Alloc { malloc, size, critical: self.level }))
    }

    /// `IHostMalloc::Free`.
    pub fn heap_free(&mut self, malloc: Name, address: Place) {
        self.call(Call::Free { malloc, address });
    }

    /// The next `count` allocations up to a level are refused for lack of memory.
    pub fn fail_next(&mut self, method: &str, count: u64, at_most: Option<CriticalLevel>) {
        self.act(Action::FailNext {
            method: Arc::from(method),
            count,
            hresult: Hresult::E_OUTOFMEMORY,
            critical_at_most: at_most,
        });
    }

    /// An address of the case as a scenario writes it: relative to the live allocation or
    /// block that holds it, or else to whatever was there.
    #[must_use]
    pub fn place(&self, at: Address) -> Place {
        let state = self.view.state;
        let owner = match state.space.find(at) {
            Some(allocation) => Some(allocation.base()),
            None => state.heaps.holding(at).map(|(base, _)| base),
        };
        match owner.and_then(|base| newest_named(&self.view, base)) {
            Some((name, base)) => Place::Relative { name, offset: at.0 - base.0 },
            None => self.view.place(at),
        }
    }

    /// Where a place lies, if that is known already.
    #[must_use]
    pub fn address(&self, place: Place) -> Option<Address> {
        match place {
            Place::Absolute(address) => Some(address),
            Place::Relative { name, offset } => match self.view.bound.get(name.0 as usize) {
                Some(Binding::Range { base, .. }) => Some(base.wrapping_add(offset)),
                _ => None,
            },
        }
    }

    /// Whether the law permits that a call makes an allocation. A hole that is only about to
    /// be found is taken to be the lowest one there is.
    fn may_reserve(&self, call: &SymbolicCall) -> bool {
        let space = &self.view.state.space;
        let Call::VirtualAlloc { size, .. } = call else { return false };
        let somewhere = |offset: u64| {
            let hole = offset.checked_add(*size).and_then(|need| space.lowest_hole(need.max(1)));
            hole.or_else(|| space.lowest_hole(1)).map(|hole| hole.wrapping_add(offset)).ok_or(())
        };
        let place = |place: &Place| match (self.address(*place), *place) {
            (Some(address), _) => Ok(address),
            (None, Place::Relative { offset, .. }) => somewhere(offset),
            (None, Place::Absolute(_)) => Err(()),
        };
        let Ok(call) = call.resolve(place, |_| Err(())) else { return false };
        let reserves = |effect: &Effect| matches!(effect, Effect::Reserve { .. });
        decide(self.view.state, &call).readings().any(|reading| reserves(&reading.effect))
    }
}

/// The newest name of what begins at `base`.
fn newest_named(view: &View<'_>, base: Address) -> Option<(Name, Address)> {
    let at = view.bound.iter().rposition(
        |binding| matches!(binding, Binding::Range { base: known, .. } if *known == base),
    )?;
    u32::try_from(at).ok().map(|number| (Name(number), base))
}
