//! Who a case calls: a subject, each call on the thread that the scenario names; or the
//! model, when a file's expectations are held against the law before any subject runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender, channel};
use std::thread::{self, Scope};

use hostmem_interface::scenario::{Action, Name, Place, Step};
use hostmem_interface::{Breakage, Call, Foreseen, Outcome, Reply, Subject};
use hostmem_model::State;
use hostmem_model::actor::{Actor, Preference};

/// What a step expects of an outcome.
pub type Wanted<'a> = &'a dyn Preference;

/// One call of a group.
pub struct Issued<'a> {
    /// The thread that issues it.
    pub thread: u32,
    /// The call.
    pub call: &'a Call,
    /// What the step expects of it.
    pub wanted: Wanted<'a>,
    /// The call's address as the scenario wrote it; `None` of a call of the harness's own.
    pub place: Option<Place>,
    /// The name that the address which it returns will have.
    pub bind: Option<Name>,
}

impl<'a> Issued<'a> {
    /// The call of a step.
    #[must_use]
    pub fn of(step: &Step, call: &'a Call, wanted: Wanted<'a>) -> Self {
        let place = match &step.action {
            Action::Call(call) => call.address().copied(),
            _ => None,
        };
        Self { thread: step.thread, call, wanted, place, bind: step.bind }
    }
}

impl std::fmt::Debug for Issued<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("thread", &self.thread)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

/// Somebody who answers calls.
pub trait Callee {
    /// Carries out one call on a thread. `wanted` tells what the file expects; only the
    /// model, which may choose among lawful answers, heeds it.
    fn call(&mut self, issued: &Issued<'_>) -> Reply;

    /// Carries out calls that may overlap in time.
    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply>;

    /// The subject's own consistency check.
    ///
    /// # Errors
    /// What does not agree.
    fn checkpoint(&mut self) -> Result<(), String>;

    /// See [`Subject::looks_ahead`].
    fn looks_ahead(&self) -> bool {
        false
    }

    /// See [`Subject::foresee`].
    fn foresee(&mut self, _calls: &[Foreseen]) {}
}

impl<C: Callee + ?Sized> Callee for &mut C {
    fn call(&mut self, issued: &Issued<'_>) -> Reply {
        (**self).call(issued)
    }

    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply> {
        (**self).call_together(group)
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        (**self).checkpoint()
    }

    fn looks_ahead(&self) -> bool {
        (**self).looks_ahead()
    }

    fn foresee(&mut self, calls: &[Foreseen]) {
        (**self).foresee(calls);
    }
}

/// A subject that a case keeps for itself: single calls come from the thread that asks, and
/// calls that overlap from threads that live as long as they do.
pub struct Owned(pub Box<dyn Subject>);

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Owned").field(&self.0.description().name).finish()
    }
}

impl Callee for Owned {
    fn call(&mut self, issued: &Issued<'_>) -> Reply {
        self.0.call(issued.call)
    }

    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply> {
        with_threads(&*self.0, |callee| callee.call_together(group))
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        self.0.checkpoint()
    }
}

/// A thread that carries calls out, one after the other, and answers them in their order. The
/// channels last as long as it does: a case hands thousands of calls over.
#[derive(Debug)]
struct Worker {
    jobs: Sender<(Call, Option<Arc<Gate>>)>,
    replies: Receiver<Reply>,
}

impl Worker {
    /// The next answer; a worker that panicked drops its end.
    fn reply(&self) -> Reply {
        self.replies.recv().unwrap_or_else(|RecvError| {
            Reply::Broken(Breakage::Died("the thread that carried the call panicked".to_owned()))
        })
    }
}

/// Where the threads of a group wait for each other, so that their calls begin at one time:
/// waking a thread takes longer than most calls do.
#[derive(Debug)]
struct Gate {
    missing: AtomicUsize,
}

impl Gate {
    fn arrive(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
    }

    fn wait(&self) {
        while self.missing.load(Ordering::Acquire) > 0 {
            // There may be fewer processors than threads.
            thread::yield_now();
        }
    }
}

/// A subject, with a thread of its own for every thread that a scenario names but 0.
pub struct Threads<'scope, 'env> {
    subject: &'env dyn Subject,
    scope: &'scope Scope<'scope, 'env>,
    workers: BTreeMap<u32, Worker>,
}

impl std::fmt::Debug for Threads<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl<'scope, 'env> Threads<'scope, 'env> {
    /// Calls `subject`; threads live in `scope`.
    pub fn new(subject: &'env dyn Subject, scope: &'scope Scope<'scope, 'env>) -> Self {
        Self { subject, scope, workers: BTreeMap::new() }
    }

    /// A thread, which is started if it is not there yet. Thread 0 is the caller's.
    fn worker(&mut self, thread: u32) -> &Worker {
        let (subject, scope) = (self.subject, self.scope);
        self.workers.entry(thread).or_insert_with(|| started(subject, scope))
    }

    fn send(&mut self, thread: u32, call: &Call, gate: Option<&Arc<Gate>>) -> &Worker {
        let worker = self.worker(thread);
        // One that is gone cannot be sent anything, and will not answer either.
        let sent = worker.jobs.send((call.clone(), gate.cloned()));
        if let (Err(_), Some(gate)) = (sent, gate) {
            gate.arrive();
        }
        worker
    }
}

fn started<'scope, 'env>(subject: &'env dyn Subject, scope: &'scope Scope<'scope, 'env>) -> Worker {
    let (jobs, inbox) = channel::<(Call, Option<Arc<Gate>>)>();
    let (answers, replies) = channel();
    let (ready, begun) = channel();
    scope.spawn(move || {
        subject.begin_thread();
        let _ = ready.send(());
        for (call, gate) in inbox {
            if let Some(gate) = gate {
                gate.arrive();
                gate.wait();
            }
            // The case may have ended without waiting for the answer.
            let _ = answers.send(subject.call(&call));
        }
    });
    // A thread that panicked tells so when it is asked.
    let _ = begun.recv();
    Worker { jobs, replies }
}

impl Callee for Threads<'_, '_> {
    fn call(&mut self, issued: &Issued<'_>) -> Reply {
        if issued.thread == 0 {
            return self.subject.call(issued.call);
        }
        self.send(issued.thread, issued.call, None).reply()
    }

    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply> {
        if self.subject.one_at_a_time() {
            return group.iter().map(|issued| self.call(issued)).collect();
        }
        // Thread 0 is this one; the others start first, so that they really overlap.
        let mut replies: Vec<Option<Reply>> = group.iter().map(|_| None).collect();
        let mut pending = Vec::new();
        // Two calls on one thread come one after the other: only the first is waited for.
        let mut threads: Vec<u32> = group.iter().map(|issued| issued.thread).collect();
        threads.sort_unstable();
        threads.dedup();
        let gate = Arc::new(Gate { missing: AtomicUsize::new(threads.len()) });
        let mut gate_of = |thread| {
            let first = threads.iter().position(|it| *it == thread);
            first.map(|at| threads.remove(at)).map(|_| &gate)
        };
        for (at, issued) in group.iter().enumerate().filter(|(_, issued)| issued.thread != 0) {
            self.send(issued.thread, issued.call, gate_of(issued.thread));
            pending.push((at, issued.thread));
        }
        if gate_of(0).is_some() {
            gate.arrive();
            gate.wait();
        }
        for (at, issued) in group.iter().enumerate().filter(|(_, issued)| issued.thread == 0) {
            replies[at] = Some(self.subject.call(issued.call));
        }
        for (at, thread) in pending {
            replies[at] = self.workers.get(&thread).map(Worker::reply);
        }
        replies.into_iter().flatten().collect()
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        self.subject.checkpoint()
    }

    fn looks_ahead(&self) -> bool {
        self.subject.looks_ahead()
    }

    fn foresee(&mut self, calls: &[Foreseen]) {
        self.subject.foresee(calls);
    }
}

/// The model, which gives the expected answer wherever that is lawful.
#[derive(Debug)]
pub struct Lawful {
    actor: Actor,
}

impl Lawful {
    /// The model in a fresh state.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { actor: Actor::new(state) }
    }

    /// Tries the orders of `left` in which each thread keeps its own, until every call comes out
    /// as wanted.
    fn find_order(
        actor: &Actor,
        group: &[Issued<'_>],
        left: &[usize],
        replies: &mut Vec<(usize, Reply)>,
    ) -> Option<Actor> {
        if left.is_empty() {
            return Some(actor.clone());
        }
        for (at, &next) in left.iter().enumerate() {
            if left[..at].iter().any(|&early| group[early].thread == group[next].thread) {
                continue;
            }
            let mut trial = actor.clone();
            let (reply, liked) = trial.act_preferring(group[next].call, group[next].wanted);
            if !liked {
                continue;
            }
            replies.push((next, reply));
            let mut rest = left.to_vec();
            rest.remove(at);
            if let Some(done) = Self::find_order(&trial, group, &rest, replies) {
                return Some(done);
            }
            replies.pop();
        }
        None
    }
}

/// What is wanted, but for a want of memory.
struct Explained<'a>(Wanted<'a>);

impl Preference for Explained<'_> {
    fn likes(&self, outcome: &Outcome) -> bool {
        let lacks = matches!(outcome, Outcome::Refused(refusal) if refusal.is_out_of_memory());
        !lacks && self.0.likes(outcome)
    }

    fn instead_of(&self, outcome: &Outcome) -> Vec<Outcome> {
        self.0.instead_of(outcome)
    }
}

impl Callee for Lawful {
    fn call(&mut self, issued: &Issued<'_>) -> Reply {
        self.actor.act_preferring(issued.call, issued.wanted).0
    }

    fn call_together(&mut self, group: &[Issued<'_>]) -> Vec<Reply> {
        let all: Vec<usize> = (0..group.len()).collect();
        // That memory is short may explain any refusal: not while an order explains it.
        let wishes: Vec<Explained<'_>> =
            group.iter().map(|issued| Explained(issued.wanted)).collect();
        let explained = group.iter().zip(&wishes).map(|(it, wanted)| Issued { wanted, ..*it });
        let explained: Vec<Issued<'_>> = explained.collect();
        for group in [&explained[..], group] {
            let mut replies = Vec::new();
            if let Some(done) = Self::find_order(&self.actor, group, &all, &mut replies) {
                self.actor = done;
                replies.sort_by_key(|(at, _)| *at);
                return replies.into_iter().map(|(_, reply)| reply).collect();
            }
        }
        group.iter().map(|issued| self.call(issued)).collect()
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Runs `body` with a callee for `subject`.
pub fn with_threads<T>(subject: &dyn Subject, body: impl FnOnce(&mut dyn Callee) -> T) -> T {
    with_threads_of(subject, &[], body)
}

/// The same, and the threads of these steps are there before `body` begins. In a process that a
/// subject shares with us, the stack of a thread that begins later might take a place which the
/// case has just found free.
pub fn with_threads_of<T>(
    subject: &dyn Subject,
    steps: &[Step],
    body: impl FnOnce(&mut dyn Callee) -> T,
) -> T {
    thread::scope(|scope| {
        let mut threads = Threads::new(subject, scope);
        for step in steps.iter().filter(|step| step.thread != 0) {
            threads.worker(step.thread);
        }
        body(&mut threads)
    })
}
