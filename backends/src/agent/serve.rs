//! The other end: serves any backend of ours over the protocol, so that others can test their
//! harness against ours.
//!
//! What it cannot make sense of, it answers with *broken* and why; it goes on after that.
//!
//! Deliberately not here: the backends.

use std::io::{self, BufRead, Write};

use hostmem_interface::{
    Address, Backend, Breakage, Call, Grain, Machine, MallocId, OpenError, Outcome, Reply as Came,
    Subject, Value,
};
use serde::Serialize;

use super::answers;
use super::calls::{self, Asked, Packed};
use super::messages::{About, Ask, Reply, Request, machine, read_machine};
use super::numbers::{Flat, Number};

/// Where one can read about our own managers.
const HOMEPAGE: &str = "the README of hostmem";

/// Answers requests until one says stop, or there are no more.
///
/// # Errors
/// If a stream breaks.
pub fn serve(
    backend: &dyn Backend,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut server = Server { backend, case: None };
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let stop = match serde_json::from_slice::<Request>(&line) {
            Ok(Request { id, ask }) => server.answer(id, ask, output)?,
            Err(error) => {
                let why = format!("this line is no request: {error}");
                send(&No::Broken(why).reply(0), output)?;
                false
            }
        };
        output.flush()?;
        if stop {
            return Ok(());
        }
    }
}

struct Server<'a> {
    backend: &'a dyn Backend,
    case: Option<Case>,
}

struct Case {
    subject: Box<dyn Subject>,
    slots: Vec<Address>,
    /// By the call that made it; one that nobody made where it was refused.
    heaps: Vec<MallocId>,
}

/// What is no outcome.
enum No {
    Unsupported(String),
    Broken(String),
}

impl No {
    fn reply(self, id: u64) -> Reply<Flat> {
        let (unsupported, broken) = match self {
            Self::Unsupported(why) => (Some(why), None),
            Self::Broken(why) => (None, Some(why)),
        };
        Reply { id, outcome: None, unsupported, link: None, broken, notified: Flat::new() }
    }
}

impl From<OpenError> for No {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unavailable(why) | OpenError::Machine(why) => Self::Unsupported(why),
            OpenError::Broken(how) => Self::Broken(how.to_string()),
        }
    }
}

impl From<Breakage> for No {
    fn from(how: Breakage) -> Self {
        Self::Broken(how.to_string())
    }
}

fn send(reply: &impl Serialize, output: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, reply)?;
    output.write_all(b"\n")
}

impl Server<'_> {
    /// Answers one request; whether it was the last.
    fn answer(&mut self, id: u64, ask: Ask, output: &mut dyn Write) -> io::Result<bool> {
        let stop = matches!(ask, Ask::Stop(_));
        let sent = match ask {
            Ask::Start(_) => self.start().map(|about| send(&Reply::done(id, about), output)),
            Ask::Open(flat) => self.open(&flat).map(|flat| send(&Reply::done(id, flat), output)),
            Ask::Run(calls) => self.run(id, &calls).map(|reply| send(&reply, output)),
            Ask::Close(_) | Ask::Stop(_) => {
                self.case = None;
                Ok(send(&Reply::done(id, Flat::new()), output))
            }
        };
        match sent {
            Ok(sent) => sent?,
            Err(no) => send(&no.reply(id), output)?,
        }
        Ok(stop)
    }

    fn start(&self) -> Result<About, No> {
        let subject = self.backend.open(&Machine::default())?;
        Ok(About::of(subject.description(), HOMEPAGE))
    }

    fn open(&mut self, flat: &[Number]) -> Result<Flat, No> {
        // Another case would be in its way where both use real addresses.
        self.case = None;
        let wanted = read_machine(flat).map_err(|why| No::Broken(format!("open: {why}")))?;
        let subject = self.backend.open(&wanted)?;
        let shown = machine(&subject.description().machine);
        self.case = Some(Case { subject, slots: Vec::new(), heaps: Vec::new() });
        Ok(shown)
    }

    fn run(&mut self, id: u64, calls: &[Flat]) -> Result<Reply<Vec<Flat>>, No> {
        let case = self.case.as_mut().ok_or_else(|| No::Broken("run before open".to_owned()))?;
        let mut reply = Reply::done(id, Vec::new());
        for (index, flat) in calls.iter().enumerate() {
            let asked = calls::read(flat);
            let asked = asked.map_err(|why| No::Broken(format!("call {index}: {why}")))?;
            let answer = case.one(asked, index, &mut reply.notified)?;
            reply.outcome.get_or_insert_default().push(answer);
        }
        Ok(reply)
    }
}

impl Case {
    fn one(&mut self, asked: Asked, index: usize, notified: &mut Flat) -> Result<Flat, No> {
        let call = match asked {
            Asked::Echo(place, rest) => {
                let address = Number::from(self.place(&place)?.0);
                return Ok([0u8.into(), address].into_iter().chain(rest).collect());
            }
            Asked::Call(call) => {
                call.resolve(|place| self.place(place), |heap| self.heap(*heap))?
            }
        };
        let came = self.subject.call(&call);
        let (outcome, notices) = match came {
            Came::Outcome { outcome, notified } => (outcome, notified),
            Came::Unsupported(why) | Came::Unreadable(why) => return Err(No::Unsupported(why)),
            Came::Broken(how) => return Err(how.into()),
        };
        self.keep(&call, &outcome);
        for notice in notices {
            notified.extend([Number(index as i128), notice.0.into()]);
        }
        let grain: Grain = self.subject.description().grain;
        Ok(answers::write(&outcome, grain))
    }

    fn keep(&mut self, call: &Call, outcome: &Outcome) {
        if call.allocates() {
            self.slots.push(outcome.address().unwrap_or(Address::NULL));
        }
        if matches!(call, Call::CreateMalloc { .. }) {
            self.heaps.push(match outcome.value() {
                Some(Value::Malloc(heap)) => *heap,
                _ => MallocId(u32::MAX),
            });
        }
    }

    fn heap(&self, heap: MallocId) -> Result<MallocId, No> {
        let known = usize::try_from(heap.0).ok().and_then(|at| self.heaps.get(at));
        known.copied().ok_or_else(|| {
            No::Broken(format!("heap {} of the {} that there are", heap.0, self.heaps.len()))
        })
    }

    fn place(&self, place: &Packed) -> Result<Address, No> {
        let base = match usize::try_from(place.slot) {
            Err(_) => Some(Address::NULL),
            Ok(slot) => self.slots.get(slot).copied(),
        };
        let known = self.slots.len();
        let base = base.ok_or_else(|| {
            No::Broken(format!("slot {} of the {known} that there are", place.slot))
        })?;
        Ok(base.wrapping_add(place.offset))
    }
}
