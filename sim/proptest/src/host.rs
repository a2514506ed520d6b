//! Any [`Host`] as a [`Backend`]: a fresh manager for each case, and a panic of the manager's
//! is a result like any other.

use std::panic::AssertUnwindSafe;

use hostmem::panics::catch;
use hostmem_interface::{
    Backend, Breakage, Call, Description, Host, InProcess, Machine, OpenError, Reply, Subject,
};

/// Opens managers that a closure makes.
#[derive(Clone, Debug)]
pub struct HostBackend<F> {
    name: String,
    make: F,
}

impl<F, H> HostBackend<F>
where
    F: Fn(&Machine) -> H + Send + Sync,
    H: Host + 'static,
{
    /// `make` is called once for each case, with the machine that the case asks for. A manager
    /// that cannot show it says so in its [`Description`], and such cases are skipped.
    pub fn new(name: &str, make: F) -> Self {
        Self { name: name.to_owned(), make }
    }
}

impl<F, H> Backend for HostBackend<F>
where
    F: Fn(&Machine) -> H + Send + Sync,
    H: Host + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let made = catch(AssertUnwindSafe(|| (self.make)(machine)));
        let host = made.map_err(|what| OpenError::Broken(panicked(&what)))?;
        Ok(Box::new(Caught(InProcess::new(host))))
    }
}

/// A subject whose panics are told.
struct Caught<S>(S);

impl<S: Subject> Subject for Caught<S> {
    fn description(&self) -> &Description {
        self.0.description()
    }

    fn call(&self, call: &Call) -> Reply {
        // A manager that panicked is asked nothing more: the case ends here.
        let reply = catch(AssertUnwindSafe(|| self.0.call(call)));
        reply.unwrap_or_else(|what| Reply::Broken(panicked(&what)))
    }

    fn one_at_a_time(&self) -> bool {
        self.0.one_at_a_time()
    }

    fn checkpoint(&self) -> Result<(), String> {
        let checked = catch(AssertUnwindSafe(|| self.0.checkpoint()));
        checked.unwrap_or_else(|what| Err(format!("its own check panicked: {what}")))
    }

    fn leaks(&self) -> Vec<String> {
        self.0.leaks()
    }
}

fn panicked(what: &str) -> Breakage {
    Breakage::Died(format!("it panicked: {what}"))
}
