//! What is told of a hosted program when it has ended.
//!
//! Deliberately not here: the program's own output, which is never touched.

use std::fmt::{self, Write as _};

use super::court::{Finding, Findings};

/// Everything that is told.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Who answered: `the system`, or `hostmem's arena`.
    pub answered_by: String,
    /// How many calls there were.
    pub calls: u64,
    /// The counts by kind, in one line.
    pub counts: String,
    /// Calls that came before there was anybody to answer them.
    pub early: u64,
    /// Functions of the runtime's that are answered here.
    pub patched: u64,
    /// Memory functions that the runtime took from the system past the host.
    pub missed: Vec<String>,
    /// What the court found, if there was one.
    pub findings: Option<Findings>,
    /// Calls that a script refused, and its steps that never came, if there was one.
    pub pressure: Option<(u64, usize)>,
    /// The account of the recording, or why there is none.
    pub recording: Option<Result<String, String>>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} memory calls, answered by {}: {}",
            self.calls, self.answered_by, self.counts
        )?;
        write!(f, "{} functions of the runtime's are answered here; ", self.patched)?;
        match (&*self.missed, self.early) {
            ([], 0) => writeln!(f, "no call went past")?,
            (missed, early) => {
                let missed = if missed.is_empty() { "none".to_owned() } else { missed.join(", ") };
                writeln!(f, "NOT answered: {missed}; {early} calls came too early")?;
            }
        }
        if let Some((refused, left)) = self.pressure {
            write!(f, "the script refused {refused} calls")?;
            writeln!(
                f,
                "{}",
                if left > 0 { format!("; {left} steps never came") } else { String::new() }
            )?;
        }
        if let Some(findings) = &self.findings {
            f.write_str(&judged(findings))?;
        }
        match &self.recording {
            Some(Ok(account)) => writeln!(f, "recorded: {account}"),
            Some(Err(why)) => writeln!(f, "NOT recorded: {why}"),
            None => Ok(()),
        }
    }
}

fn judged(findings: &Findings) -> String {
    let Findings { judged, sets, foreign, out_of_memory, rules, .. } = findings;
    let (agree, diverge) = (rules.values().sum::<u64>(), findings.divergences());
    let tolerated: u64 = findings.tolerated.values().map(|(_, count)| count).sum();
    let mut text = format!(
        "{judged} calls judged, by {} rules: {agree} agree, {diverge} diverge, {tolerated} \
         tolerated, {out_of_memory} out of memory",
        rules.len()
    );
    let also = |text: &mut String, count: u64, what: &str| {
        if count > 0 {
            write!(text, "; {count} {what}").expect("a string takes all");
        }
    };
    also(&mut text, *sets, "sets of calls overlapped");
    also(&mut text, *foreign, "calls concerned memory that is not the runtime's to manage");
    text.push('\n');
    for (rule, (why, count)) in &findings.tolerated {
        writeln!(text, "tolerated: {count} times {rule}: {why}").expect("a string takes all");
    }
    for finding in &findings.first {
        text.push_str(&told(finding));
    }
    let told = findings.first.len() as u64;
    if diverge > told {
        writeln!(text, "and {} more", diverge - told).expect("a string takes all");
    }
    text
}

fn told(finding: &Finding) -> String {
    let Finding { number, said, divergence } = finding;
    let rule = divergence.rule.rule();
    format!(
        "diverges: call {number}, thread {}: {:?}\n  {} ({}): {}\n  expected: {}\n  observed: {}\n",
        said.thread,
        said.call,
        rule.id,
        rule.level.name(),
        rule.sentence,
        divergence.expected,
        divergence.observed
    )
}
