//! One step: its members are checked against the table, then become an [`Action`].
//!
//! Deliberately not here: the members of `expect` ([`super::expect`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::json::{Json, Member, Node, quote};
use super::names::{Lane, Names};
use super::read::ReadError;
use super::table::{self, Binds, COMMON, SHAPES, Shape, Word};
use super::{
    Action, MAX_GROUP, MAX_READ, MAX_THREADS, MAX_WRITTEN, Name, Place, Step, SymbolicCall, expect,
    value,
};
use crate::{
    AllocationType, Call, CriticalLevel, Data, FreeType, Hresult, MallocType, OutPointer,
    Protection, WatchFlags, WatchPointers,
};

/// What the reader of a step must know of the steps before it.
#[derive(Debug, Default)]
pub(super) struct Steps {
    names: Names,
    written: u64,
    /// The number of the current group, how many steps it has, and their thread if it is one.
    with: Option<u64>,
    group: u32,
    members: usize,
    alone: Option<u32>,
    threads: BTreeSet<u32>,
}

impl Steps {
    /// Every name that was bound.
    pub(super) fn into_names(self) -> Vec<Arc<str>> {
        self.names.into_list()
    }

    /// Reads the next step.
    pub(super) fn read(&mut self, node: &Node<'_>) -> Result<Step, ReadError> {
        let fields = Fields::of(node)?;
        let thread = fields.optional("thread", value::number_32)?.unwrap_or(0);
        self.threads.insert(thread);
        if self.threads.len() > MAX_THREADS {
            let node = fields.get("thread").unwrap_or(fields.step);
            return Err(node.wrong(format!("more than {MAX_THREADS} threads")));
        }
        let with = fields.optional("with", |node| value::number_in(node, u64::MAX))?;
        let lane = self.enter_group(&fields, with, thread)?;
        let action = Builder { fields: &fields, names: &self.names, lane }.action()?;
        self.count_written(&fields, &action)?;
        let bind = self.bind(&fields, lane)?;
        let note = fields.optional("note", |node| value::text(node).map(Arc::from))?;
        let expect = match fields.get("expect") {
            None => None,
            Some(node) => Some(Box::new(expect::read(node, fields.shape, &self.names)?)),
        };
        Ok(Step { action, bind, thread, with, note, expect, position: node.at })
    }

    fn enter_group(
        &mut self,
        fields: &Fields<'_, '_>,
        with: Option<u64>,
        thread: u32,
    ) -> Result<Option<Lane>, ReadError> {
        if with.is_none() || with != self.with {
            self.with = with;
            self.members = 0;
            self.alone = Some(thread);
            self.group += 1;
        }
        let Some(node) = fields.get("with") else { return Ok(None) };
        self.members += 1;
        self.alone = self.alone.filter(|it| *it == thread);
        if self.alone.is_none() && self.members > MAX_GROUP {
            return Err(node.wrong(format!(
                "more than {MAX_GROUP} consecutive steps with {}; at most {MAX_GROUP} may overlap",
                node.describe()
            )));
        }
        Ok(Some(Lane { group: self.group, thread }))
    }

    fn bind(
        &mut self,
        fields: &Fields<'_, '_>,
        lane: Option<Lane>,
    ) -> Result<Option<Name>, ReadError> {
        let shape = fields.shape;
        let Some(node) = fields.get("bind") else {
            if shape.binds == Binds::Place {
                return Err(fields.step.wrong(format!(
                    "{} without \"bind\": expected a name for the place that it finds",
                    shape.call
                )));
            }
            return Ok(None);
        };
        if shape.binds == Binds::Nothing {
            return Err(node.wrong(format!("{} returns nothing to bind a name to", shape.call)));
        }
        self.names.bind(node, shape.binds == Binds::Heap, lane).map(Some)
    }

    fn count_written(&mut self, fields: &Fields<'_, '_>, action: &Action) -> Result<(), ReadError> {
        let Action::Call(Call::Write { data, .. }) = action else { return Ok(()) };
        self.written = self.written.saturating_add(data.size());
        if self.written > MAX_WRITTEN {
            let node = fields.get("size").unwrap_or(fields.step);
            return Err(node.wrong(format!(
                "the steps up to here write more than {MAX_WRITTEN} bytes, the most that a \
                 scenario may write"
            )));
        }
        Ok(())
    }
}

/// The members of a step, all known and none missing.
struct Fields<'n, 'a> {
    step: &'n Node<'a>,
    shape: &'static Shape,
    members: &'n [Member<'a>],
}

impl<'n, 'a> Fields<'n, 'a> {
    fn of(step: &'n Node<'a>) -> Result<Self, ReadError> {
        let Json::Object(members) = &step.json else {
            return Err(step.wrong(format!("found {}, expected a step", step.describe())));
        };
        let Some(call) = members.iter().find(|member| member.name == "call") else {
            return Err(step.wrong("a step without \"call\""));
        };
        let name = value::text(&call.value)?;
        let Some(shape) = Shape::named(name) else {
            let calls: Vec<_> = SHAPES.iter().map(|shape| shape.call).collect();
            return Err(call.value.wrong(value::unknown("call", name, &calls)));
        };
        let fields = Self { step, shape, members };
        for member in members {
            fields.check_known(member)?;
        }
        for argument in shape.arguments {
            if argument.required && fields.get(argument.name).is_none() {
                let message = format!("{name} without \"{}\"", argument.name);
                return Err(step.wrong(message));
            }
        }
        Ok(fields)
    }

    fn check_known(&self, member: &Member<'_>) -> Result<(), ReadError> {
        let name = &*member.name;
        let arguments = self.shape.arguments.iter().map(|argument| argument.name);
        let known: Vec<_> = ["call"].into_iter().chain(arguments).chain(COMMON).collect();
        if known.contains(&name) {
            return Ok(());
        }
        let of_others =
            SHAPES.iter().any(|shape| shape.arguments.iter().any(|other| other.name == name));
        let message = if of_others {
            let list: Vec<_> = known.iter().map(|name| format!("\"{name}\"")).collect();
            let call = self.shape.call;
            format!("{} does not belong to {call}; expected {}", quote(name), list.join(", "))
        } else {
            value::unknown_in("member", name, &format!(" of {}", self.shape.call), &known)
        };
        Err(ReadError::new(member.at, message))
    }

    fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        self.members.iter().find(|member| member.name == name).map(|member| &member.value)
    }

    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'n Node<'a>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        self.get(name).map(|node| read(node).map_err(|why| why.inside(name))).transpose()
    }

    fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'n Node<'a>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.optional(name, read)?
            .ok_or_else(|| self.step.wrong(format!("{} without \"{name}\"", self.shape.call)))
    }
}

/// Makes an action of a step's arguments.
struct Builder<'f, 'n, 'a> {
    fields: &'f Fields<'n, 'a>,
    names: &'f Names,
    lane: Option<Lane>,
}

impl Builder<'_, '_, '_> {
    fn place(&self) -> Result<Place, ReadError> {
        self.fields.required("address", |node| self.names.place(node, self.lane))
    }

    fn heap(&self) -> Result<Name, ReadError> {
        self.fields.required("malloc", |node| self.names.heap(node, self.lane))
    }

    fn number(&self, name: &str, max: u64) -> Result<u64, ReadError> {
        self.fields.required(name, |node| value::number_in(node, max))
    }

    fn size(&self) -> Result<u64, ReadError> {
        self.number("size", u64::MAX)
    }

    fn word(&self, name: &str, word: &Word) -> Result<u32, ReadError> {
        self.fields.required(name, |node| value::word(node, word))
    }

    fn optional_word(&self, name: &str, word: &Word) -> Result<Option<u32>, ReadError> {
        self.fields.optional(name, |node| value::word(node, word))
    }

    fn critical(&self) -> Result<CriticalLevel, ReadError> {
        Ok(CriticalLevel(self.optional_word("critical", &table::CRITICAL)?.unwrap_or(0)))
    }

    fn protect(&self) -> Result<Protection, ReadError> {
        self.word("protect", &table::PROTECTION).map(Protection)
    }

    /// An out pointer: valid unless the member says `"null"`.
    fn pointer(&self, name: &str) -> Result<OutPointer, ReadError> {
        let read = |node: &Node<'_>| match &node.json {
            Json::Text(text) if text == "null" => Ok(OutPointer::Null),
            _ => {
                let found = node.describe();
                Err(node.wrong(format!("found {found}, expected \"null\" or no such member")))
            }
        };
        Ok(self.fields.optional(name, read)?.unwrap_or_default())
    }

    fn action(&self) -> Result<Action, ReadError> {
        match self.fields.shape.call {
            "Hole" => Ok(Action::Hole { size: self.size()? }),
            "Walk" => {
                let end =
                    |name| self.fields.optional(name, |node| self.names.place(node, self.lane));
                Ok(Action::Walk { from: end("from")?, to: end("to")? })
            }
            "FailNext" => self.fail_next(),
            _ => self.memory_call().map(Action::Call),
        }
    }

    fn memory_call(&self) -> Result<SymbolicCall, ReadError> {
        Ok(match self.fields.shape.call {
            "VirtualAlloc" => Call::VirtualAlloc {
                address: self.place()?,
                size: self.size()?,
                kind: AllocationType(self.word("type", &table::ALLOCATION)?),
                protect: self.protect()?,
                critical: self.critical()?,
            },
            "VirtualFree" => Call::VirtualFree {
                address: self.place()?,
                size: self.size()?,
                kind: FreeType(self.word("type", &table::FREE)?),
            },
            "VirtualProtect" => Call::VirtualProtect {
                address: self.place()?,
                size: self.size()?,
                protect: self.protect()?,
                old: self.pointer("old")?,
            },
            "VirtualQuery" => Call::VirtualQuery {
                address: self.place()?,
                buffer: self.pointer("buffer")?,
                length: match self.fields.get("length") {
                    None => crate::MemoryBasicInformation::SIZE,
                    Some(_) => self.number("length", u64::MAX)?,
                },
            },
            "GetMemoryLoad" => Call::GetMemoryLoad,
            "RegisterMemoryNotificationCallback" => Call::RegisterMemoryNotificationCallback,
            "NeedsVirtualAddressSpace" => {
                Call::NeedsVirtualAddressSpace { address: self.place()?, size: self.size()? }
            }
            "AcquiredVirtualAddressSpace" => {
                Call::AcquiredVirtualAddressSpace { address: self.place()?, size: self.size()? }
            }
            "ReleasedVirtualAddressSpace" => {
                Call::ReleasedVirtualAddressSpace { address: self.place()? }
            }
            "SetMemoryLoad" => Call::SetMemoryLoad {
                load: self.fields.required("load", value::number_32)?,
                available: self.number("available", u64::MAX)?,
            },
            _ => self.heap_call_or_access()?,
        })
    }

    fn heap_call_or_access(&self) -> Result<SymbolicCall, ReadError> {
        Ok(match self.fields.shape.call {
            "CreateMalloc" => {
                Call::CreateMalloc { kind: MallocType(self.word("kind", &table::MALLOC)?) }
            }
            "Alloc" => {
                Call::Alloc { malloc: self.heap()?, size: self.size()?, critical: self.critical()? }
            }
            "DebugAlloc" => Call::DebugAlloc {
                malloc: self.heap()?,
                size: self.size()?,
                critical: self.critical()?,
                file: self.fields.required("file", |node| value::text(node).map(Arc::from))?,
                line: i32::try_from(self.number("line", i32::MAX as u64)?)
                    .expect("at most 2^31 - 1"),
            },
            "Free" => Call::Free { malloc: self.heap()?, address: self.place()? },
            "Read" => Call::Read { address: self.place()?, size: self.read_size()? },
            "Write" => Call::Write { address: self.place()?, data: self.data()? },
            "Execute" => Call::Execute { address: self.place()? },
            "GetWriteWatch" => Call::GetWriteWatch {
                address: self.place()?,
                size: self.size()?,
                flags: WatchFlags(self.optional_word("flags", &table::WATCH)?.unwrap_or(0)),
                capacity: self.number("capacity", u64::MAX)?,
                null: self.null_pointers()?,
            },
            "ResetWriteWatch" => {
                Call::ResetWriteWatch { address: self.place()?, size: self.size()? }
            }
            other => unreachable!("{other} is in the table and was not built"),
        })
    }

    fn read_size(&self) -> Result<u64, ReadError> {
        let size = self.size()?;
        if size > MAX_READ {
            let node = self.fields.get("size").unwrap_or(self.fields.step);
            return Err(node.wrong(format!(
                "\"size\": a read of {size} bytes; at most {MAX_READ} (64 MiB) may be read at once"
            )));
        }
        Ok(size)
    }

    fn data(&self) -> Result<Data, ReadError> {
        let step = self.fields.step;
        let get = |name| self.fields.get(name);
        match (get("bytes"), get("size"), get("fill")) {
            (Some(_), None, None) => {
                let bytes = self.fields.required("bytes", value::hex)?;
                Ok(Data::Bytes(Arc::from(bytes)))
            }
            (None, Some(_), Some(_)) => Ok(Data::Fill {
                size: self.size()?,
                byte: self.fields.required("fill", value::byte)?,
            }),
            (Some(_), _, _) => {
                Err(step.wrong("Write with both \"bytes\" and \"size\" or \"fill\"; expected one"))
            }
            (None, _, _) => {
                Err(step.wrong("Write without \"bytes\"; expected it, or \"size\" and \"fill\""))
            }
        }
    }

    fn null_pointers(&self) -> Result<WatchPointers, ReadError> {
        let mut null = WatchPointers::default();
        let read = |node: &Node<'_>| {
            let name = value::text(node)?;
            let pointer = match name {
                "addresses" => &mut null.addresses,
                "count" => &mut null.count,
                "granularity" => &mut null.granularity,
                _ => {
                    let message = value::unknown("out pointer", name, &table::POINTERS);
                    return Err(node.wrong(message));
                }
            };
            *pointer = OutPointer::Null;
            Ok(())
        };
        self.fields.optional("null", |node| value::list(node, read))?;
        Ok(null)
    }

    fn fail_next(&self) -> Result<Action, ReadError> {
        let method = self.fields.required("method", |node| {
            let name = value::text(node)?;
            let can_fail = SHAPES.iter().filter(|shape| shape.can_be_refused());
            let methods: Vec<_> = can_fail.map(|shape| shape.call).collect();
            if methods.contains(&name) {
                Ok(Arc::from(name))
            } else {
                Err(node.wrong(value::unknown("method", name, &methods)))
            }
        })?;
        let count =
            self.fields.optional("count", |node| match value::number_in(node, u64::MAX)? {
                0 => Err(node.wrong("0 calls are refused; expected at least 1")),
                count => Ok(count),
            })?;
        let hresult = self.fields.optional("hresult", |node| {
            match Hresult(value::word(node, &table::HRESULT)?) {
                Hresult::S_OK => Err(node.wrong("S_OK is no refusal")),
                hresult => Ok(hresult),
            }
        })?;
        let level = self.optional_word("critical_at_most", &table::CRITICAL)?;
        Ok(Action::FailNext {
            method,
            count: count.unwrap_or(1),
            hresult: hresult.unwrap_or(Hresult::E_OUTOFMEMORY),
            critical_at_most: level.map(CriticalLevel),
        })
    }
}
