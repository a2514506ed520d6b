//! hostmem: cross-checks memory managers against the law of Win32 virtual memory.

pub mod import;
pub mod reduce;
pub mod run;
pub mod view;
