//! The C runtime in sections: a program gets those that it uses, and no other, so that it can
//! be read from end to end and a compiler has no unused function to complain of.
//!
//! A line that begins with `////` names the section that follows.

use std::collections::BTreeSet;

/// What sections stand on others.
const NEEDS: &[(&str, &[&str])] = &[
    ("read", &["access", "catch", "need"]),
    ("write", &["access", "catch", "need"]),
    ("fill", &["access", "catch", "need"]),
    ("execute", &["access", "catch", "need"]),
    ("alloc", &["result"]),
    ("free", &["result"]),
    ("protect", &["result", "forget", "need"]),
    ("query", &["result", "information"]),
    ("walk", &["information"]),
    ("load", &["result"]),
    ("region", &["query"]),
    ("no_bytes", &["query"]),
    ("pages", &["watch"]),
    ("hole", &["need"]),
    ("catch", &["guards", "need"]),
    ("arm", &["forget", "need"]),
    ("forget", &["guards"]),
    ("empty", &["forget", "need"]),
    ("unmap", &["forget", "need"]),
    ("discard", &["need"]),
    ("map", &["need"]),
    ("map_at", &["need"]),
];

/// The sections of `runtimes` that `used` asks for, with what they stand on, one text after
/// the other and each in its own order.
#[must_use]
pub fn text(runtimes: &[&str], used: &BTreeSet<&'static str>) -> String {
    let mut wanted: BTreeSet<&str> = used.iter().copied().collect();
    wanted.insert("core");
    loop {
        let more = NEEDS.iter().filter(|(name, _)| wanted.contains(name));
        let more: Vec<&str> = more.flat_map(|(_, needs)| needs.iter().copied()).collect();
        let before = wanted.len();
        wanted.extend(more);
        if wanted.len() == before {
            break;
        }
    }
    let sections = runtimes.iter().flat_map(|runtime| sections(runtime));
    let chosen = sections.filter(|(name, _)| wanted.contains(name));
    chosen.map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

/// Each section with its name.
fn sections(runtime: &str) -> impl Iterator<Item = (&str, &str)> {
    runtime.split("//// ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, "")))
}
