//! A canary as a backend: a fresh broken manager for every case.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hostmem_interface::{
    Backend, Call, Capabilities, Description, Grain, Machine, OpenError, Planted, Reply, Subject,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;

use crate::bent::Lie;
use crate::race::Gap;
use crate::{CANARIES, Canary};

/// The name of the one that is not broken.
pub const NONE: &str = "none";

/// What comes before a canary's name in a backend's.
const PREFIX: &str = "canary:";

/// Opens managers that are broken in one way.
#[derive(Clone, Debug)]
pub struct CanaryBackend {
    name: String,
    canary: Option<&'static Canary>,
}

/// The backend of a canary's name, or of [`NONE`]: the model through the same door.
#[must_use]
pub fn canary(name: &str) -> Option<CanaryBackend> {
    let canary = CANARIES.iter().find(|canary| canary.name == name);
    let known = canary.is_some() || name == NONE;
    known.then(|| CanaryBackend { name: format!("{PREFIX}{name}"), canary })
}

impl CanaryBackend {
    /// What is wrong with it; `None` for the unbroken one.
    #[must_use]
    pub const fn canary(&self) -> Option<&'static Canary> {
        self.canary
    }
}

impl Backend for CanaryBackend {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        if machine.end() / machine.granularity > u64::from(u32::MAX) {
            let why = "the model holds at most 2^32 granules of address space";
            return Err(OpenError::Machine(why.to_owned()));
        }
        let description = Description {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: *machine,
            capabilities: Capabilities::ALL,
            grain: Grain::Win32,
            absent: Vec::new(),
        };
        Ok(Box::new(Manager {
            description,
            lie: self.canary.map_or(Lie::None, |canary| canary.lie),
            actor: Mutex::new(Actor::new(State::new(*machine))),
            gap: Gap::default(),
        }))
    }

    fn planted(&self) -> Option<Planted> {
        let canary = self.canary?;
        let rules = std::iter::once(&canary.rule).chain(canary.seen_as);
        let rules = rules.map(|rule| rule.rule().id).collect();
        Some(Planted { sentence: canary.sentence, rules })
    }
}

/// The model behind a lock, and what is wrong with it.
struct Manager {
    description: Description,
    lie: Lie,
    actor: Mutex<Actor>,
    gap: Gap,
}

impl Manager {
    fn lock(&self) -> MutexGuard<'_, Actor> {
        self.actor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject for Manager {
    fn description(&self) -> &Description {
        &self.description
    }

    fn one_at_a_time(&self) -> bool {
        !matches!(self.lie, Lie::Race(_))
    }

    fn call(&self, call: &Call) -> Reply {
        match self.lie {
            Lie::None => self.lock().act(call),
            Lie::Law(law) => {
                let mut actor = self.lock();
                match law(&actor.state, call) {
                    Some(bent) => bent.carry_out(&mut actor, call),
                    None => actor.act(call),
                }
            }
            Lie::Race(race) => race.call(call, &self.gap, || self.lock()),
        }
    }
}
