//! The contract of hostmem: what a host memory manager is asked, and what it may answer.
//!
//! Everything else in the project speaks this crate: the model that knows the law, the
//! backends that act, and the command that sends both the same calls.
//!
//! Map, in reading order:
//!
//! * [`address`], [`flags`], [`error`], [`region`]: newtypes that hold every bit pattern
//!   that a caller can pass, named as in the Windows headers;
//! * [`manager`]: the traits [`HostMemoryManager`], [`HostMalloc`] and
//!   [`MemoryNotificationCallback`], one method for each of the COM interfaces' methods;
//! * [`access`]: what programs do with memory besides: touch it, and watch it;
//! * [`call`], [`outcome`]: the traits turned into data, [`Call`] and [`Outcome`];
//! * [`subject`]: anything that answers calls, its [`Description`] and its capabilities;
//! * [`dispatch`]: the only place where a [`Call`] becomes a method call;
//! * [`scenario`]: the `hostmem/1` file format, the only written form of a call.
//!
//! Deliberately not here: what a right answer is (`hostmem-model`), any way to obtain real
//! memory (`hostmem-backends`), and any I/O.

pub mod access;
pub mod address;
pub mod call;
pub mod dispatch;
pub mod error;
pub mod flags;
pub mod foresight;
pub mod manager;
pub mod needs;
pub mod outcome;
pub mod region;
pub mod scenario;
pub mod subject;

pub use access::{AccessKind, ExecuteError, Fault, MemoryAccess, WatchAnswer, WriteWatch};
pub use address::Address;
pub use call::{Call, Data, MallocId, OutPointer, WatchPointers};
pub use dispatch::{Host, InProcess, ManagerOnly};
pub use error::{Hresult, NtStatus, Refusal, Win32Error};
pub use flags::{
    AllocationType, CriticalLevel, FreeType, MallocType, MemoryAvailable, Protection, RegionState,
    RegionType, WatchFlags,
};
pub use foresight::{Foreseen, Spot};
pub use manager::{
    HostMalloc, HostMemoryManager, MemoryLoad, MemoryLoadControl, MemoryNotificationCallback,
};
pub use outcome::{Outcome, Value};
pub use region::{MemoryBasicInformation, QueryAnswer};
pub use subject::{
    AheadOfCase, Backend, Breakage, Capabilities, Capability, Description, Grain, Machine,
    OpenError, Planted, Reply, Subject,
};
