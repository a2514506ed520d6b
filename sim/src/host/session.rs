//! One program on one runtime in this process, with every station of a request in its place.
//!
//! Deliberately not here: how the runtime is made to ask ([`hostmem_backends::win32::host`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use hostmem_backends::win32::arena::{ArenaManager, ArenaOptions, Watched};
use hostmem_backends::win32::host::seat::{self, Event};
use hostmem_backends::win32::host::{Asked, Program, Request, Runtime, Seat};
use hostmem_backends::win32::{Win32Backend, Win32Options};
use hostmem_interface::scenario::Level;
use hostmem_interface::{
    Call, Description, Host as _, HostMemoryManager as _, InProcess, Machine, MemoryAvailable,
    OutPointer, Outcome, Reply, Subject as _, Value,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::counts::Counts;
use super::court::{Court, Entry, Testimony};
use super::pressure::{self, Pressure};
use super::recording::Recording;
use super::report::Report;
use crate::cli::Error;
use crate::known::Known;
use crate::output::{complain, remark};
use crate::report::ExitStatus;

/// Where hostmem's arena is to lie: behind a runtime at its preferred address, whose code then
/// reaches it with jumps of 32 bits. Elsewhere does too.
const ARENA_AT: u64 = 0x1_9000_0000;
/// How often the live view is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// How a program is hosted.
#[derive(Debug, Default)]
pub struct Options {
    /// Whether answers are judged.
    pub check: bool,
    /// Whether hostmem's own manager answers.
    pub serve: bool,
    /// The scenario to write.
    pub record: Option<PathBuf>,
    /// What happens meanwhile.
    pub pressure: Option<Pressure>,
    /// Whether a summary is told at the end.
    pub summary: bool,
    /// Whether any divergence fails the run.
    pub strict: bool,
    /// What the program is called in reports.
    pub name: String,
}

/// Who answers.
enum Manager {
    System,
    Arena(InProcess<ArenaManager>),
}

impl Manager {
    fn answer(&self, request: Request) -> Outcome {
        let Self::Arena(arena) = self else { return request.pass_on() };
        let passed = match request.call() {
            // The runtime gets a real notification object.
            Call::RegisterMemoryNotificationCallback => true,
            // It also changes its own image, which no host gave it.
            Call::VirtualProtect { address, .. } => !arena.host().contains(*address),
            // A notice is of what is done.
            _ => request.asked() == Asked::Done,
        };
        if passed {
            return request.pass_on();
        }
        match arena.call(request.call()) {
            Reply::Outcome { outcome, .. } => outcome,
            other => unreachable!("the arena answers every call that a runtime makes: {other:?}"),
        }
    }
}

/// All that there is about one program.
struct Session {
    options: Options,
    manager: Arc<Manager>,
    court: Option<Court>,
    recording: Option<Recording>,
    counts: Counts,
    missed: Mutex<Vec<String>>,
    /// The objects of low and of high memory, under a script.
    events: Option<[Event; 2]>,
    source: String,
    over: AtomicBool,
    status: OnceLock<Option<u8>>,
}

/// The seat is taken for the life of the process, and so is the session.
struct Seated(&'static Session);

impl Seat for Seated {
    fn answer(&self, request: Request) -> Outcome {
        self.0.answer(request)
    }

    fn notification(&self, low: bool) -> Option<usize> {
        let [of_low, of_high] = self.0.events.as_ref()?;
        Some(if low { of_low.handle() } else { of_high.handle() })
    }

    fn missed(&self, name: &str) {
        let mut missed = self.0.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if !missed.iter().any(|known| known == name) {
            missed.push(name.to_owned());
        }
    }

    fn farewell(&self, _: Option<u32>) -> Option<u32> {
        self.0.end().map(u32::from)
    }
}

/// Runs a program; the exit code of this process.
///
/// # Errors
/// If the runtime or the manager cannot be had, or the runtime cannot run the program.
pub fn run(folder: &Path, program: &Program, options: Options) -> Result<i32, Error> {
    let session: &'static Session = Box::leak(Box::new(Session::new(options)?));
    let usage = |why: &dyn std::fmt::Display| Error::Usage(why.to_string());
    if seat::take(Box::new(Seated(session))).is_err() {
        return Err(usage(&"a process hosts one program"));
    }
    session.show();
    let runtime = Runtime::load(folder).map_err(|why| usage(&why))?;
    let code = runtime.run(program).map_err(|why| usage(&why))?;
    let ours = session.status.get().copied().flatten().map(i32::from);
    Ok(ours.unwrap_or(code.cast_signed()))
}

impl Session {
    fn new(options: Options) -> Result<Self, Error> {
        let failed = |why: &dyn std::fmt::Display| Error::Usage(why.to_string());
        let manager = if options.serve {
            let arena =
                ArenaOptions { watched: Watched::Apart, at: ARENA_AT, ..Default::default() };
            let arena = ArenaManager::open(arena)
                .map_err(|why| failed(&format_args!("no address space for the arena: {why}")))?;
            Manager::Arena(InProcess::new(arena))
        } else {
            Manager::System
        };
        let events = match options.pressure {
            Some(_) => Some([Event::new(), Event::new()]),
            None => None,
        };
        let events = events.map(|[low, high]| Ok::<_, std::io::Error>([low?, high?])).transpose();
        let subject = describe(&manager).map_err(|why| failed(&why))?;
        let recording = options.record.as_ref().map(|_| Recording::default());
        let manager = Arc::new(manager);
        let judged = options.check || recording.is_some() || options.pressure.is_some();
        let court = judged.then(|| court(&subject, &manager, recording.clone()));
        let court = court.transpose()?;
        let source =
            format!("Microsoft .NET on {}, answered by {}", subject.version, answered_by(&manager));
        Ok(Self {
            options,
            manager,
            court,
            recording,
            counts: Counts::default(),
            missed: Mutex::default(),
            events: events.map_err(|why| failed(&why))?,
            source,
            over: AtomicBool::new(false),
            status: OnceLock::new(),
        })
    }

    fn answer(&self, request: Request) -> Outcome {
        let number = self.counts.count(request.call());
        if let Some(script) = &self.options.pressure {
            script.advance(number).into_iter().for_each(|notice| self.notify(notice));
        }
        let Some(court) = &self.court else { return self.manager.answer(request) };
        let thread = request.thread();
        let call = request.call().clone();
        if let Some(outcome) = self.injected(court, &call) {
            let said = Testimony { thread, call, outcome: outcome.clone() };
            if let Some(recording) = &self.recording {
                recording.keep(said, true);
            }
            return outcome;
        }
        let Some(entry) = court.enter(&call) else { return request.pass_on() };
        let outcome = self.manager.answer(request);
        self.judge(court, entry, Testimony { thread, call, outcome })
    }

    /// Gives the testimony, and what the runtime is answered.
    fn judge(&self, court: &Court, entry: Entry, said: Testimony) -> Outcome {
        let outcome = said.outcome.clone();
        let is_load = matches!(said.call, Call::GetMemoryLoad);
        court.leave(entry, said);
        let scripted = self.options.pressure.as_ref().filter(|_| is_load);
        match scripted.and_then(Pressure::load) {
            Some(load) => Outcome::done(Value::Load(load)),
            None => outcome,
        }
    }

    /// The refusal of a script's.
    fn injected(&self, court: &Court, call: &Call) -> Option<Outcome> {
        let script = self.options.pressure.as_ref()?;
        let owner = call.address().and_then(|at| court.terms(*at));
        let mut levelled = call.clone();
        if let Call::VirtualAlloc { critical, .. } = &mut levelled {
            *critical = pressure::critical(call, owner);
        }
        script.refuse(&levelled).map(Outcome::Refused)
    }

    fn notify(&self, available: MemoryAvailable) {
        if let Some([low, high]) = &self.events {
            low.set(available == MemoryAvailable::LOW);
            high.set(available == MemoryAvailable::HIGH);
        }
    }

    /// The live view, on a terminal.
    fn show(&'static self) {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if bar.is_hidden() || !self.options.summary {
            return;
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
        bar.set_style(style.expect("a template without mistakes"));
        thread::spawn(move || {
            while !self.over.load(Ordering::Acquire) {
                bar.set_message(format!("{} calls: {}", self.counts.all(), self.counts.line()));
                bar.tick();
                thread::sleep(FRAME);
            }
            bar.finish_and_clear();
        });
    }

    /// Tells of the whole and keeps the recording; the status that replaces the program's exit
    /// code, if the run failed.
    fn end(&self) -> Option<u8> {
        *self.status.get_or_init(|| {
            self.over.store(true, Ordering::Release);
            let report = self.report();
            if self.options.summary {
                remark(report.to_string().trim_end());
            } else if let Some(Err(why)) = &report.recording {
                complain(why);
            }
            let worst = report.findings.as_ref().and_then(|findings| findings.worst);
            let fails = |level| level == Level::Must || self.options.strict;
            if matches!(report.recording, Some(Err(_))) {
                Some(ExitStatus::Usage.code())
            } else {
                worst.filter(|level| fails(*level)).map(|_| ExitStatus::Diverges.code())
            }
        })
    }

    fn report(&self) -> Report {
        let recording = self.recording.as_ref().zip(self.options.record.as_ref());
        let recording = recording.map(|(recording, path)| {
            let written = recording.write(path, &self.options.name, &self.source);
            written.map(|summary| summary.to_string()).map_err(|why| why.to_string())
        });
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        missed.extend(Runtime::left_over());
        Report {
            answered_by: answered_by(&self.manager).to_owned(),
            calls: self.counts.all(),
            counts: self.counts.line(),
            early: seat::early(),
            patched: Runtime::patched(),
            missed,
            findings: self.court.as_ref().map(Court::findings),
            pressure: self.options.pressure.as_ref().map(Pressure::told),
            recording,
        }
    }
}

fn answered_by(manager: &Manager) -> &'static str {
    match manager {
        Manager::System => "the system",
        Manager::Arena(_) => "hostmem's arena",
    }
}

/// What the manager says of itself.
fn describe(manager: &Manager) -> Result<Description, String> {
    match manager {
        Manager::Arena(arena) => Ok(arena.host().description().clone()),
        Manager::System => {
            let system = Win32Backend::new(Win32Options::default());
            let manager = system.manager(&Machine::WINDOWS_X64).map_err(|why| why.to_string())?;
            Ok(manager.description().clone())
        }
    }
}

/// A court for the manager's answers, with the list of what is known of it.
fn court(
    subject: &Description,
    manager: &Arc<Manager>,
    recording: Option<Recording>,
) -> Result<Court, Error> {
    let known = Known::builtin()?.of(&subject.implementation()).cloned();
    let shown = Arc::clone(manager);
    let look = move |at| match &*shown {
        Manager::System => seat::region(at),
        Manager::Arena(arena) => {
            let length = hostmem_interface::MemoryBasicInformation::SIZE;
            let told = arena.host().virtual_query(at, OutPointer::Valid, length);
            told.ok().map(|answer| answer.information)
        }
    };
    let keep = move |said| {
        if let Some(recording) = &recording {
            recording.keep(said, false);
        }
    };
    Ok(Court::new(subject, known, Box::new(look), Box::new(keep)))
}
