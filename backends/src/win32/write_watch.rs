//! `GetWriteWatch` and `ResetWriteWatch`: the system's, fenced in.

use hostmem_interface::{Address, Refusal, WatchAnswer, WatchFlags, WatchPointers, WriteWatch};

use super::manager::{Win32Manager, span};
use super::{foreign, system};

impl WriteWatch for Win32Manager {
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        let ledger = self.ledger();
        if ledger.is_foreign(&span(address.0, size)) {
            return Err(foreign::watch(size, flags, capacity, null));
        }
        let told = system::get_write_watch(address.0, size, flags.0, capacity, null);
        let (pages, granularity) = told.map_err(Refusal::from_win32)?;
        Ok(WatchAnswer { pages, granularity })
    }

    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal> {
        let ledger = self.ledger();
        if ledger.is_foreign(&span(address.0, size)) {
            return Err(foreign::reset_watch());
        }
        system::reset_write_watch(address.0, size).map_err(Refusal::from_win32)
    }
}
