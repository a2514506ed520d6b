//! A smoke test that tells a wrong adapter from a wrong implementation.
//!
//! The adapter's part is everything that needs no manager: the lines, the numbers, the slots.
//! `Echo` shows those by themselves, so a mistake there is not taken for one of the manager's.
//! What is asked of the manager is as little as any must do, and at last every method that is
//! declared, once ([`super::smoke_methods`]).
//!
//! Deliberately not here: the law. `hostmem check` and `hostmem conform` know it.

use std::sync::Arc;

use hostmem_interface::{
    Address, AllocationType, Breakage, Call, Capability, CriticalLevel, Data, Description,
    FreeType, Machine, MemoryBasicInformation, OpenError, OutPointer, Outcome, Protection, Value,
};

use super::answers;
use super::backend::{AgentBackend, closed, introduced, opened};
use super::batch::notifications;
use super::calls::{self, Packed};
use super::conversation::Conversation;
use super::messages::{Ask, Reply};
use super::methods::ECHO;
use super::numbers::{Flat, Number};
use super::smoke_methods;

/// Whose mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of the lines of code between hostmem and the implementation.
    Adapter,
    /// Of what is adapted, or of how its words were translated.
    Implementation,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// What is wrong, if anything is.
    pub wrong: Option<(Whose, String)>,
}

/// A mistake.
type Wrong = (Whose, String);

/// Looks at everything in turn, up to the first mistake.
#[must_use]
pub fn smoke(backend: &AgentBackend) -> Vec<Check> {
    let mut checks = Vec::new();
    let done = run(backend, &mut checks);
    if let (Err(wrong), Some(last)) = (done, checks.last_mut()) {
        last.wrong = Some(wrong);
    }
    checks
}

fn run(backend: &AgentBackend, checks: &mut Vec<Check>) -> Result<(), Wrong> {
    let mut next = |what| checks.push(Check { what, wrong: None });
    next("it starts, and says what it is");
    let mut talk = backend.converse().map_err(|error| adapter(error.to_string()))?;
    let about = introduced(&mut talk).map_err(not_opened)?;
    let who = about.description().map_err(adapter)?;
    next("it opens an address space");
    let mut test = Test { talk, who, slots: 0 };
    test.open()?;
    next("Echo gives every number back, those beyond 2^53 too");
    test.echo_numbers()?;
    next("many calls in a line get as many answers, in order");
    test.many_calls()?;
    next("an allocation succeeds");
    let base = test.allocate(0x2_0000, 0)?;
    next("slot 0 is what it returned");
    test.echo_slot(0, 0x1000, base.wrapping_add(0x1000))?;
    test.echo_slot(0, 0x1000_u64.wrapping_neg(), Address(base.0.wrapping_sub(0x1000)))?;
    next("a slot can be used in the line that fills it");
    test.slot_in_its_line()?;
    next("a refused allocation takes a slot too, which is 0");
    test.refused_slot()?;
    if test.who.capabilities.has(Capability::Query) {
        next("a query shows the allocation");
        test.query(base)?;
    }
    if test.who.capabilities.has(Capability::Contents) {
        next("what is written is read");
        test.contents()?;
    }
    next("the allocation can be given back");
    test.release()?;
    next("close and open begin anew: slots are counted from 0 again");
    test.close()?;
    test.open()?;
    let base = test.allocate(0x1_0000, 0)?;
    test.echo_slot(0, 0, base)?;
    next("it answers every method that it says it has, one way or the other");
    test.every_method()?;
    next("it stops");
    test.talk.stop().map_err(broke)
}

const fn adapter(why: String) -> Wrong {
    (Whose::Adapter, why)
}

const fn implementation(why: String) -> Wrong {
    (Whose::Implementation, why)
}

/// An adapter that says what it could not do did its own part well.
fn broke(how: Breakage) -> Wrong {
    match how {
        Breakage::Reported(_) => implementation(format!("it {how}")),
        how => adapter(how.to_string()),
    }
}

fn not_opened(error: OpenError) -> Wrong {
    match error {
        OpenError::Broken(how) => broke(how),
        OpenError::Machine(why) | OpenError::Unavailable(why) => {
            implementation(format!("it has no such thing: {why}"))
        }
    }
}

struct Test {
    talk: Conversation,
    who: Description,
    /// How many calls have allocated.
    slots: i64,
}

impl Test {
    fn open(&mut self) -> Result<(), Wrong> {
        self.slots = 0;
        let machine = self.who.machine;
        let wanted = Machine { physical: None, commit_limit: None, ..machine };
        let shown = opened(&mut self.talk, &wanted, &machine).map_err(not_opened)?;
        match wanted.difference(&shown) {
            None => Ok(()),
            Some(why) => Err(adapter(format!("its answer to open: {why}, as it said at start"))),
        }
    }

    fn close(&mut self) -> Result<(), Wrong> {
        closed(&mut self.talk).map_err(broke)
    }

    /// The reply to a line, whatever it is.
    fn reply(&mut self, calls: Vec<Flat>, sent: &str) -> Result<Reply<Vec<Flat>>, Wrong> {
        let asks_manager = asks_manager(&calls);
        let count = calls.len();
        let reply = self.talk.ask::<Vec<Flat>>(Ask::Run(calls), sent);
        // Whoever has begun to answer has heard from the manager.
        let behind = asks_manager && !self.talk.hung_within_a_line();
        let reply = reply.map_err(|how| match how {
            // Echo goes well by itself: what dies or hangs here is most likely behind it.
            Breakage::Died(_) | Breakage::Hung(_) if behind => implementation(format!("it {how}")),
            how => adapter(how.to_string()),
        })?;
        self.notified(&reply, count).map_err(|why| adapter(format!("{sent}: {why}")))?;
        Ok(reply)
    }

    /// Whether `notified` can be what came of that many calls.
    fn notified(&self, reply: &Reply<Vec<Flat>>, calls: usize) -> Result<(), String> {
        notifications(&reply.notified, calls).map_err(|why| format!("`notified`: {why}"))?;
        if reply.notified.is_empty() || self.who.capabilities.has(Capability::Notifications) {
            return Ok(());
        }
        Err("`notified` is there, and the capability `notifications` was not declared".into())
    }

    /// The answers to a line.
    fn line(&mut self, calls: Vec<Flat>) -> Result<Vec<Flat>, Wrong> {
        let sent = shown(&calls);
        let count = calls.len();
        // Echo asks no manager anything, so there is nothing behind it to be wrong.
        let whose = if asks_manager(&calls) { implementation } else { adapter };
        let reply = self.reply(calls, &sent)?;
        let why = reply.reason();
        let answers = reply.outcome.ok_or_else(|| match why {
            (true, why) => whose(format!("{sent}: it has no such thing: {why}")),
            (false, why) => whose(format!("{sent}: it {}", Breakage::Reported(why))),
        })?;
        if answers.len() == count {
            return Ok(answers);
        }
        Err(adapter(format!("{sent} are {count} calls, and {} answers came", answers.len())))
    }

    fn echo(&mut self, slot: i64, offset: i128, rest: &[i128]) -> Result<Flat, Wrong> {
        let mut answers = self.line(vec![echo(slot, offset, rest)])?;
        Ok(answers.remove(0))
    }

    fn echo_numbers(&mut self) -> Result<(), Wrong> {
        let numbers: [i128; 7] =
            [0, 1, 4096, (1 << 53) - 1, (1 << 53) + 1, 1 << 63, u64::MAX.into()];
        for offset in numbers {
            let answer = self.echo(-1, offset, &numbers)?;
            let expected: Flat = [0, offset].into_iter().chain(numbers).map(Number).collect();
            if answer != expected {
                let sent = shown(&[echo(-1, offset, &numbers)]);
                let (expected, came) = (shown(&[expected]), shown(&[answer]));
                return Err(adapter(format!("{sent} must be answered {expected}, not {came}")));
            }
        }
        Ok(())
    }

    fn many_calls(&mut self) -> Result<(), Wrong> {
        let calls: Vec<Flat> = (0..100).map(|number| echo(-1, number, &[7])).collect();
        let answers = self.line(calls)?;
        let expected = (0..100).map(|number| vec![Number(0), Number(number), Number(7)]);
        match answers.into_iter().eq(expected) {
            true => Ok(()),
            false => Err(adapter("the answers to 100 Echo calls are not in their order".into())),
        }
    }

    fn echo_slot(&mut self, slot: i64, offset: u64, expected: Address) -> Result<(), Wrong> {
        let signed = i128::from(offset.cast_signed());
        let answer = self.echo(slot, signed, &[])?;
        if answer == [Number(0), expected.0.into()] {
            return Ok(());
        }
        let (sent, came) = (shown(&[echo(slot, signed, &[])]), shown(&[answer]));
        Err(adapter(format!("{sent} must be answered [[0,{}]], not {came}", expected.0)))
    }

    /// What a call comes to. An answer that cannot be one is the adapter's mistake.
    fn call(&mut self, call: &Call<Packed>) -> Result<Outcome, Wrong> {
        let flat = calls::write(call);
        let sent = shown(std::slice::from_ref(&flat));
        let answer = self.line(vec![flat])?.remove(0);
        self.slots += i64::from(call.allocates());
        self.read(call, &answer, &sent)
    }

    fn read(&self, call: &Call<Packed>, answer: &Flat, sent: &str) -> Result<Outcome, Wrong> {
        answers::read(call, answer, &self.who, 0).map_err(|why| {
            let came = shown(std::slice::from_ref(answer));
            adapter(format!("{sent} ({}) was answered {came}: {why}", call.name()))
        })
    }

    /// Calls of every kind, each of which has some answer, or is unsupported after all.
    fn every_method(&mut self) -> Result<(), Wrong> {
        for call in smoke_methods::calls(&self.who) {
            let flat = calls::write(&call);
            let sent = format!("{} {}", call.name(), shown(std::slice::from_ref(&flat)));
            let reply = self.reply(vec![flat], &sent)?;
            match (reply.outcome.as_deref(), reply.reason()) {
                (Some([answer]), _) => drop(self.read(&call, answer, &sent)?),
                (Some(other), _) => {
                    let why = format!("{sent} is one call, and {} answers came", other.len());
                    return Err(adapter(why));
                }
                // Nobody knows then which slot comes next.
                (None, (true, _)) if call.allocates() => break,
                (None, (true, _)) => {}
                (None, (false, why)) => {
                    let how = Breakage::Reported(why);
                    return Err(implementation(format!("{sent}: it {how}")));
                }
            }
        }
        Ok(())
    }

    fn allocate(&mut self, size: u64, address: u64) -> Result<Address, Wrong> {
        let outcome = self.call(&reserve_and_commit(size, address))?;
        let unit = self.who.machine.granularity;
        match outcome.address() {
            Some(base) if base != Address::NULL && base.0 % unit == 0 => Ok(base),
            _ => Err((
                Whose::Implementation,
                format!(
                    "VirtualAlloc(null, {size:#x}, MEM_RESERVE|MEM_COMMIT, PAGE_READWRITE) must \
                     give a multiple of {unit:#x}, not: {outcome}"
                ),
            )),
        }
    }

    fn slot_in_its_line(&mut self) -> Result<(), Wrong> {
        let slot = self.slots;
        let call = reserve_and_commit(0x1000, 0);
        let answers = self.line(vec![calls::write(&call), echo(slot, 5, &[])])?;
        self.slots += 1;
        let outcome = answers::read(&call, &answers[0], &self.who, 0).map_err(adapter)?;
        let base = outcome.address().unwrap_or_default();
        match answers[1] == [Number(0), base.wrapping_add(5).0.into()] {
            true => Ok(()),
            false => Err(adapter(format!(
                "behind an allocation at {} in the same line, slot {slot} with offset 5 came to {}",
                base.0,
                shown(&answers[1..])
            ))),
        }
    }

    fn refused_slot(&mut self) -> Result<(), Wrong> {
        let slot = self.slots;
        let outcome = self.call(&reserve_and_commit(0, 0))?;
        if outcome.is_done() {
            let why = format!("an allocation of no bytes must be refused (VA-08), not: {outcome}");
            return Err((Whose::Implementation, why));
        }
        self.echo_slot(slot, 9, Address(9))
    }

    fn query(&mut self, base: Address) -> Result<(), Wrong> {
        let address = Packed { slot: 0, offset: 0x1000 };
        let (length, buffer) = (MemoryBasicInformation::SIZE, OutPointer::Valid);
        let outcome = self.call(&Call::VirtualQuery { address, length, buffer })?;
        match outcome.value() {
            Some(Value::Region(at))
                if at.information.base_address == base.wrapping_add(0x1000)
                    && at.information.allocation_base == base =>
            {
                Ok(())
            }
            _ => Err((
                Whose::Implementation,
                format!("VirtualQuery of the second page of {base} came to: {outcome}"),
            )),
        }
    }

    /// Writes bytes and reads them back; what is wrong, if that is not what came.
    fn write_and_read(&mut self, bytes: [u8; 8]) -> Result<Option<String>, Wrong> {
        let address = Packed { slot: 0, offset: 0x100 };
        let write = Call::Write { address, data: Data::Bytes(Arc::new(bytes)) };
        let written = self.call(&write)?;
        let read = self.call(&Call::Read { address, size: 8 })?;
        let expected = Outcome::done(Value::Bytes(bytes.to_vec()));
        if written.is_done() && read == expected {
            return Ok(None);
        }
        let sent = shown(&[calls::write(&write), calls::write(&Call::Read { address, size: 8 })]);
        Ok(Some(format!("{sent} came to {written}, and to {read}, not to {expected}")))
    }

    /// Bytes of one value show whether memory works, and those of several whether runs do.
    fn contents(&mut self) -> Result<(), Wrong> {
        if let Some(why) = self.write_and_read([7; 8])? {
            let why = format!("{why} (or these bytes, 8 times 07, never got to it)");
            return Err((Whose::Implementation, why));
        }
        match self.write_and_read([7, 7, 7, 0, 1, 255, 255, 255])? {
            None => Ok(()),
            Some(why) => Err(adapter(format!("{why}: bytes come in pairs, how many and which"))),
        }
    }

    fn release(&mut self) -> Result<(), Wrong> {
        let address = Packed { slot: 0, offset: 0 };
        let outcome =
            self.call(&Call::VirtualFree { address, size: 0, kind: FreeType::RELEASE })?;
        match outcome.is_done() {
            true => Ok(()),
            false => Err((Whose::Implementation, format!("VirtualFree came to: {outcome}"))),
        }
    }
}

fn reserve_and_commit(size: u64, address: u64) -> Call<Packed> {
    Call::VirtualAlloc {
        address: Packed::absolute(address),
        size,
        kind: AllocationType::RESERVE | AllocationType::COMMIT,
        protect: Protection::READWRITE,
        critical: CriticalLevel::TASK,
    }
}

fn echo(slot: i64, offset: i128, rest: &[i128]) -> Flat {
    let head = [i128::from(ECHO), slot.into(), offset];
    head.into_iter().chain(rest.iter().copied()).map(Number).collect()
}

fn asks_manager(calls: &[Flat]) -> bool {
    calls.iter().any(|call| call[0] != ECHO.into())
}

fn shown(calls: &[Flat]) -> String {
    serde_json::to_string(calls).expect("numbers are plain data")
}
