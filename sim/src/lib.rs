//! hostmem: cross-checks memory managers against the law of Win32 virtual memory.

pub mod intent;
pub mod random;
pub mod script;
pub mod steering;
pub mod swarm;
pub mod view;
pub mod workload;
