//! The JSON Schema (2020-12) of the protocol, made from the table of methods.
//!
//! Deliberately not here: what a schema cannot say, such as that slots count from 0.

use hostmem_interface::{Capability, Grain};
use serde_json::{Value, json};

use super::messages::PROTOCOL;
use super::methods::METHODS;

/// The schema of a line, in either direction.
#[must_use]
pub fn schema() -> Value {
    let calls: Vec<Value> = METHODS
        .iter()
        .map(|method| {
            json!({
                "title": method.name,
                "description": format!("[{}, {}] -> [0, {}]", method.number, method.arguments,
                    method.outputs),
                "prefixItems": [{ "const": method.number }],
                "type": "array",
                "minItems": 1 + method.arguments.split(", ").filter(|it| {
                    !it.is_empty() && !it.ends_with('…')
                }).count(),
                "items": { "$ref": "#/$defs/number" },
            })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hostmem agent protocol",
        "description": format!("A line of version {PROTOCOL}: a request or a reply"),
        "oneOf": [{ "$ref": "#/$defs/request" }, { "$ref": "#/$defs/reply" }],
        "$defs": {
            "number": { "oneOf": [
                { "type": "integer" },
                { "type": "string", "pattern": "^-?[0-9]+$" },
            ] },
            "numbers": { "type": "array", "items": { "$ref": "#/$defs/number" } },
            "call": { "anyOf": calls },
            "answer": { "allOf": [{ "$ref": "#/$defs/numbers" }], "minItems": 1 },
            "request": request(),
            "about": about(),
            "reply": reply(),
        },
    })
}

fn request() -> Value {
    let one = |name: &str, value: Value| {
        json!({
            "type": "object",
            "required": ["id", name],
            "additionalProperties": false,
            "properties": { "id": { "type": "integer", "minimum": 1 }, name: value },
        })
    };
    let numbers = json!({ "$ref": "#/$defs/numbers" });
    let calls = json!({ "type": "array", "items": { "$ref": "#/$defs/call" } });
    json!({ "oneOf": [
        one("start", numbers.clone()),
        one("open", json!({ "$ref": "#/$defs/numbers", "minItems": 6, "maxItems": 6 })),
        one("run", calls),
        one("close", numbers.clone()),
        one("stop", numbers),
    ] })
}

fn about() -> Value {
    let number = json!({ "$ref": "#/$defs/number" });
    let text = json!({ "type": "string" });
    let capabilities = Capability::ALL.map(|(name, _)| name);
    let grains = [Grain::Win32, Grain::Hresult, Grain::YesNo].map(Grain::name);
    json!({
        "type": "object",
        "required": ["protocol", "name", "page", "granularity", "errors", "capabilities"],
        "additionalProperties": false,
        "properties": {
            "protocol": { "const": PROTOCOL },
            "name": text, "version": text, "homepage": text,
            "page": number, "granularity": number, "lowest": number, "highest": number,
            "physical": number, "commit_limit": number,
            "errors": { "enum": grains },
            "capabilities": { "type": "array", "items": { "enum": capabilities } },
            "absent": {
                "type": "object",
                "propertyNames": { "enum": capabilities },
                "additionalProperties": text,
            },
        },
    })
}

fn reply() -> Value {
    json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": {
            "id": { "type": "integer", "minimum": 0 },
            "outcome": { "anyOf": [
                { "$ref": "#/$defs/about" },
                { "$ref": "#/$defs/numbers" },
                { "type": "array", "items": { "$ref": "#/$defs/answer" } },
            ] },
            "unsupported": { "type": "string" },
            "link": { "type": "string" },
            "broken": { "type": "string" },
            "notified": { "$ref": "#/$defs/numbers" },
        },
        "oneOf": [
            { "required": ["outcome"] },
            { "required": ["unsupported"] },
            { "required": ["broken"] },
        ],
    })
}
