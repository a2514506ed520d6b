//! Anything that answers calls: a manager of ours, an operating system, another process.
//!
//! A [`Backend`] opens a fresh [`Subject`] for each case. A subject's [`Reply`] is exactly
//! one of four: an outcome (a refusal and a fault are outcomes), *unsupported*, *broken*
//! (the subject or its transport died, hung or lied: a result of its own), or *unreadable*
//! (the case asks for something that no backend may do).
//!
//! Deliberately not here: the verdict on a reply (`hostmem-model`), and the list of known
//! backends (`hostmem`).

use std::fmt;

use crate::{Call, Foreseen, MemoryAvailable, Outcome};

/// The machine that a subject shows: its units and its limits, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Page size, a power of two.
    pub page: u64,
    /// Allocation granularity, a power of two and a multiple of the page.
    pub granularity: u64,
    /// Lowest address of user space (`lpMinimumApplicationAddress`).
    pub lowest: u64,
    /// Highest address of user space (`lpMaximumApplicationAddress`), inclusive.
    pub highest: u64,
    /// Physical memory, where it is known.
    pub physical: Option<u64>,
    /// How much can be committed at once, where it is known.
    pub commit_limit: Option<u64>,
}

impl Machine {
    /// 64-bit Windows (K-01): pages of 4 KiB, granularity 64 KiB, user space from 0x10000 to
    /// 0x7FFFFFFEFFFF; no stated limits.
    pub const WINDOWS_X64: Self = Self {
        page: 0x1000,
        granularity: 0x1_0000,
        lowest: 0x1_0000,
        highest: 0x7FFF_FFFE_FFFF,
        physical: None,
        commit_limit: None,
    };

    /// The first address behind user space.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.highest + 1
    }

    /// What of another machine is not as here, with both values; a limit that is not stated here
    /// may be any.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let fields = [
            ("page", Some(self.page), Some(other.page)),
            ("granularity", Some(self.granularity), Some(other.granularity)),
            ("lowest address", Some(self.lowest), Some(other.lowest)),
            ("highest address", Some(self.highest), Some(other.highest)),
            ("physical memory", self.physical, other.physical),
            ("commit limit", self.commit_limit, other.commit_limit),
        ];
        let differs =
            |(_, here, there): &(&str, Option<u64>, Option<u64>)| here.is_some() && here != there;
        let (name, here, there) = fields.into_iter().find(differs)?;
        let shown = |size: Option<u64>| size.map_or("not told".to_owned(), |it| format!("{it:#x}"));
        Some(format!("its {name} is {}, and {} was asked for", shown(there), shown(here)))
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::WINDOWS_X64
    }
}

/// Something that a subject may or may not be able to do beyond the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Capability {
    /// Memory can be read and written.
    Contents,
    /// An access that faults is reported, not fatal.
    Faults,
    /// Code can be run.
    Execute,
    /// `PAGE_GUARD` works.
    GuardPages,
    /// `MEM_WRITE_WATCH` and its functions work.
    WriteWatch,
    /// Null and short buffers can be passed.
    Buffers,
    /// `CreateMalloc` and its heaps.
    Malloc,
    /// `GetMemoryLoad`.
    MemoryLoad,
    /// The memory load can be set.
    MemoryLoadControl,
    /// Memory notifications are delivered.
    Notifications,
    /// `Needs-`, `Acquired-` and `ReleasedVirtualAddressSpace`.
    AddressSpaceNotices,
    /// `MEM_TOP_DOWN`.
    TopDown,
    /// `MEM_RESET` and `MEM_RESET_UNDO`.
    Reset,
    /// `PAGE_NOCACHE` and `PAGE_WRITECOMBINE`.
    Nocache,
    /// `VirtualQuery`.
    Query,
    /// Nothing but the case allocates in the subject's address space, so the sizes of free
    /// regions between its allocations are exact.
    PrivateArena,
}

impl Capability {
    /// Every capability with its name in scenario files, in the order of the format.
    pub const ALL: [(&'static str, Self); 16] = [
        ("contents", Self::Contents),
        ("faults", Self::Faults),
        ("execute", Self::Execute),
        ("guard-pages", Self::GuardPages),
        ("write-watch", Self::WriteWatch),
        ("buffers", Self::Buffers),
        ("malloc", Self::Malloc),
        ("memory-load", Self::MemoryLoad),
        ("memory-load-control", Self::MemoryLoadControl),
        ("notifications", Self::Notifications),
        ("address-space-notices", Self::AddressSpaceNotices),
        ("top-down", Self::TopDown),
        ("reset", Self::Reset),
        ("nocache", Self::Nocache),
        ("query", Self::Query),
        ("private-arena", Self::PrivateArena),
    ];

    /// The capability of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, capability)| capability)
    }

    /// Its name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every one that there is.
    pub const ALL: Self = Self(0xFFFF);

    /// With one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    /// With one less.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability as u32))
    }

    /// With all of another set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u32) != 0
    }

    /// The first one of `self` that `have` lacks, in the order of the format.
    #[must_use]
    pub fn missing_from(self, have: Self) -> Option<Capability> {
        Self(self.0 & !have.0).iter().next()
    }

    /// Those in the set, in the order of the format.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().map(|(_, one)| one).filter(move |&one| self.has(one))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        iter.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The finest way in which a subject says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// It reports Win32 error codes.
    Win32,
    /// It reports HRESULTs only.
    Hresult,
    /// It only says yes or no.
    YesNo,
}

impl Grain {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Win32 => "win32",
            Self::Hresult => "hresult",
            Self::YesNo => "yes-no",
        }
    }
}

/// What a subject says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name in reports.
    pub name: String,
    /// Its version, empty if it has none.
    pub version: String,
    /// Its units and limits.
    pub machine: Machine,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How it says no.
    pub grain: Grain,
    /// Why capabilities are absent, where there is something to say: (capability, reason).
    pub absent: Vec<(Capability, String)>,
}

impl Description {
    /// A subject of that name with the units of 64-bit Windows that reports Win32 codes and,
    /// so far, can do nothing beyond `VirtualAlloc`, `VirtualFree` and `VirtualProtect`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: String::new(),
            machine: Machine::WINDOWS_X64,
            capabilities: Capabilities::NONE,
            grain: Grain::Win32,
            absent: Vec::new(),
        }
    }

    /// It can do that too.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        Self { capabilities: self.capabilities.with(capability), ..self }
    }

    /// It cannot do that, and reports of what is skipped tell why.
    #[must_use]
    pub fn without(mut self, capability: Capability, why: &str) -> Self {
        self.capabilities = self.capabilities.without(capability);
        self.absent.push((capability, why.to_owned()));
        self
    }

    /// What it is, in one phrase: its name, and its version if it has one.
    #[must_use]
    pub fn implementation(&self) -> String {
        format!("{} {}", self.name, self.version).trim_end().to_owned()
    }
}

/// How a subject broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// It died: a signal, an exit, a crash.
    Died(String),
    /// It said itself that it broke, and lives.
    Reported(String),
    /// It did not answer in time.
    Hung(String),
    /// It answered what no answer to that call can be.
    Lied(String),
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(how) => write!(f, "died: {how}"),
            Self::Reported(how) => write!(f, "reported that it broke: {how}"),
            Self::Hung(how) => write!(f, "hung: {how}"),
            Self::Lied(how) => write!(f, "gave no sensible answer: {how}"),
        }
    }
}

/// Why calls that were carried out ahead of the case do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AheadOfCase {
    /// The case asked something else than was foreseen, or something that is unsupported.
    Unforeseen(String),
    /// The subject broke at one of them.
    Broken(Breakage),
}

/// What a subject answers to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It did something, or refused to.
    Outcome {
        /// What came of it.
        outcome: Outcome,
        /// The notifications delivered during the call, in order.
        notified: Vec<MemoryAvailable>,
    },
    /// It cannot do that at all; the reason.
    Unsupported(String),
    /// It, or the way to it, broke.
    Broken(Breakage),
    /// The case asks for what no backend may do (running a byte that is not `c3`).
    Unreadable(String),
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome { outcome, notified: Vec::new() }
    }
}

/// One fresh address space that answers calls. Callable from any thread.
pub trait Subject: Send + Sync {
    /// What it says of itself.
    fn description(&self) -> &Description;

    /// Carries out one call.
    fn call(&self, call: &Call) -> Reply;

    /// Whether calls that may overlap are to be made one at a time, in the order of the case:
    /// a simulation has nothing to overlap, and its answers must not depend on which thread
    /// of the harness comes first.
    fn one_at_a_time(&self) -> bool {
        false
    }

    /// The calling thread is going to make calls, and begins before the case does: whatever the
    /// subject needs for a thread must not come to lie where the case has just seen a hole.
    fn begin_thread(&self) {}

    /// Compares what the subject tells with what it can find out by other means, for example
    /// with the kernel's own view.
    ///
    /// # Errors
    /// What does not agree.
    fn checkpoint(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it is worth telling it which calls come next: it is slow to reach, and has
    /// answered whatever it was told of before.
    fn looks_ahead(&self) -> bool {
        false
    }

    /// Tells it which calls come next, in this order. It may carry them out at once.
    fn foresee(&self, _calls: &[Foreseen]) {}

    /// What went wrong among calls that it carried out ahead, if anything did: the case has to
    /// be run again call by call, to learn at which of them.
    fn went_wrong_ahead(&self) -> Option<AheadOfCase> {
        None
    }

    /// The heap blocks that are not freed, a line each, with the file and line of
    /// `DebugAlloc`. Without addresses, so that equal runs tell the same.
    fn leaks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Releases everything that the subject consists of; it answers nothing afterwards.
    ///
    /// # Errors
    /// How it broke in that, or what was not gone then, though nobody holds it any more.
    fn close(&self) -> Result<(), Breakage> {
        Ok(())
    }
}

/// Why a subject could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// This machine lacks what the backend needs.
    #[error("{0}")]
    Unavailable(String),
    /// The backend cannot show the machine that the case asks for.
    #[error("machine: {0}")]
    Machine(String),
    /// The subject broke while it was opened.
    #[error("{0}")]
    Broken(Breakage),
}

/// A maker of subjects.
pub trait Backend: Send + Sync {
    /// The name by which it was asked for.
    fn name(&self) -> &str;

    /// Opens a fresh subject that shows `machine`.
    ///
    /// # Errors
    /// Why there is none.
    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError>;

    /// What is wrong with its subjects on purpose; `None` of every honest backend. A campaign
    /// that finds nothing of it proves nothing of any other backend either.
    fn planted(&self) -> Option<Planted> {
        None
    }
}

/// A fault that was put into a backend to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// What is wrong, in one sentence.
    pub sentence: &'static str,
    /// The ids of the rules by which it is found out, its own first.
    pub rules: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_found_under_its_name_and_number() {
        for (at, (name, capability)) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(Capability::named(name), Some(capability));
            assert_eq!((capability.name(), capability as usize), (name, at));
            assert!(Capabilities::ALL.has(capability));
        }
        assert_eq!(Capability::named("teleport"), None);
    }

    #[test]
    fn the_first_missing_capability_is_named() {
        let need = Capabilities::from_iter([Capability::Reset, Capability::Faults]);
        let have = Capabilities::NONE.with(Capability::Reset);
        assert_eq!(need.missing_from(have), Some(Capability::Faults));
        assert_eq!(need.missing_from(Capabilities::ALL), None);
    }
}
