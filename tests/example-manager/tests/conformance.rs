//! How an outside crate tests its own manager: this line, and what it imports.

use hostmem_example_manager::Manager;

hostmem_proptest::conformance! { example, Manager::new() }
