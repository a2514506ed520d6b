//! A mistake in hostmem is told in one line, not as a backtrace, and ends the run with its own
//! exit code. What a user got wrong never comes this way.
//!
//! Deliberately not here: what to do next ([`crate::campaign`], [`crate::cli`]).

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo, UnwindSafe};

use crate::output::remark;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on, panics of any thread are told in one line (with `RUST_BACKTRACE`, in full).
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let what = describe(info);
        remark(&format!("hostmem: internal error: {what}"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            remark(&trace.to_string());
        }
        LAST.with(|last| *last.borrow_mut() = Some(what));
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let what = text(info.payload());
    match info.location() {
        Some(at) => format!("{what} ({}:{})", at.file(), at.line()),
        None => what.to_owned(),
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word")
}

/// Runs `work`; a panic in it comes back as what it said.
///
/// # Errors
/// The panic, in words.
pub fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    panic::catch_unwind(work).map_err(|payload| {
        let last = LAST.with(|last| last.borrow_mut().take());
        last.unwrap_or_else(|| text(&*payload).to_owned())
    })
}
