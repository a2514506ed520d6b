//! The lines of the protocol: requests and replies as JSON documents.
//!
//! hostmem writes every request in one form: `id` first, no spaces, one line. An adapter may
//! therefore find everything with a scanner for numbers. Replies are read as any JSON.
//!
//! Deliberately not here: what the numbers of a call mean ([`super::calls`],
//! [`super::answers`]).

use std::collections::BTreeMap;

use hostmem_interface::{Capabilities, Capability, Description, Grain, Machine};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::numbers::{Flat, Number, Taker};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What hostmem asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ask {
    /// The first request: the version of the protocol.
    Start(Flat),
    /// A fresh, empty address space: page, granularity, lowest and highest address, physical
    /// memory and commit limit; 0 where any will do.
    Open(Flat),
    /// Carry out these calls.
    Run(Vec<Flat>),
    /// The case is over.
    Close(Flat),
    /// The process is to end.
    Stop(Flat),
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Which one, counted from 1.
    pub id: u64,
    #[serde(flatten)]
    pub ask: Ask,
}

/// A reply whose outcome is a `T`: of `start` an [`About`], of `run` an answer for each call, of
/// `open` the numbers of the machine that is shown (none: as in `start`), else nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply<T> {
    /// The request that it answers.
    pub id: u64,
    /// It was done; what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<T>,
    /// The implementation cannot do that; why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// Where one can read about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The implementation broke; how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Notifications that were delivered: the index of the call, then the notification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Number>,
}

impl<T> Reply<T> {
    /// The reply to a request that was carried out.
    pub(super) const fn done(id: u64, outcome: T) -> Self {
        let (unsupported, link, broken) = (None, None, None);
        Self { id, outcome: Some(outcome), unsupported, link, broken, notified: Vec::new() }
    }

    /// The reason of a reply that is no outcome, with its link, and whether it only is
    /// unsupported.
    pub(super) fn reason(&self) -> (bool, String) {
        match (&self.unsupported, &self.broken) {
            (Some(why), _) => {
                let link = self.link.as_ref().map_or(String::new(), |link| format!(" ({link})"));
                (true, one_line(&format!("{why}{link}")))
            }
            (None, why) => (false, one_line(why.as_deref().unwrap_or_default())),
        }
    }
}

/// A text from an adapter as it came, but for control characters: a line end in it would look
/// like one of a report.
pub(super) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// What an adapter says of itself and of what it adapts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// The implementation.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Where one can read about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// Bytes.
    pub page: Number,
    /// Bytes.
    pub granularity: Number,
    /// The lowest address of user space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<Number>,
    /// The highest, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<Number>,
    /// Physical memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical: Option<Number>,
    /// How much can be committed, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_limit: Option<Number>,
    /// How it says no: `win32`, `hresult` or `yes-no`.
    pub errors: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Why it cannot do something, by capability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
}

impl About {
    /// A subject's description in the words of the protocol.
    pub(super) fn of(description: &Description, homepage: &str) -> Self {
        let machine = &description.machine;
        Self {
            protocol: PROTOCOL,
            name: description.name.clone(),
            version: description.version.clone(),
            homepage: homepage.to_owned(),
            page: machine.page.into(),
            granularity: machine.granularity.into(),
            lowest: Some(machine.lowest.into()),
            highest: Some(machine.highest.into()),
            physical: machine.physical.map(Number::from),
            commit_limit: machine.commit_limit.map(Number::from),
            errors: description.grain.name().to_owned(),
            capabilities: description.capabilities.iter().map(|it| it.name().to_owned()).collect(),
            absent: description
                .absent
                .iter()
                .map(|(capability, why)| (capability.name().to_owned(), why.clone()))
                .collect(),
        }
    }

    /// What came as the answer to `start`.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn read(came: Value) -> Result<Self, String> {
        if !came.is_object() {
            return Err(format!("expected an object, not {}", kind(&came)));
        }
        serde_json::from_value(came).map_err(|error| one_line(&error.to_string()))
    }

    /// The inverse of [`About::of`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn description(&self) -> Result<Description, String> {
        if self.protocol != PROTOCOL {
            let (theirs, ours) = (self.protocol, PROTOCOL);
            return Err(format!("it speaks version {theirs} of the protocol, not {ours}"));
        }
        let usual = Machine::WINDOWS_X64;
        let or = |number: Option<Number>, usual: u64| number.map_or(Ok(usual), size);
        let machine = Machine {
            page: size(self.page)?,
            granularity: size(self.granularity)?,
            lowest: or(self.lowest, usual.lowest)?,
            highest: or(self.highest, usual.highest)?,
            physical: self.physical.map(size).transpose()?,
            commit_limit: self.commit_limit.map(size).transpose()?,
        };
        let unit = |number: u64| number.is_power_of_two();
        if !unit(machine.page) || !unit(machine.granularity) || machine.granularity < machine.page {
            return Err("page and granularity must be powers of two, the page no larger".into());
        }
        if machine.lowest >= machine.highest || machine.highest == u64::MAX {
            return Err("lowest must be below highest".to_owned());
        }
        let grains = [Grain::Win32, Grain::Hresult, Grain::YesNo];
        let grain = grains.into_iter().find(|grain| grain.name() == self.errors);
        let absent = self.absent.iter().map(|(name, why)| Ok((capability(name)?, one_line(why))));
        let capabilities: Result<Vec<_>, _> =
            self.capabilities.iter().map(|name| capability(name)).collect();
        let capabilities = capabilities?;
        Ok(Description {
            name: one_line(&self.name),
            version: one_line(&self.version),
            machine,
            capabilities: Capabilities::from_iter(capabilities),
            grain: grain.ok_or_else(|| {
                let errors = one_line(&self.errors);
                format!("errors is `{errors}`; expected win32, hresult or yes-no")
            })?,
            absent: absent.collect::<Result<_, String>>()?,
        })
    }
}

/// What kind of JSON a value is.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn size(number: Number) -> Result<u64, String> {
    u64::try_from(number.0).map_err(|_| format!("{} is no size", number.0))
}

fn capability(name: &str) -> Result<Capability, String> {
    Capability::named(name).ok_or_else(|| {
        let known: Vec<&str> = Capability::ALL.iter().map(|(name, _)| *name).collect();
        let name = one_line(name);
        format!("there is no capability `{name}`; expected {}", known.join(", "))
    })
}

/// The numbers of `open` for a machine.
pub(super) fn machine(machine: &Machine) -> Flat {
    let limits = [machine.physical.unwrap_or(0), machine.commit_limit.unwrap_or(0)];
    let units = [machine.page, machine.granularity, machine.lowest, machine.highest];
    units.into_iter().chain(limits).map(Number::from).collect()
}

/// The inverse of [`machine`].
///
/// # Errors
/// If these are not six sizes.
pub(super) fn read_machine(flat: &[Number]) -> Result<Machine, String> {
    let mut from = Taker::new(flat);
    let limit = |number: u64| Some(number).filter(|number| *number > 0);
    let machine = Machine {
        page: from.u64("the page")?,
        granularity: from.u64("the granularity")?,
        lowest: from.u64("the lowest address")?,
        highest: from.u64("the highest address")?,
        physical: limit(from.u64("the physical memory")?),
        commit_limit: limit(from.u64("the commit limit")?),
    };
    from.end().map(|()| machine)
}
