//! Reports of written pages, and the writes that a replay makes for them.
//!
//! Deliberately not here: which pages a log shows as written ([`Detail`]).

use std::sync::Arc;

use hostmem_interface::{Call, Data, WatchFlags, WatchPointers};

use super::super::Reason;
use super::super::draft::Expect;
use super::super::live::Detail;
use super::super::regions::pages;
use super::{CAPACITY, Kept, Translation, expect, low};

impl Translation {
    pub(super) fn get_watch(
        &mut self,
        thread: u32,
        (flags, address, size): (u64, u64, u64),
        null: WatchPointers,
        fine: bool,
        detail: Option<Detail>,
    ) -> Kept {
        let flags = WatchFlags(low(flags));
        let lawful = self.is_watched(address, size)
            && null == WatchPointers::default()
            && flags.without(WatchFlags::RESET) == WatchFlags(0);
        let (_, target) = self.target(address)?;
        if fine && !lawful {
            return Err(Reason::AgainstTheLaw);
        }
        let told = match detail {
            Some(Detail::Pages { capacity, pages }) if fine => Some((capacity, pages)),
            _ => None,
        };
        let capacity = told.as_ref().map_or(CAPACITY, |(capacity, _)| *capacity);
        let expect = match told {
            Some((capacity, told)) => self.written(thread, (address, size), capacity, &told),
            None => expect(fine),
        };
        let call = Call::GetWriteWatch { address: target, size, flags, capacity, null };
        self.draft.push(thread, call, expect);
        if flags.contains(WatchFlags::RESET) {
            // What was not told is not known to be written.
            self.marks.clear(&pages(address, size).unwrap_or_default());
        }
        Ok(())
    }

    /// Writes to the pages that a report tells and no earlier one did; and whether a replay must
    /// tell the same.
    fn written(
        &mut self,
        thread: u32,
        (address, size): (u64, u64),
        capacity: u64,
        told: &[u64],
    ) -> Expect {
        let (mut targets, mut certain) = (Vec::new(), true);
        for &page in told {
            let Ok((block, target)) = self.target(page) else { return Expect::Done };
            targets.push(target);
            if self.marks.has(page) {
                continue;
            }
            if !self.regions.is_committed(block, &(page..page + 0x1000)) {
                certain = false; // written while it had memory, when nobody asked
                continue;
            }
            let data = Data::Bytes(Arc::from([1]));
            self.draft.push(thread, Call::Write { address: target, data }, Expect::Done);
            self.marks.set(page);
        }
        let range = pages(address, size).unwrap_or_default();
        let known = self.marks.within(&range, capacity);
        if certain && known == told { Expect::Pages(targets) } else { Expect::Done }
    }

    pub(super) fn reset_watch(
        &mut self,
        thread: u32,
        (address, size): (u64, u64),
        fine: bool,
    ) -> Kept {
        let (_, target) = self.target(address)?;
        if fine && !self.is_watched(address, size) {
            return Err(Reason::AgainstTheLaw);
        }
        if fine {
            self.marks.clear(&pages(address, size).unwrap_or_default());
        }
        self.draft.push(thread, Call::ResetWriteWatch { address: target, size }, expect(fine));
        Ok(())
    }

    fn is_watched(&self, address: u64, size: u64) -> bool {
        let range = self.within(address, size);
        let block = range.and_then(|range| self.regions.holding(&range));
        block.is_some_and(|block| self.regions.is_watched(block))
    }
}
