//! [`AgentBackend`]: the backend `agent:COMMAND`, an adapter in a process of its own.
//!
//! A process serves one case after the other; where several run at a time, so do several
//! processes. One that broke is replaced by a fresh one.
//!
//! A subject that is told what comes next has it all carried out in one line and keeps the
//! answers ([`super::batch`]). If a line goes wrong, or the case then asks something else, it
//! cannot be told at which call: the subject says so ([`Subject::went_wrong_ahead`]), and whoever
//! runs the case runs it again call by call.
//!
//! Deliberately not here: the form of the messages ([`super::messages`]).

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Arc, Mutex};

use hostmem_interface::needs::call_needs;
use hostmem_interface::{
    AheadOfCase, Backend, Breakage, Call, Description, Foreseen, Machine, OpenError, Outcome,
    Reply, Subject,
};

use super::answers;
use super::batch::{Batch, Counts, joined_for, notifications, parts};
use super::calls::{self, Packed};
use super::conversation::{Conversation, Limits};
use super::messages::{About, Ask, PROTOCOL, machine, read_machine};
use super::numbers::Flat;
use crate::process::locked;

/// The backend `agent:COMMAND`.
#[derive(Debug)]
pub struct AgentBackend {
    name: String,
    words: Vec<String>,
    limits: Limits,
    idle: Arc<Mutex<Vec<Adapter>>>,
}

/// A process that was started, with what it said of itself.
#[derive(Debug)]
struct Adapter {
    talk: Conversation,
    description: Description,
}

impl AgentBackend {
    /// The backend of a command line, which is split into words as a POSIX shell does and run
    /// without one.
    ///
    /// # Errors
    /// If there is no word, or a quote is not closed.
    pub fn new(command: &str, limits: Limits) -> Result<Self, String> {
        let words = shell_words::split(command).map_err(|error| error.to_string())?;
        if words.is_empty() {
            return Err("expected a command".to_owned());
        }
        Ok(Self { name: format!("agent:{command}"), words, limits, idle: Arc::default() })
    }

    /// As [`AgentBackend::new`], and the adapter was started and said what it is: a command
    /// that cannot be run is a mistake, not a finding.
    ///
    /// # Errors
    /// Why there is no adapter.
    pub fn started(command: &str, limits: Limits) -> Result<Self, String> {
        let backend = Self::new(command, limits)?;
        let adapter = backend.start().map_err(|error| error.to_string())?;
        locked(&backend.idle).push(adapter);
        Ok(backend)
    }

    pub(super) fn converse(&self) -> Result<Conversation, OpenError> {
        let mut command = Command::new(&self.words[0]);
        Conversation::start(command.args(&self.words[1..]), self.limits)
    }

    fn start(&self) -> Result<Adapter, OpenError> {
        let mut talk = self.converse()?;
        let description = introduced(&mut talk)?.description();
        let description = description.map_err(|why| {
            let why = format!("its answer to start: {why}");
            OpenError::Broken(talk.broke(Breakage::Lied(why)))
        })?;
        Ok(Adapter { talk, description })
    }
}

impl Drop for AgentBackend {
    fn drop(&mut self) {
        for adapter in locked(&self.idle).iter_mut() {
            // One that does not stop when it is asked is ended.
            let _ = adapter.talk.stop();
        }
    }
}

/// What an adapter says of itself.
pub(super) fn introduced(talk: &mut Conversation) -> Result<About, OpenError> {
    let reply = talk.ask::<serde_json::Value>(Ask::Start(vec![PROTOCOL.into()]), "start");
    let reply = reply.map_err(OpenError::Broken)?;
    match (reply.reason(), reply.outcome) {
        (_, Some(about)) => About::read(about).map_err(|why| {
            OpenError::Broken(talk.broke(Breakage::Lied(format!("its answer to start: {why}"))))
        }),
        ((true, why), None) => Err(OpenError::Unavailable(why)),
        ((false, why), None) => {
            let how = Breakage::Reported(format!("{why}, in start"));
            Err(OpenError::Broken(talk.broke(how)))
        }
    }
}

/// The end of a case.
pub(super) fn closed(talk: &mut Conversation) -> Result<(), Breakage> {
    let reply = talk.ask::<Flat>(Ask::Close(Vec::new()), "close")?;
    let how = match (reply.reason(), reply.outcome) {
        (_, Some(flat)) if flat.is_empty() => return Ok(()),
        (_, Some(flat)) => {
            Breakage::Lied(format!("its answer to close has {} numbers, not none", flat.len()))
        }
        ((true, why), None) => Breakage::Lied(format!("its answer to close: unsupported: {why}")),
        ((false, why), None) => Breakage::Reported(format!("{why}, in close")),
    };
    Err(talk.broke(how))
}

/// Opens a fresh address space; tells the machine that it shows.
pub(super) fn opened(
    talk: &mut Conversation,
    wanted: &Machine,
    stated: &Machine,
) -> Result<Machine, OpenError> {
    let reply = talk.ask::<Flat>(Ask::Open(machine(wanted)), "open");
    let reply = reply.map_err(OpenError::Broken)?;
    match (reply.reason(), reply.outcome) {
        (_, Some(flat)) if flat.is_empty() => Ok(*stated),
        (_, Some(flat)) => read_machine(&flat).map_err(|why| {
            OpenError::Broken(talk.broke(Breakage::Lied(format!("its answer to open: {why}"))))
        }),
        ((true, why), None) => Err(OpenError::Machine(why)),
        ((false, why), None) => {
            let how = Breakage::Reported(format!("{why}, in open"));
            Err(OpenError::Broken(talk.broke(how)))
        }
    }
}

impl Backend for AgentBackend {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let idle = locked(&self.idle).pop();
        let mut adapter = idle.map_or_else(|| self.start(), Ok)?;
        let stated = adapter.description.machine;
        match opened(&mut adapter.talk, machine, &stated) {
            Ok(shown) => {
                let description = Description { machine: shown, ..adapter.description.clone() };
                let state = State {
                    adapter: Some(adapter),
                    counts: Counts::default(),
                    ahead: VecDeque::new(),
                    wrong: None,
                };
                let idle = Arc::clone(&self.idle);
                Ok(Box::new(AgentSubject { description, state: Mutex::new(state), idle }))
            }
            Err(error) => {
                if adapter.talk.is_sound() {
                    locked(&self.idle).push(adapter);
                }
                Err(error)
            }
        }
    }
}

/// A case in an adapter.
#[derive(Debug)]
struct AgentSubject {
    description: Description,
    state: Mutex<State>,
    idle: Arc<Mutex<Vec<Adapter>>>,
}

#[derive(Debug)]
struct State {
    /// `None` only when the case is over.
    adapter: Option<Adapter>,
    counts: Counts,
    /// What was carried out ahead: calls that will be made, with their replies.
    ahead: VecDeque<(Call, Reply)>,
    /// What went wrong there.
    wrong: Option<AheadOfCase>,
}

impl State {
    fn talk(&mut self) -> &mut Conversation {
        &mut self.adapter.as_mut().expect("the case is not over").talk
    }

    /// Has one call carried out, and an access that is longer than a page in parts.
    fn one_by_one(&mut self, call: &Call, who: &Description) -> Reply {
        let at = call.address().copied().unwrap_or_default();
        let parts = parts(call, at, who.machine.page, |at, by| at.wrapping_add(by));
        let (mut outcomes, mut notified) = (Vec::new(), Vec::new());
        for part in &parts {
            match self.ask(part, who) {
                Ok((outcome, more)) => {
                    notified.extend(more);
                    let done = outcome.is_done();
                    outcomes.push(outcome);
                    if !done {
                        break;
                    }
                }
                Err(reply) => return reply,
            }
        }
        Reply::Outcome { outcome: joined_for(call, outcomes), notified }
    }

    fn ask(
        &mut self,
        call: &Call,
        who: &Description,
    ) -> Result<(Outcome, Vec<hostmem_interface::MemoryAvailable>), Reply> {
        let place = |address: &hostmem_interface::Address| {
            Ok::<_, std::convert::Infallible>(Packed::absolute(address.0))
        };
        let Ok(packed) = call.resolve(place, |heap| Ok(self.counts.on_the_wire(*heap)));
        let heap = self.counts.next_heap();
        let run = Ask::Run(vec![calls::write(&packed)]);
        let reply = self.talk().ask::<Vec<Flat>>(run, call.name()).map_err(Reply::Broken)?;
        let Some(answers) = &reply.outcome else {
            self.counts.count(call, false);
            return Err(match reply.reason() {
                (true, why) => Reply::Unsupported(why),
                (false, why) => Reply::Broken(self.talk().broke(Breakage::Reported(why))),
            });
        };
        let read = || {
            let [answer] = answers.as_slice() else {
                return Err(format!("{} answers to one call", answers.len()));
            };
            let outcome = answers::read(call, answer, who, heap)?;
            Ok((outcome, notifications(&reply.notified, 1)?.remove(0)))
        };
        let read = read();
        self.counts.count(call, read.as_ref().is_ok_and(|(outcome, _)| outcome.is_done()));
        read.map_err(|why| {
            let how = format!("the answer to {}: {why}", call.name());
            Reply::Broken(self.talk().broke(Breakage::Lied(how)))
        })
    }

    fn carry_out_ahead(&mut self, batch: &Batch<'_>, who: &Description) -> Result<(), AheadOfCase> {
        let what = format!("a line of {} calls", batch.len());
        let reply = self.talk().ask::<Vec<Flat>>(Ask::Run(batch.arrays()), &what);
        let reply = reply.map_err(AheadOfCase::Broken)?;
        if reply.outcome.is_none() {
            return Err(match reply.reason() {
                (true, why) => AheadOfCase::Unforeseen(why),
                (false, why) => {
                    AheadOfCase::Broken(Breakage::Reported(format!("{why}, in {what}")))
                }
            });
        }
        let replies = batch.replies(&reply, who, &mut self.counts);
        self.ahead = replies
            .map_err(|why| AheadOfCase::Broken(Breakage::Lied(format!("{why}, in {what}"))))?;
        Ok(())
    }
}

/// What a case hears that has to be run again.
fn ahead_of_case(wrong: &AheadOfCase) -> Reply {
    match wrong {
        AheadOfCase::Unforeseen(how) => Reply::Unsupported(how.clone()),
        AheadOfCase::Broken(how) => Reply::Broken(how.clone()),
    }
}

impl Subject for AgentSubject {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, call: &Call) -> Reply {
        let mut state = locked(&self.state);
        if let Some(wrong) = &state.wrong {
            return ahead_of_case(wrong);
        }
        match state.ahead.pop_front() {
            Some((foreseen, reply)) if foreseen == *call => return reply,
            Some((foreseen, _)) => {
                let (asked, foreseen) = (call.name(), foreseen.name());
                let how = format!("{asked} was asked where {foreseen} had been foreseen");
                return ahead_of_case(state.wrong.insert(AheadOfCase::Unforeseen(how)));
            }
            None => {}
        }
        match call_needs(call).missing_from(self.description.capabilities) {
            Some(missing) => Reply::Unsupported(format!("it has no {missing}")),
            None => state.one_by_one(call, &self.description),
        }
    }

    fn looks_ahead(&self) -> bool {
        let state = locked(&self.state);
        state.ahead.is_empty() && state.wrong.is_none()
    }

    fn foresee(&self, calls: &[Foreseen]) {
        let mut state = locked(&self.state);
        let batch = Batch::of(calls, &self.description, &state.counts);
        // One call at a time is as good.
        if batch.len() < 2 || !state.ahead.is_empty() || state.wrong.is_some() {
            return;
        }
        if let Err(how) = state.carry_out_ahead(&batch, &self.description) {
            state.wrong = Some(how);
        }
    }

    fn went_wrong_ahead(&self) -> Option<AheadOfCase> {
        locked(&self.state).wrong.clone()
    }

    fn close(&self) -> Result<(), Breakage> {
        let Some(mut adapter) = locked(&self.state).adapter.take() else { return Ok(()) };
        // One that cannot even close is not used again: dropping it ends it.
        closed(&mut adapter.talk)?;
        locked(&self.idle).push(adapter);
        Ok(())
    }
}

impl Drop for AgentSubject {
    fn drop(&mut self) {
        // Of a case that ended otherwise more is known than this would tell.
        let _ = self.close();
    }
}
