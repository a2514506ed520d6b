//! An adapter for hostmem, with nothing but the standard library. Fill in `Manager`, then:
//! `rustc -O THIS_FILE && hostmem agent --validate ./THIS_PROGRAM`.
//!
//! In the same process as your tests, the crate `hostmem-proptest` is shorter: this is for a
//! manager that is to be kept in a process of its own. VALIDATE.md has every method with its
//! numbers; what is not declared in `ABOUT` is never asked.

use std::io::{BufRead, Write};

const ABOUT: &str = r#"{"protocol":1,"name":"YOUR NAME","version":"1","page":4096,
"granularity":65536,"errors":"win32","capabilities":["query"]}"#;
/// ERROR_CALL_NOT_IMPLEMENTED: what everything here answers until you fill it in.
const REFUSED: u64 = 120;

/// One address space; hostmem opens a fresh one for each case.
#[derive(Default)]
struct Manager {}

impl Manager {
    /// An answer: 0 and the outputs, or an error code.
    fn call(&mut self, method: u64, numbers: &[u64]) -> Vec<u64> {
        match (method, numbers) {
            // VirtualAlloc. YOUR CODE: vec![0, the address]
            (1, &[_address, _size, _type, _protect, _critical]) => vec![REFUSED],
            // VirtualFree. YOUR CODE: vec![0]
            (2, &[_address, _size, _type]) => vec![REFUSED],
            // VirtualQuery. YOUR CODE: vec![0, BaseAddress, AllocationBase, …]
            (3, &[_address, _length, _buffer]) => vec![REFUSED],
            // VirtualProtect. YOUR CODE: vec![0, the old protection]
            (4, &[_address, _size, _protect, _old]) => vec![REFUSED],
            _ => vec![REFUSED],
        }
    }
}

// From here on nothing needs to be changed.

/// The numbers of a text, in quotes or not; a negative one wraps, as addresses do.
fn numbers(text: &str) -> Vec<u64> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '-');
    let numbers = words.filter_map(|word| word.parse::<i128>().ok());
    numbers.map(|number| number as u64).collect()
}

fn run(manager: &mut Manager, slots: &mut Vec<u64>, text: &str) -> String {
    let mut numbers = numbers(text);
    let method = numbers.remove(0);
    if !matches!(method, 5 | 6 | 7 | 9 | 10 | 19) {
        let at = usize::from(method == 8);
        let base = slots.get(numbers[at] as usize).copied().unwrap_or(0);
        numbers[at] = base.wrapping_add(numbers.remove(at + 1));
    }
    let answer = match method {
        0 => [vec![0], numbers].concat(),
        _ => manager.call(method, &numbers),
    };
    if matches!(method, 1 | 6 | 7) {
        // These allocate: the next slot is theirs, also of a refusal.
        slots.push(if answer[0] == 0 { answer[1] } else { 0 });
    }
    let quoted = |n: &u64| if n >> 53 == 0 { n.to_string() } else { format!("\"{n}\"") };
    format!("[{}]", answer.iter().map(quoted).collect::<Vec<_>>().join(","))
}

fn main() {
    let (mut manager, mut slots) = (Manager::default(), Vec::new());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let id = numbers(&line).first().copied().unwrap_or(0);
        let outcome = if line.contains("\"start\"") {
            ABOUT.replace('\n', "")
        } else if let Some((_, calls)) = line.split_once("\"run\":[") {
            let calls = calls.split('[').skip(1);
            let answers: Vec<_> = calls.map(|call| run(&mut manager, &mut slots, call)).collect();
            format!("[{}]", answers.join(","))
        } else {
            if line.contains("\"open\"") {
                (manager, slots) = (Manager::default(), Vec::new());
            }
            "[]".to_owned()
        };
        let mut output = std::io::stdout().lock();
        let reply = format!("{{\"id\":{id},\"outcome\":{outcome}}}\n");
        if output.write_all(reply.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
        if line.contains("\"stop\"") {
            return;
        }
    }
}
