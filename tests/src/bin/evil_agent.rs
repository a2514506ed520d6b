//! An adapter that does one evil thing at every line that asks for a `VirtualProtect`, or at
//! every `close`, and otherwise serves the model: `evil_agent WHAT`, `evil_agent close-WHAT`.
//!
//! Deliberately not here: what is to come of it (`tests/agent.rs`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is the point")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use hostmem_model::ModelBackend;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let mut input = BufReader::new(Watched { input: io::stdin().lock(), what });
    match hostmem_backends::agent::serve(&ModelBackend, &mut input, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Standard input, line by line, each looked at before it is handed on.
struct Watched<R> {
    input: R,
    what: String,
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.input.fill_buf()?;
        let line = ready.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let length = line.len().min(buffer.len());
        let text = String::from_utf8_lossy(line).into_owned();
        buffer[..length].copy_from_slice(&line[..length]);
        self.input.consume(length);
        let at_close = self.what.starts_with("close-");
        let asks_protect = text.contains("[[4,") || text.contains(",[4,");
        let now = if at_close { text.contains("\"close\":") } else { asks_protect };
        if now && self.does(&text)? {
            // It was answered already: the server never sees it.
            return self.read(buffer);
        }
        Ok(length)
    }
}

impl<R> Watched<R> {
    /// Does it; whether the line was answered by that.
    fn does(&self, line: &str) -> io::Result<bool> {
        let id = line.trim_start_matches("{\"id\":").split(',').next().unwrap_or("0");
        let say = |text: &str| {
            let mut out = io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map(|()| true)
        };
        match self.what.trim_start_matches("close-") {
            "dies" => std::process::abort(),
            "exits" => {
                eprintln!("I have had enough");
                std::process::exit(3)
            }
            "hangs" => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            "eats" => {
                let mut all = Vec::new();
                loop {
                    all.push(vec![1_u8; 1 << 20]);
                }
            }
            "floods" => loop {
                say(&"x".repeat(4096))?;
            },
            "half" => {
                say("{\"id\":")?;
                std::process::exit(0)
            }
            "garbage" => say("segmentation fault, sort of\n"),
            "order" => say("{\"id\":1,\"outcome\":[]}\n"),
            "short" => say(&format!("{{\"id\":{id},\"outcome\":[]}}\n")),
            "words" => say(&format!("{{\"id\":{id},\"outcome\":[[\"zero\"]]}}\n")),
            "both" => say(&format!("{{\"id\":{id},\"outcome\":[[0]],\"broken\":\"\"}}\n")),
            "declines" => say(&format!(
                "{{\"id\":{id},\"unsupported\":\"no protection here\",\"link\":\"mailto:me\"}}\n"
            )),
            "breaks" if self.what.starts_with("close-") => {
                say(&format!("{{\"id\":{id},\"broken\":\"a lock\"}}\n"))
            }
            "breaks" => say(&format!("{{\"id\":{id},\"broken\":\"the page\\ntable is gone\"}}\n")),
            "answers" => say(&format!("{{\"id\":{id},\"outcome\":[1,2]}}\n")),
            "endless" => {
                say("{\"id\":")?;
                loop {
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            "list" => say("[1,[[0]]]\n"),
            "empty" => say("\n"),
            _ => Ok(false),
        }
    }
}
