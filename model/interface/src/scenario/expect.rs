//! The member `expect`: what a step must come to.
//!
//! Deliberately not here: whether the law permits it (`hostmem-model`).

use super::json::{Json, Member, Node, quote};
use super::names::Names;
use super::read::ReadError;
use super::table::{self, Fails, SHAPES, Shape};
use super::{BytesExpectation, Expectation, Expected, FaultExpectation, Outputs, value};
use crate::{Hresult, MemoryAvailable, NtStatus, Protection, RegionState, RegionType, Win32Error};

/// Reads the expectation of a call of that shape.
pub(super) fn read(
    node: &Node<'_>,
    shape: &'static Shape,
    names: &Names,
) -> Result<Expectation, ReadError> {
    match &node.json {
        Json::Text(text) if text == "ok" => Ok(Expectation::ok()),
        Json::Text(text) if text == "fails" => {
            if shape.fails == Fails::Never {
                return Err(node.wrong(format!("{} never fails", shape.call)));
            }
            Ok(Expectation { outcome: Expected::Fails, notified: None })
        }
        Json::Object(members) => Reader { node, members, shape, names }.read(),
        _ => {
            let found = node.describe();
            Err(node.wrong(format!("found {found}, expected \"ok\", \"fails\" or an object")))
        }
    }
}

struct Reader<'n, 'a> {
    node: &'n Node<'a>,
    members: &'n [Member<'a>],
    shape: &'static Shape,
    names: &'n Names,
}

/// Which members may stand together.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Done,
    Refused,
    Faulted,
}

impl Reader<'_, '_> {
    fn read(&self) -> Result<Expectation, ReadError> {
        let form = self.form()?;
        let notified = match self.get("notified") {
            None => None,
            Some(node) => Some(value::list(node, |node| {
                value::word(node, &table::AVAILABLE).map(MemoryAvailable)
            })?),
        };
        let outcome = match form {
            Form::Done => Expected::Done(Box::new(self.outputs()?)),
            Form::Refused => self.refused()?,
            Form::Faulted => Expected::Fault(self.faults()?),
        };
        Ok(Expectation { outcome, notified })
    }

    fn get(&self, name: &str) -> Option<&Node<'_>> {
        self.members.iter().find(|member| member.name == name).map(|member| &member.value)
    }

    /// Which form it is; every member belongs to it and to the call.
    fn form(&self) -> Result<Form, ReadError> {
        let has = |name| self.get(name).is_some();
        let form = if has("error") || has("hresult") {
            Form::Refused
        } else if has("fault") {
            Form::Faulted
        } else {
            Form::Done
        };
        for member in self.members {
            self.check(form, member)?;
        }
        Ok(form)
    }

    fn check(&self, form: Form, member: &Member<'_>) -> Result<(), ReadError> {
        let name = &*member.name;
        let call = self.shape.call;
        let of_this = self.shape.outputs.iter().any(|output| output.name == name);
        let its_form = match name {
            "notified" => return Ok(()),
            "error" | "hresult" => Form::Refused,
            "fault" | "access" | "at" => Form::Faulted,
            _ if of_this => Form::Done,
            _ => return Err(ReadError::new(member.at, self.unknown(name))),
        };
        let message = match its_form {
            Form::Refused if self.shape.fails != Fails::Refused => {
                format!("{} does not belong to {call}, which is never refused", quote(name))
            }
            Form::Faulted if self.shape.fails != Fails::Faulted => {
                format!("{} does not belong to {call}, which never faults", quote(name))
            }
            _ if its_form == form => return Ok(()),
            Form::Faulted if form == Form::Done => {
                format!("{} without \"fault\"", quote(name))
            }
            _ => {
                let other = if form == Form::Refused { "a refusal" } else { "a fault" };
                format!("{} cannot be expected together with {other}", quote(name))
            }
        };
        Err(ReadError::new(member.at, message))
    }

    fn unknown(&self, name: &str) -> String {
        let call = self.shape.call;
        let mut known: Vec<_> = self.shape.outputs.iter().map(|output| output.name).collect();
        match self.shape.fails {
            Fails::Never => {}
            Fails::Refused => known.extend(["error", "hresult"]),
            Fails::Faulted => known.extend(["fault", "access", "at"]),
        }
        known.push("notified");
        let of_others =
            SHAPES.iter().any(|shape| shape.outputs.iter().any(|other| other.name == name));
        if of_others {
            let list: Vec<_> = known.iter().map(|name| format!("\"{name}\"")).collect();
            let list = list.join(", ");
            format!("{} is no output of {call}; expected one of {list}", quote(name))
        } else {
            value::unknown_in("expectation", name, &format!(" of {call}"), &known)
        }
    }

    fn refused(&self) -> Result<Expected, ReadError> {
        let codes = |name, word| match self.get(name) {
            None => Ok(Vec::new()),
            Some(node) => value::alternatives(node, |node| match value::word(node, word)? {
                code if name == "hresult" && Hresult(code) == Hresult::S_OK => {
                    Err(node.wrong("S_OK is no refusal"))
                }
                code => Ok(code),
            })
            .map_err(|why: ReadError| why.inside(name)),
        };
        Ok(Expected::Error {
            win32: codes("error", &table::ERROR)?.into_iter().map(Win32Error).collect(),
            hresult: codes("hresult", &table::HRESULT)?.into_iter().map(Hresult).collect(),
        })
    }

    fn faults(&self) -> Result<Vec<FaultExpectation>, ReadError> {
        let access = match self.get("access") {
            None => None,
            Some(node) => {
                let name = value::text(node)?;
                let known = table::ACCESSES;
                let Some(&(_, kind)) = known.iter().find(|(known, _)| *known == name) else {
                    let names: Vec<_> = known.iter().map(|&(name, _)| name).collect();
                    return Err(node.wrong(value::unknown("kind of access", name, &names)));
                };
                Some(kind)
            }
        };
        let at = self.get("at").map(|node| self.names.place(node, None)).transpose()?;
        let fault = self.get("fault").unwrap_or(self.node);
        value::alternatives(fault, |node| {
            let status = NtStatus(value::word(node, &table::STATUS)?);
            Ok(FaultExpectation { status, access, at })
        })
        .map_err(|why| why.inside("fault"))
    }

    fn outputs(&self) -> Result<Outputs, ReadError> {
        let mut outputs = Outputs::default();
        for member in self.members.iter().filter(|member| member.name != "notified") {
            self.output(&mut outputs, &member.name, &member.value)
                .map_err(|why| why.inside(&member.name))?;
        }
        Ok(outputs)
    }

    fn output(&self, to: &mut Outputs, name: &str, node: &Node<'_>) -> Result<(), ReadError> {
        let place = || self.names.place(node, None).map(Some);
        let size = || value::number_in(node, u64::MAX).map(Some);
        let protection =
            || value::word(node, &table::PROTECTION).map(|word| Some(Protection(word)));
        match name {
            "address" => to.address = place()?,
            "aligned" => to.aligned = Some(alignment(node)?),
            "old" => to.old = protection()?,
            "BaseAddress" => to.base_address = place()?,
            "AllocationBase" => to.allocation_base = place()?,
            "AllocationProtect" => to.allocation_protect = protection()?,
            "RegionSize" => to.region_size = size()?,
            "RegionSizeAtLeast" => to.region_size_at_least = size()?,
            "State" => to.state = Some(RegionState(value::word(node, &table::STATE)?)),
            "Protect" => to.protect = protection()?,
            "Type" => to.kind = Some(RegionType(value::word(node, &table::TYPE)?)),
            "load" => to.load = Some(value::number_32(node)?),
            "available" => to.available = size()?,
            "bytes" | "fill" => self.contents(to, name, node)?,
            "pages" => {
                to.pages = Some(value::list(node, |node| self.names.place(node, None))?);
            }
            "granularity" => to.granularity = Some(value::number_32(node)?),
            "contiguous" => to.contiguous = Some(value::boolean(node)?),
            "no_adjacent_free" => to.no_adjacent_free = Some(value::boolean(node)?),
            other => unreachable!("{other} is in the table and was not read"),
        }
        Ok(())
    }

    fn contents(&self, to: &mut Outputs, name: &str, node: &Node<'_>) -> Result<(), ReadError> {
        if to.bytes.is_some() {
            return Err(node.wrong("expected either \"bytes\" or \"fill\", not both"));
        }
        to.bytes = Some(if name == "fill" {
            BytesExpectation::Fill(value::byte(node)?)
        } else {
            BytesExpectation::Bytes(value::alternatives(node, value::hex)?)
        });
        Ok(())
    }
}

fn alignment(node: &Node<'_>) -> Result<u64, ReadError> {
    match value::number_in(node, u64::MAX)? {
        0 => Err(node.wrong("nothing is a multiple of 0; expected at least 1")),
        unit => Ok(unit),
    }
}
