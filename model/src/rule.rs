//! The table of contents of the law: every rule with its id, level, sentence and source.
//!
//! One row a rule, nothing else. The place that decides by a rule names it as a constant
//! (`VA_13` for `VA-13`), so a rule that nothing mentions is a warning of the compiler, and
//! tests hold the table against the scenarios.
//!
//! Levels follow the evidence: *must* for a test that runs on Windows or explicit
//! documentation, *should* for one sentence of documentation or the implementation of a
//! clone, *may* for knowledge and inference. A source in short form:
//!
//! * `Wine tests` are Wine 8.0's own tests, which are meant to pass on Windows, by file and
//!   function; `ReactOS tests` likewise;
//! * `ReactOS` alone is its kernel: an implementation, not a test;
//! * `MS` is Microsoft's documentation, by page; `mscoree.idl` and `hosting docs` the hosting
//!   interface's; `CLR source` what the runtime does with an answer.
//!
//! Deliberately not here: the decisions themselves ([`crate::rules`]).

use std::fmt;

use hostmem_interface::scenario::Level;

/// How a rule is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A step of a scenario is decided by it.
    Decided,
    /// It is about state: a step observes it, in a scenario that names it.
    Observed,
    /// Only a subject that answers wrongly meets it: the tests of the judge show how.
    Judged,
    /// Not in scope; why.
    Out(&'static str),
}

/// A rule of the law.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its id, for ever the same.
    pub id: &'static str,
    /// How strong the evidence is.
    pub level: Level,
    /// The rule in one sentence.
    pub sentence: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// How it is proven.
    pub proof: Proof,
}

/// A rule, as an index into [`RULES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u16);

impl RuleId {
    /// Its row.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        &RULES[self.0 as usize]
    }

    /// Its number in [`RULES`], for tables of counts.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The rule of that id.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        let at = RULES.iter().position(|rule| rule.id == id)?;
        u16::try_from(at).ok().map(Self)
    }

    /// Every rule, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..RULES.len()).filter_map(|at| u16::try_from(at).ok()).map(Self)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().id)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().id)
    }
}

/// Declares the rows and a constant for each.
macro_rules! law {
    ($($name:ident $id:literal $level:ident $proof:expr, $sentence:literal, $source:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms,
                reason = "the names are the ids of the rules")]
        enum Row { $($name),* }

        $(
            #[doc = concat!("`", $id, "`: ", $sentence)]
            pub const $name: RuleId = RuleId(Row::$name as u16);
        )*

        /// Every rule, in the order of the law.
        pub const RULES: &[Rule] = &[$(Rule {
            id: $id,
            level: Level::$level,
            sentence: $sentence,
            source: $source,
            proof: $proof,
        }),*];
    };
}

use Proof::{Decided, Judged, Observed, Out};

const NT_ONLY: Proof = Out("only the Nt calls can reach it, VirtualAlloc and VirtualFree cannot");

law! {
    // The state.
    SM_01 "SM-01" Must Observed,
        "An allocation has a base, a size in whole pages (not granules), an AllocationProtect and flags.",
        "Wine tests, virtual.c test_VirtualAlloc; ReactOS tests, NtAllocateVirtualMemory CheckSize";
    SM_02 "SM-02" Must Observed,
        "Each page of an allocation is reserved, or committed with a protection of its own that a decommit forgets.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualFree";
    SM_03 "SM-03" Must Observed,
        "Two allocations never merge, and a range operation must lie inside one of them.",
        "MS VirtualProtect; ReactOS tests, CheckAdjacentVADs";
    SM_04 "SM-04" Must Observed,
        "A call that fails has changed no page.",
        "MS VirtualAlloc, VirtualProtect";
    SM_05 "SM-05" Must Observed,
        "A range touches every page that holds at least one of its bytes.",
        "MS VirtualAlloc, VirtualFree, VirtualProtect; Wine tests, ntdll virtual.c";

    // VirtualAlloc: order of checks.
    VA_01 "VA-01" Must Decided,
        "An allocation type with unknown bits, or without any of COMMIT, RESERVE, RESET and RESET_UNDO, is refused with 87.",
        "Wine tests, virtual.c test_VirtualAlloc; ReactOS";
    VA_02 "VA-02" Must Decided,
        "Allocation types that do not go together are refused with 87 before anything else is looked at.",
        "MS VirtualAlloc; ReactOS";
    VA_03 "VA-03" Must Decided,
        "An address below the lowest of user space (0x10000) other than null is refused with 87, whatever the type.",
        "ReactOS tests, NtAllocateVirtualMemory; ReactOS VirtualAllocEx";
    VA_04 "VA-04" Must Decided,
        "A malformed protection is refused with 87 before the range is looked up, for every type including MEM_RESET.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualAlloc";
    VA_05 "VA-05" Should Decided,
        "An address beyond user space is refused with 87.",
        "ReactOS NtAllocateVirtualMemory";
    VA_06 "VA-06" Should Decided,
        "A range that leaves user space or wraps is refused with 87.",
        "ReactOS NtAllocateVirtualMemory";
    VA_08 "VA-08" Must Decided,
        "A size of zero is refused with 87, for every type and address.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VA_07 "VA-07" Should Decided,
        "A size for which there is no hole is refused with 8.",
        "knowledge; Wine 8.0 agrees";
    VA_30 "VA-30" Must Decided,
        "PAGE_WRITECOPY and PAGE_EXECUTE_WRITECOPY are refused with 87.",
        "Wine tests, virtual.c test_VirtualProtect";
    VA_30B "VA-30b" Should Decided,
        "A copy-on-write protection wins over the conflict of a reservation, 87, and loses to the wrong range of a commit, 487.",
        "ReactOS NtAllocateVirtualMemory";
    VA_31 "VA-31" Should Decided,
        "A malformed protection wins over a free or conflicting address: 87, not 487.",
        "ReactOS NtAllocateVirtualMemory";

    // Protection values.
    PR_01 "PR-01" Must Decided,
        "A protection has exactly one base value, else it is refused with 87.",
        "Wine tests, virtual.c test_VirtualProtect";
    PR_02 "PR-02" Must Decided,
        "GUARD and NOCACHE do not go with PAGE_NOACCESS, and no modifier stands without a base value: else 87.",
        "MS Memory Protection Constants; ReactOS MiMakeProtectionMask";
    PR_02B "PR-02b" Should Decided,
        "GUARD, NOCACHE and WRITECOMBINE exclude each other, and WRITECOMBINE does not go with PAGE_NOACCESS: else 87.",
        "MS Memory Protection Constants, against MS Creating Guard Pages; ReactOS MiMakeProtectionMask";
    PR_03 "PR-03" Must Decided,
        "The copy-on-write protections are never lawful on private memory: 87.",
        "Wine tests, virtual.c test_VirtualProtect; MS";
    PR_04 "PR-04" May Out("the newer bits from 0x800 up differ between Windows versions"),
        "Protection bits from 0x800 up are refused with 87 unless this Windows defines them.",
        "ReactOS; MS";
    PR_05 "PR-05" Must Decided,
        "PAGE_NOCACHE belongs to the allocation: given when it is made, it shows in every page for ever, and VirtualProtect neither sets nor clears it.",
        "Wine tests, virtual.c test_VirtualAlloc (recent Windows; older ones keep it per page)";
    PR_06 "PR-06" May Decided,
        "PAGE_WRITECOMBINE shows in queries as PAGE_NOCACHE does.",
        "inference from PR-05";

    // VirtualAlloc: reserve.
    VA_09 "VA-09" Must Decided,
        "COMMIT with a null address reserves and commits at an address that the manager chooses.",
        "Wine tests, virtual.c test_VirtualProtect, test_VirtualAlloc";
    VA_10 "VA-10" Must Decided,
        "An explicit reservation begins at the address rounded down to 64 KiB and ends at the page end behind its last byte.",
        "ReactOS tests, NtAllocateVirtualMemory CheckSize, CheckAlignment; MS";
    VA_11 "VA-11" Must Observed,
        "RESERVE with COMMIT commits every page from the rounded base, those below the address included.",
        "ReactOS tests, NtAllocateVirtualMemory CheckAlignment";
    VA_12 "VA-12" Must Decided,
        "A reservation at a null address gets a base that is a multiple of 64 KiB and a size rounded up to whole pages.",
        "Wine tests, virtual.c test_VirtualAlloc; ReactOS tests, NtFreeVirtualMemory";
    VA_15 "VA-15" Must Decided,
        "A reservation that overlaps an allocation is refused with 487.",
        "Wine tests, ntdll virtual.c; MS VirtualAlloc";
    VA_16 "VA-16" Must Decided,
        "The rest of a 64 KiB block behind a short allocation is free, but can be neither reserved nor committed: 487.",
        "ReactOS tests, NtAllocateVirtualMemory CheckAlignment; Wine tests, ntdll virtual.c";
    VA_17 "VA-17" Must Decided,
        "An explicit reservation of free memory succeeds where it was asked for, just released memory included.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VA_18 "VA-18" Must NT_ONLY,
        "zero_bits limits the upper bits of the address that is chosen.",
        "Wine tests, ntdll virtual.c";
    VA_19 "VA-19" Must Observed,
        "A reservation shows as one reserved private region without protection, a committed one with its protection.",
        "Wine tests, virtual.c test_VirtualAlloc, test_VirtualProtect";

    // VirtualAlloc: commit.
    VA_13 "VA-13" Must Decided,
        "COMMIT inside an allocation commits the touched pages and returns the base of the first.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualAlloc";
    VA_20 "VA-20" Must Decided,
        "COMMIT at a free address is refused with 487.",
        "MS VirtualAlloc; ReactOS";
    VA_21 "VA-21" Must Decided,
        "COMMIT that runs past the end of the allocation is refused with 487, and nothing is committed.",
        "ReactOS tests, NtAllocateVirtualMemory CheckAlignment, CheckAdjacentVADs";
    VA_22 "VA-22" Must Decided,
        "COMMIT of committed pages with the protection they have succeeds and keeps their contents.",
        "Wine tests, virtual.c test_VirtualProtect; MS VirtualAlloc";
    VA_23 "VA-23" Must Decided,
        "COMMIT of committed pages with another protection succeeds and gives it to every page of the range.",
        "ReactOS tests, NtAllocateVirtualMemory CheckAlignment, CheckAdjacentVADs; Wine tests, virtual.c";
    VA_24 "VA-24" Must Decided,
        "COMMIT with PAGE_GUARD over committed pages arms their guard.",
        "Wine tests, ntdll virtual.c";
    VA_25 "VA-25" Must Observed,
        "AllocationProtect never changes after the call that reserved.",
        "Wine tests, virtual.c test_VirtualAlloc; ReactOS tests, CheckAdjacentVADs";
    VA_26 "VA-26" Must Observed,
        "Newly committed pages read as zero.",
        "ReactOS tests, TestFreeNoAccess; MS VirtualAlloc";
    VA_27 "VA-27" Should Decided,
        "A commit beyond the commit limit, which heaps may count against, is refused with 1455 (some systems say 8), and nothing is committed.",
        "knowledge; MS VirtualAlloc; Wine 8.0 says 8";

    // VirtualAlloc: reset and special types.
    VA_40 "VA-40" Must Decided,
        "MEM_RESET together with any other type is refused with 87.",
        "MS VirtualAlloc; ReactOS";
    VA_41 "VA-41" Must Decided,
        "MEM_RESET ignores its protection, which must be well formed all the same: else 87.",
        "MS VirtualAlloc; Wine tests, virtual.c test_VirtualAlloc";
    VA_42 "VA-42" Must Decided,
        "MEM_RESET of whole committed pages succeeds and leaves state and protection alone.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VA_42B "VA-42b" May Decided,
        "MEM_RESET of pages that are only reserved succeeds or is refused with 487; they stay reserved.",
        "Wine tests assert success on a partly committed allocation, a host's test saw 487 on a reserved one: both permitted";
    VA_42C "VA-42c" May Decided,
        "MEM_RESET of a range that is not page aligned succeeds or is refused with 487.",
        "a host's test saw 487 for one byte; documentation says nothing: both permitted";
    VA_42D "VA-42d" Must Decided,
        "MEM_RESET of free memory, or past the end of the allocation, is refused with 487.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VA_42E "VA-42e" Should Decided,
        "After MEM_RESET a page reads as it was or as all zero, and stays what it was once seen to be zero, written or undone.",
        "MS VirtualAlloc (\"no longer of interest\"), our reading";
    VA_43 "VA-43" Should Decided,
        "MEM_RESET_UNDO stands alone, and its success means that the contents are intact.",
        "MS VirtualAlloc (Windows 8 and later; earlier ones and Wine 8.0 refuse it with 87)";
    VA_44 "VA-44" Should Decided,
        "MEM_WRITE_WATCH without MEM_RESERVE is refused with 87; with COMMIT at a null address, which reserves, both readings are permitted.",
        "MS VirtualAlloc; ReactOS; Wine 8.0 accepts the null address";
    VA_45 "VA-45" Must Decided,
        "MEM_PHYSICAL goes with MEM_RESERVE, MEM_TOP_DOWN and PAGE_READWRITE alone: else 87.",
        "MS VirtualAlloc; ReactOS";
    VA_45B "VA-45b" Should Decided,
        "A lawful MEM_RESERVE with MEM_PHYSICAL succeeds without any privilege; its pages are never committed.",
        "MS VirtualAlloc; ReactOS";
    VA_46 "VA-46" Should Decided,
        "MEM_LARGE_PAGES needs RESERVE, COMMIT and whole large pages (87) and a privilege (1314).",
        "MS VirtualAlloc; ReactOS";
    VA_47 "VA-47" May Out("implementations reserve memory or refuse, and nothing documents it"),
        "MEM_RESET at a null address is unclear.",
        "ReactOS; Wine 8.0";
    VA_50 "VA-50" Must Decided,
        "MEM_TOP_DOWN at a null address chooses a high, 64 KiB aligned place; which one is not said.",
        "MS VirtualAlloc";
    VA_51 "VA-51" Should Decided,
        "MEM_TOP_DOWN has no effect with an explicit address or on a commit.",
        "ReactOS; Wine 8.0 agrees";

    // VirtualFree.
    VF_01 "VF-01" Must Decided,
        "MEM_RELEASE with a size other than zero is refused with 87.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualFree";
    VF_02 "VF-02" Must Decided,
        "A free type other than exactly MEM_DECOMMIT or exactly MEM_RELEASE is refused with 87.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualFree";
    VF_03 "VF-03" Should Decided,
        "A wrong free type or size wins over a wrong address.",
        "ReactOS VirtualFreeEx";
    VF_04 "VF-04" Should Decided,
        "A range that leaves user space or wraps is refused with 87.",
        "ReactOS NtFreeVirtualMemory";
    VF_05 "VF-05" Should Decided,
        "An address below the lowest of user space (0x10000) lies in no allocation: 487.",
        "ReactOS NtFreeVirtualMemory";
    VF_06 "VF-06" Must Decided,
        "An address in no allocation is refused with 487.",
        "ReactOS tests, NtAllocateVirtualMemory CheckAlignment";
    VF_07 "VF-07" Must Decided,
        "A range that ends beyond its allocation is refused with 87, not 487.",
        "ReactOS tests, NtFreeVirtualMemory, CheckAdjacentVADs";
    VF_08 "VF-08" Must Decided,
        "MEM_DECOMMIT with size zero anywhere but in the first page is refused with 487.",
        "Wine tests, ntdll virtual.c";
    VF_09 "VF-09" Must Decided,
        "MEM_RELEASE anywhere but in the first page is refused with 487.",
        "Wine tests, ntdll virtual.c";
    VF_10 "VF-10" Must Decided,
        "MEM_DECOMMIT makes the touched pages reserved.",
        "Wine tests, ntdll virtual.c";
    VF_11 "VF-11" Must Decided,
        "MEM_DECOMMIT of pages that are not committed succeeds.",
        "ReactOS tests, NtFreeVirtualMemory; MS VirtualFree";
    VF_12 "VF-12" Must Decided,
        "MEM_DECOMMIT with size zero in the first page decommits the whole allocation.",
        "Wine tests, ntdll virtual.c";
    VF_13 "VF-13" Must Observed,
        "A decommitted page is as if never committed: its protection and contents are gone.",
        "MS VirtualFree";
    VF_14 "VF-14" Must Decided,
        "MEM_RELEASE in the first page frees the whole allocation, whatever its pages are.",
        "Wine tests, ntdll virtual.c; MS VirtualFree";
    VF_15 "VF-15" Must NT_ONLY,
        "MEM_RELEASE of a part splits the allocation.",
        "ReactOS tests, NtFreeVirtualMemory";

    // VirtualProtect.
    VP_01 "VP-01" Must Decided,
        "A malformed protection is refused with 87 before any address or state is looked at.",
        "Wine tests, virtual.c test_VirtualAlloc; ReactOS";
    VP_02 "VP-02" Must Decided,
        "A null old-protection pointer is refused with 998, and nothing changes.",
        "Wine tests, virtual.c test_VirtualProtect";
    VP_03 "VP-03" Should Decided,
        "A null old-protection pointer wins over a wrong address, range, size or state.",
        "ReactOS NtProtectVirtualMemory";
    VP_04 "VP-04" Should Decided,
        "A range that leaves user space or wraps is refused with 87.",
        "ReactOS NtProtectVirtualMemory";
    VP_05 "VP-05" Must Decided,
        "A size of zero is refused with 87.",
        "ReactOS; seen on Windows";
    VP_05B "VP-05b" Must Decided,
        "A wrong combination of modifiers is refused with 87.",
        "ReactOS; MS Memory Protection Constants";
    VP_06 "VP-06" Should Decided,
        "An address in no allocation is refused with 487.",
        "ReactOS NtProtectVirtualMemory";
    VP_07 "VP-07" Should Decided,
        "A range that leaves its allocation is refused with 487.",
        "MS VirtualProtect, without the code; ReactOS; Wine 8.0 answers 87";
    VP_11 "VP-11" Must Decided,
        "The copy-on-write protections are refused with 87.",
        "Wine tests, virtual.c test_VirtualProtect";
    VP_11B "VP-11b" Should Decided,
        "A copy-on-write protection wins over a page that is not committed: 87, not 487.",
        "ReactOS NtProtectVirtualMemory";
    VP_08 "VP-08" Must Decided,
        "A range with a page that is not committed is refused with 487.",
        "Wine tests, virtual.c test_VirtualAlloc; MS VirtualProtect";
    VP_09 "VP-09" Must Decided,
        "The new protection goes to every touched page.",
        "MS VirtualProtect";
    VP_10 "VP-10" Must Decided,
        "The old protection is the first page's, with PAGE_GUARD if armed and the allocation's PAGE_NOCACHE.",
        "Wine tests, virtual.c test_VirtualAlloc, test_guard_page; MS VirtualProtect";
    VP_12 "VP-12" Must Observed,
        "A change of protection never changes contents.",
        "ReactOS tests, TestReadWrite";
    VP_13 "VP-13" Must Observed,
        "A change of protection leaves AllocationProtect and write-watch marks alone.",
        "Wine tests, virtual.c test_VirtualProtect, test_write_watch";
    VP_14 "VP-14" Should Out("what *old holds after a failure is not to be compared"),
        "After a failure the old protection is not defined.",
        "a host's test";

    // VirtualQuery.
    VQ_01 "VQ-01" Must Decided,
        "VirtualQuery returns 48 and fills every field.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VQ_02 "VQ-02" Must Decided,
        "BaseAddress is the queried address rounded down to its page, and the region is measured forward only.",
        "MS VirtualQuery; ReactOS tests, CheckAdjacentVADs";
    VQ_03 "VQ-03" Must Decided,
        "A reserved page shows no protection, a committed one its own.",
        "Wine tests, virtual.c test_VirtualAlloc";
    VQ_04 "VQ-04" Must Decided,
        "AllocationProtect is the protection argument of the reserving call, modifiers included.",
        "Wine tests, virtual.c test_guard_page, test_VirtualAlloc";
    VQ_05 "VQ-05" Must Decided,
        "A region is the longest run of equal pages of one allocation; neighbours never join, and marks of write watch do not split.",
        "MS VirtualQuery; Wine tests, virtual.c test_write_watch";
    VQ_06 "VQ-06" Must Decided,
        "Free memory shows as MEM_FREE, up to the next allocation, page exact.",
        "MS VirtualQuery";
    VQ_06B "VQ-06b" Should Judged,
        "Free memory shows PAGE_NOACCESS, and no AllocationBase, AllocationProtect or Type.",
        "ReactOS and Wine 8.0; MS MEMORY_BASIC_INFORMATION leaves them undefined";
    VQ_07 "VQ-07" Must Decided,
        "A query beyond user space fails with 87, or succeeds and writes nothing.",
        "MS VirtualQuery; the hosting interface can only say so with S_OK and no bytes";
    VQ_08 "VQ-08" Should Decided,
        "A buffer under 48 bytes is refused with 24; a longer one is fine.",
        "ReactOS; Wine tests, error.c";
    VQ_09 "VQ-09" Should Decided,
        "An address beyond user space wins over a short buffer.",
        "ReactOS NtQueryVirtualMemory";
    VQ_10 "VQ-10" Should Decided,
        "A null buffer is refused with 998.",
        "ReactOS; Wine 8.0 agrees";
    VQ_11 "VQ-11" Should Decided,
        "The first 64 KiB are free, up to the first allocation.",
        "ReactOS";
    VQ_12 "VQ-12" May Out("a pseudo region at the end of user space may or may not be shown"),
        "The last 64 KiB of user space may show as reserved.",
        "ReactOS; knowledge base";
    VQ_13 "VQ-13" Must Decided,
        "Queries from region to region cover the address space without gaps, overlaps or two free regions in a row.",
        "MS VirtualQuery";
    VQ_14 "VQ-14" Should Out("a page that every Windows process has is no business of a manager"),
        "The shared user data page is mapped at 0x7FFE0000.",
        "ReactOS";

    // Guard pages.
    GP_01 "GP-01" Must Decided,
        "PAGE_GUARD shows in Protect while armed, and in AllocationProtect for ever.",
        "Wine tests, virtual.c test_guard_page";
    GP_02 "GP-02" Must Decided,
        "The first access to an armed page raises STATUS_GUARD_PAGE_VIOLATION with kind and address, and disarms it first.",
        "Wine tests, virtual.c test_guard_page";
    GP_03 "GP-03" Must Observed,
        "Only the page that was touched loses its guard.",
        "MS Creating Guard Pages; Wine 8.0 agrees";
    GP_04 "GP-04" Must Decided,
        "VirtualProtect without PAGE_GUARD disarms silently, with it arms again; the old protection tells which it was.",
        "Wine tests, virtual.c test_guard_page";
    GP_05 "GP-05" May Decided,
        "An access that the base protection forbids raises a plain access violation and leaves the guard armed, or fires the guard: both permitted.",
        "ReactOS MiAccessCheck checks permission first; unverified on Windows";
    GP_06 "GP-06" Must Decided,
        "PAGE_GUARD in a reservation guards nothing: an access there is a plain violation.",
        "MS Creating Guard Pages";
    GP_07 "GP-07" Must Decided,
        "A decommitted guard page is reserved memory: an access there is a plain violation.",
        "MS Creating Guard Pages";
    GP_08 "GP-08" Must Out("VirtualLock is not part of the hosting interface"),
        "VirtualLock on an armed page fails and disarms it.",
        "Wine tests, virtual.c test_guard_page";
    GP_09 "GP-09" Must Decided,
        "On a watched page the guard fires first and marks nothing; the write after it marks.",
        "Wine tests, virtual.c test_guard_page";
    GP_10 "GP-10" Must Out("thread stacks are the operating system's"),
        "Guard pages of the current stack grow it instead.",
        "Wine tests, ntdll virtual.c";

    // Write watch.
    WW_01 "WW-01" Must Decided,
        "GetWriteWatch gives the bases of written pages in ascending order, and the page size as granularity.",
        "Wine tests, virtual.c test_write_watch";
    WW_02 "WW-02" Must Decided,
        "Unknown flags and a capacity of zero are refused with 87, null pointers with 998.",
        "Wine tests, virtual.c test_write_watch";
    WW_03 "WW-03" Must Decided,
        "A size of zero and a range that wraps are refused with 87.",
        "Wine tests, virtual.c test_write_watch";
    WW_04 "WW-04" Must Decided,
        "A range that leaves its allocation with write watch, or lies in one without, is refused with 87.",
        "Wine tests, virtual.c test_write_watch; ReactOS";
    WW_04B "WW-04b" Should Decided,
        "A range in free memory, or over two neighbours that both have write watch, is refused with 87.",
        "ReactOS NtGetWriteWatch";
    WW_05 "WW-05" Must Decided,
        "Pages of the range that are not committed are fine.",
        "Wine tests, virtual.c test_write_watch";
    WW_06 "WW-06" Must Decided,
        "WRITE_WATCH_FLAG_RESET clears the marks of the reported pages only; ResetWriteWatch clears its whole range.",
        "Wine tests, virtual.c test_write_watch";
    WW_07 "WW-07" May Decided,
        "An unaligned range means the pages that hold a byte of it.",
        "Wine 8.0; unverified on Windows";
    WW_08 "WW-08" Must Observed,
        "A write across a page boundary marks both pages.",
        "Wine tests, virtual.c test_write_watch";
    WW_09 "WW-09" Must Observed,
        "Reads, VirtualProtect, a repeated commit, queries and the first zero fill mark nothing.",
        "Wine tests, virtual.c test_write_watch";
    WW_10 "WW-10" Must Observed,
        "A write that faults marks nothing.",
        "MS GetWriteWatch";
    WW_11 "WW-11" Must Observed,
        "The protection at the beginning does not matter: watch works once the page is writable.",
        "Wine tests, virtual.c test_write_watch";
    WW_12 "WW-12" Must Observed,
        "A mark survives MEM_DECOMMIT; reset and release remove it.",
        "Wine tests, virtual.c test_write_watch";
    WW_13 "WW-13" Must Out("the kernel's writes are proven by a test of the Linux backend with read(2)"),
        "Writes by the kernel mark as a program's do.",
        "Wine tests, virtual.c test_write_watch";
    WW_14 "WW-14" Must Observed,
        "Write watch cannot be added to an allocation, nor taken from it.",
        "MS VirtualAlloc";

    // Accesses and contents.
    AF_01 "AF-01" Must Decided,
        "An access that is not allowed raises STATUS_ACCESS_VIOLATION with its kind and its exact address.",
        "Wine tests, exception.c; MS EXCEPTION_RECORD";
    AF_02 "AF-02" Must Decided,
        "Only the executable protections let code run; elsewhere the violation is one of execution.",
        "Wine tests, exception.c";
    AF_03 "AF-03" Must Decided,
        "Every protection but PAGE_NOACCESS can be read, PAGE_EXECUTE included; only the READWRITE ones can be written; reserved and free memory not at all.",
        "ReactOS MiIsAccessAllowed; ReactOS tests, TestReadWrite; MS";
    AF_04 "AF-04" Must Decided,
        "An access across two pages whose second faults reports the second page's base, and nothing of it shows.",
        "hardware; Wine 8.0 agrees";
    AF_05 "AF-05" Must Observed,
        "A failed access changes nothing but an armed guard.",
        "definition of an access violation";
    ZF_01 "ZF-01" Must Observed,
        "A first commit, a commit after decommit and memory reserved again after release read as zero.",
        "MS VirtualAlloc; ReactOS tests, TestFreeNoAccess";
    ZF_02 "ZF-02" Must Observed,
        "Contents survive changes of protection, repeated commits, guards and resets of write watch.",
        "ReactOS tests; Wine tests, virtual.c";

    // Results of the hosting interface.
    HR_01 "HR-01" Should Decided,
        "Out of address space, commit or memory is E_OUTOFMEMORY.",
        "hosting docs, VirtualAlloc, CreateMAlloc, Alloc";
    HR_02 "HR-02" Should Decided,
        "Freeing what the manager did not allocate is HOST_E_INVALIDOPERATION.",
        "hosting docs, VirtualFree, IHostMAlloc::Free";
    HR_03 "HR-03" May Decided,
        "Any other refusal may be any failing HRESULT; ours is HRESULT_FROM_WIN32.",
        "hosting docs list only general codes";
    HR_04 "HR-04" Must Judged,
        "A success code other than S_OK is a failure where the runtime compares with S_OK.",
        "CLR source, hosting.cpp EEVirtualAlloc, EEVirtualFree, EEVirtualProtect, EEHeapAlloc";
    HR_05 "HR-05" Should Judged,
        "A success code other than S_OK is permitted for VirtualQuery and the three address-space notices.",
        "CLR source, hosting.cpp EEVirtualQuery, util.cpp CLRMapViewOfFileEx";
    RS_01 "RS-01" Should Judged,
        "A manager does not refuse less than 64 MiB for lack of memory while less than half of its limit is in use.",
        "what a caller may expect of any manager";

    // Heaps.
    HM_01 "HM-01" Must Decided,
        "CreateMalloc accepts any combination of MALLOC_THREADSAFE and MALLOC_EXECUTABLE.",
        "mscoree.idl, MALLOC_TYPE; CLR source, corhost.cpp SetHostControl";
    HM_02 "HM-02" May Decided,
        "CreateMalloc with other bits may succeed or be refused.",
        "nothing documents it";
    HM_03 "HM-03" Should Decided,
        "Alloc returns a block aligned as the process heap does, 16 bytes on 64 bits, that overlaps nothing live.",
        "hosting docs, IHostMAlloc::Alloc; CLR source, hosting.cpp EEHeapAlloc";
    HM_04 "HM-04" Must Decided,
        "Free of a live block succeeds.",
        "hosting docs, IHostMAlloc::Free";
    HM_05 "HM-05" Must Decided,
        "Free of a null pointer succeeds: the runtime passes it on.",
        "CLR source, hosting.cpp EEHeapFree";
    HM_06 "HM-06" Should Decided,
        "Free of anything but a live block of this heap is refused with HOST_E_INVALIDOPERATION.",
        "hosting docs, IHostMAlloc::Free";
    HM_07 "HM-07" Should Decided,
        "A block keeps what was written to it until it is freed, and nothing else writes to it.",
        "hosting docs, IHostMAlloc::Alloc";
    HM_08 "HM-08" Should Decided,
        "DebugAlloc is Alloc with the caller's file and line.",
        "hosting docs, IHostMAlloc::DebugAlloc; mscoree.idl";
    HM_09 "HM-09" Should Decided,
        "Code runs in a block of a heap made with MALLOC_EXECUTABLE; elsewhere it may fault.",
        "hosting docs, MALLOC_TYPE";

    // Memory load and notifications.
    ML_01 "ML-01" Must Decided,
        "GetMemoryLoad gives a percentage from 0 to 100 and the bytes still available.",
        "hosting docs, GetMemoryLoad; CLR source, corhost.cpp GetProcessMemoryLoad";
    ML_02 "ML-02" Must Decided,
        "A simulated machine tells exactly the load that was set, and refuses one above 100 with 87.",
        "scenario format, SetMemoryLoad";
    NT_01 "NT-01" Must Decided,
        "RegisterMemoryNotificationCallback keeps the callback and notifies nothing by itself.",
        "hosting docs; CLR source, corhost.cpp";
    NT_02 "NT-02" Should Decided,
        "Low, Neutral and High are delivered exactly when they change, once each: low from 1/128 of physical memory (at most 64 MiB) available down, high from three times that up.",
        "MS CreateMemoryResourceNotification; hosting docs, EMemoryAvailable";

    // Address-space notices.
    AS_01 "AS-01" Should Decided,
        "NeedsVirtualAddressSpace accepts any range, a null address and a size of zero included, or declines with E_OUTOFMEMORY.",
        "hosting docs; CLR source, util.cpp CLRMapViewOfFileEx";
    AS_02 "AS-02" Should Decided,
        "AcquiredVirtualAddressSpace is taken note of, whatever its size.",
        "hosting docs; CLR source, util.cpp CLRMapViewOfFileEx";
    AS_03 "AS-03" Should Decided,
        "ReleasedVirtualAddressSpace is taken note of, for an unknown base too.",
        "hosting docs; CLR source, util.cpp CLRUnmapViewOfFile";
    AS_04 "AS-04" May Decided,
        "While a range is acquired, VirtualQuery does not call it free.",
        "inference from the purpose of the notice";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_well_formed() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|other| other.id != rule.id), "{} twice", rule.id);
            assert_eq!(RuleId::named(rule.id).map(RuleId::index), Some(at));
            assert!(rule.sentence.ends_with('.'), "{} is no sentence", rule.id);
            let shape = rule.id.as_bytes();
            assert!(shape[2] == b'-' && shape[3..5].iter().all(u8::is_ascii_digit), "{}", rule.id);
        }
    }

    #[test]
    fn a_constant_names_its_own_row() {
        assert_eq!(VA_42E.to_string(), "VA-42e");
        assert_eq!(AS_04.rule().id, "AS-04");
    }
}
