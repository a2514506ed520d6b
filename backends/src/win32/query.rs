//! `VirtualQuery`: the system's, for any address. It changes nothing.

use hostmem_interface::{Address, OutPointer, QueryAnswer, Refusal};

use super::manager::Win32Manager;
use super::system;

impl Win32Manager {
    pub(super) fn query(
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        let found = system::query(address.0, buffer, length).map_err(Refusal::from_win32)?;
        let (written, information) = found;
        Ok(QueryAnswer { written, information })
    }
}
