//! The JSON Schema (2020-12) of the format, made from the same table as the reader uses.
//!
//! Deliberately not here: what a schema cannot say (names bound before they are used, groups
//! of overlapping steps, limits over the whole file). The reader says it.

use serde_json::{Map, Value, json};

use super::read::{FORMAT, MACHINE};
use super::table::{self, Binds, Fails, Kind, Member, SHAPES, Shape, Word};
use super::{Level, MAX_STEPS};
use crate::Capability;

const NUMBER: &str = "(0[xX]0*[0-9A-Fa-f]{1,16}|[0-9]+)";
const NAME: &str = "[A-Za-z_][A-Za-z0-9_]*";

/// The schema of `hostmem/1`.
#[must_use]
pub fn schema() -> Value {
    let calls: Vec<_> = SHAPES.iter().map(|shape| shape.call).collect();
    let cases: Vec<_> = SHAPES
        .iter()
        .map(|shape| {
            json!({
                "if": { "properties": { "call": { "const": shape.call } } },
                "then": { "$ref": format!("#/$defs/{}", shape.call) },
            })
        })
        .collect();
    let machine = MACHINE.map(|name| (name.to_owned(), number(u64::MAX)));
    let needs = Capability::ALL.map(|(name, _)| name);
    let levels: Vec<_> = Level::NAMES.iter().map(|(name, _)| name).collect();
    let mut definitions: Map<_, _> =
        SHAPES.iter().map(|shape| (shape.call.to_owned(), step(shape))).collect();
    definitions.insert("address".to_owned(), address());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hostmem scenario",
        "description": "An ordered list of calls on a memory manager, with what each must answer",
        "type": "object",
        "required": ["format", "about", "steps"],
        "additionalProperties": false,
        "properties": {
            "format": { "const": FORMAT },
            "$schema": {},
            "about": { "type": "string" },
            "rules": { "type": "array", "items": { "type": "string" } },
            "level": { "enum": levels },
            "source": { "type": "string" },
            "needs": { "type": "array", "items": { "enum": needs } },
            "machine": {
                "type": "object",
                "additionalProperties": false,
                "properties": Map::from_iter(machine),
            },
            "steps": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_STEPS,
                "items": {
                    "type": "object",
                    "required": ["call"],
                    "properties": { "call": { "enum": calls } },
                    "allOf": cases,
                },
            },
        },
        "$defs": definitions,
    })
}

fn number(max: u64) -> Value {
    json!({
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": max },
            { "type": "string", "pattern": format!("^{NUMBER}$") },
        ]
    })
}

fn address() -> Value {
    let pattern = format!("^({NUMBER}|{NAME}([+-]{NUMBER})?)$");
    json!({
        "description": "null, a number, or a bound name with an offset",
        "anyOf": [
            { "type": "null" },
            { "type": "integer", "minimum": 0, "maximum": u64::MAX },
            { "type": "string", "pattern": pattern },
        ]
    })
}

/// One word: named values and numbers.
fn word(word: &Word) -> Value {
    let names: Vec<_> = word.names.iter().map(|&(name, _)| name).collect();
    let part = format!("({}|{NUMBER})", names.join("|"));
    let pattern = if word.set {
        format!("^\\s*{part}(\\s*\\|\\s*{part})*\\s*$")
    } else {
        format!("^\\s*{part}\\s*$")
    };
    json!({
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": u32::MAX },
            { "type": "string", "pattern": pattern },
        ]
    })
}

/// A value, or a list of alternatives.
fn or_list(one: &Value) -> Value {
    json!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
}

fn kind(kind: Kind) -> Value {
    let hex = json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2})*$" });
    match kind {
        Kind::Place => json!({ "$ref": "#/$defs/address" }),
        Kind::Heap => json!({ "type": "string", "pattern": format!("^{NAME}$") }),
        Kind::Size => number(u64::MAX),
        Kind::Count(max) => number(max),
        Kind::Hex => hex,
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(one) => word(one),
        Kind::NullPointer => json!({ "const": "null" }),
        Kind::NullPointers => {
            json!({ "type": "array", "items": { "enum": table::POINTERS } })
        }
        Kind::Method => {
            let methods = SHAPES.iter().filter(|shape| shape.can_be_refused());
            json!({ "enum": methods.map(|shape| shape.call).collect::<Vec<_>>() })
        }
        Kind::Alternatives => or_list(&hex),
        Kind::Places => {
            json!({ "type": "array", "items": { "$ref": "#/$defs/address" } })
        }
        Kind::Bool => json!({ "type": "boolean" }),
    }
}

fn properties(members: &[Member]) -> Map<String, Value> {
    members.iter().map(|member| (member.name.to_owned(), kind(member.kind))).collect()
}

/// The members of a step with that call.
fn step(shape: &Shape) -> Value {
    let mut members = Map::new();
    members.insert("call".to_owned(), json!({ "const": shape.call }));
    members.extend(properties(shape.arguments));
    if shape.binds != Binds::Nothing {
        let name = json!({ "type": "string", "pattern": format!("^{NAME}$") });
        members.insert("bind".to_owned(), name);
    }
    members.insert("thread".to_owned(), number(u32::MAX.into()));
    members.insert("with".to_owned(), number(u64::MAX));
    members.insert("note".to_owned(), json!({ "type": "string" }));
    members.insert("expect".to_owned(), expect(shape));
    let mut required = vec!["call"];
    let needed = shape.arguments.iter().filter(|member| member.required);
    required.extend(needed.map(|member| member.name));
    if shape.binds == Binds::Place {
        required.push("bind");
    }
    let mut schema = json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": members,
    });
    if shape.call == "Write" {
        schema["oneOf"] = json!([
            { "required": ["bytes"], "properties": { "size": false, "fill": false } },
            { "required": ["size", "fill"], "properties": { "bytes": false } },
        ]);
    }
    schema
}

/// The expectations that a call may have.
fn expect(shape: &Shape) -> Value {
    let object = |members: Map<String, Value>| {
        let mut members = members;
        let names = json!({ "type": "array", "items": word(&table::AVAILABLE) });
        members.insert("notified".to_owned(), names);
        json!({ "type": "object", "additionalProperties": false, "properties": members })
    };
    let mut done = object(properties(shape.outputs));
    if shape.call == "Read" {
        done["not"] = json!({ "required": ["bytes", "fill"] });
    }
    let mut forms = vec![json!({ "const": "ok" }), done];
    let codes = |word: &Word| or_list(&self::word(word));
    match shape.fails {
        Fails::Never => {}
        Fails::Refused => {
            let mut members = Map::new();
            members.insert("error".to_owned(), codes(&table::ERROR));
            members.insert("hresult".to_owned(), codes(&table::HRESULT));
            let mut refused = object(members);
            refused["anyOf"] = json!([{ "required": ["error"] }, { "required": ["hresult"] }]);
            forms.extend([json!({ "const": "fails" }), refused]);
        }
        Fails::Faulted => {
            let mut members = Map::new();
            let names: Vec<_> = table::ACCESSES.iter().map(|(name, _)| name).collect();
            members.insert("fault".to_owned(), codes(&table::STATUS));
            members.insert("access".to_owned(), json!({ "enum": names }));
            members.insert("at".to_owned(), json!({ "$ref": "#/$defs/address" }));
            let mut faulted = object(members);
            faulted["required"] = json!(["fault"]);
            forms.extend([json!({ "const": "fails" }), faulted]);
        }
    }
    json!({ "anyOf": forms })
}
