//! Swarm testing: each case draws which of its profile's operations live and how heavy they
//! are, because a case that does a little of everything does nothing for long enough.
//!
//! A [`Swarm`] is a number for each [`Knob`] of a profile and of the profiles that it is made
//! of, and nothing else about a case is drawn in advance: printed and given again, with the
//! case's seed, it is the same case. Numbers are pinned after all of them were drawn, so a
//! pinned one leaves the others, and what the case draws later, as they were.
//!
//! Deliberately not here: what the numbers mean, which is each workload's business.

use std::fmt;

use crate::random::Draw;

/// One in so many operations is left out of a case.
const LEFT_OUT: u64 = 4;
/// A weight differs from its usual value by up to this factor either way.
const WILDNESS: u64 = 8;

/// Something that a case of a profile draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub range: Range,
}

/// What may be drawn for a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The weight of an operation, around this one; 0 leaves it out.
    Weight(u32),
    /// A quantity from the first number to the second, each power of two equally likely.
    Quantity(u32, u32),
}

impl Knob {
    /// The weight of an operation.
    #[must_use]
    pub const fn weight(name: &'static str, usual: u32) -> Self {
        Self { name, range: Range::Weight(usual) }
    }

    /// A quantity, both bounds included.
    #[must_use]
    pub const fn quantity(name: &'static str, low: u32, high: u32) -> Self {
        Self { name, range: Range::Quantity(low, high) }
    }

    fn draw(&self, draw: &mut Draw) -> u32 {
        let number = match self.range {
            Range::Weight(0) => 0,
            Range::Weight(_) if draw.chance(1, LEFT_OUT) => 0,
            Range::Weight(usual) => {
                let wild = draw.log_uniform(1, WILDNESS * WILDNESS);
                (u64::from(usual) * wild).div_ceil(WILDNESS)
            }
            Range::Quantity(0, high) => draw.log_uniform(1, u64::from(high) + 1) - 1,
            Range::Quantity(low, high) => draw.log_uniform(u64::from(low), u64::from(high)),
        };
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// The numbers drawn for one case, and for the profiles that its profile is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    numbers: Vec<(Knob, u32)>,
    parts: Vec<(&'static str, Swarm)>,
}

impl Swarm {
    /// Draws a number for each knob. If that leaves out every operation, all are in.
    #[must_use]
    pub fn draw(knobs: &[Knob], draw: &mut Draw) -> Self {
        let numbers = knobs.iter().map(|knob| (*knob, knob.draw(draw))).collect();
        let drawn = Self { numbers, parts: Vec::new() };
        if drawn.is_alive() { drawn } else { Self::usual(knobs) }
    }

    /// Every operation at its usual weight, every quantity at its lowest.
    #[must_use]
    pub fn usual(knobs: &[Knob]) -> Self {
        let usual = |knob: &Knob| match knob.range {
            Range::Weight(usual) => usual,
            Range::Quantity(low, _) => low,
        };
        let numbers = knobs.iter().map(|knob| (*knob, usual(knob))).collect();
        Self { numbers, parts: Vec::new() }
    }

    /// With the swarm of a part, whose numbers are then called `part.name`.
    #[must_use]
    pub fn with_part(mut self, name: &'static str, part: Self) -> Self {
        self.parts.push((name, part));
        self
    }

    /// Takes the numbers that a text gives, `name=number,…`, instead of its own.
    ///
    /// # Errors
    /// What is wrong, with what would have been right.
    pub fn pin(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, number) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}`: expected a name, `=` and a number"))?;
            let number = number
                .trim()
                .parse()
                .map_err(|_| format!("`{part}`: expected a number below 2^32 behind `=`"))?;
            self.set(name.trim(), number).map_err(|why| format!("`{part}`: {why}"))?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, number: u32) -> Result<(), String> {
        let part = name.split_once('.').and_then(|(part, rest)| {
            let found = self.parts.iter_mut().find(|(known, _)| *known == part)?;
            Some((&mut found.1, rest))
        });
        if let Some((part, rest)) = part {
            return part.set(rest, number);
        }
        let Some((knob, old)) = self.numbers.iter_mut().find(|(knob, _)| knob.name == name) else {
            return Err(self.unknown(name));
        };
        match knob.range {
            Range::Quantity(low, high) if !(low..=high).contains(&number) => {
                Err(format!("expected {low} to {high}"))
            }
            _ => {
                *old = number;
                Ok(())
            }
        }
    }

    /// The number of a knob, 0 if there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> u32 {
        self.numbers.iter().find(|(knob, _)| knob.name == name).map_or(0, |(_, number)| *number)
    }

    /// The swarms of the parts, by name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Self)> {
        self.parts.iter().map(|(name, part)| (*name, part))
    }

    /// The swarm of one part.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Self> {
        self.parts().find(|(known, _)| *known == name).map(|(_, part)| part)
    }

    /// Whether a part can have its turn: it has no weight of its own, or one above 0.
    fn lives(&self, part: &str) -> bool {
        self.numbers.iter().all(|(knob, number)| knob.name != part || *number > 0)
    }

    /// Whether an operation is left, if there ever was one.
    fn is_alive(&self) -> bool {
        let weighs = |knob: &Knob| matches!(knob.range, Range::Weight(1..));
        let mut weights = self.numbers.iter().filter(|(knob, _)| weighs(knob)).peekable();
        weights.peek().is_none() || weights.any(|(_, number)| *number > 0)
    }

    fn unknown(&self, name: &str) -> String {
        let own = self.numbers.iter().map(|(knob, _)| knob.name.to_owned());
        let parts = self.parts.iter().map(|(part, _)| format!("{part}.…"));
        let names: Vec<String> = own.chain(parts).collect();
        format!("there is no `{name}`; this profile draws {}", names.join(", "))
    }

    fn write(&self, prefix: &str, separator: &mut &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (knob, number) in &self.numbers {
            write!(f, "{separator}{prefix}{}={number}", knob.name)?;
            *separator = ",";
        }
        // What a part that never has its turn drew is no part of the case.
        for (name, part) in self.parts().filter(|(name, _)| self.lives(name)) {
            part.write(&format!("{prefix}{name}."), separator, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("", &mut "", f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOBS: &[Knob] =
        &[Knob::weight("commit", 20), Knob::weight("free", 4), Knob::quantity("heaps", 1, 8)];

    #[test]
    fn what_is_printed_can_be_given_again() {
        for seed in 0..50 {
            let swarm = Swarm::draw(KNOBS, &mut Draw::from_number(seed));
            let mut again = Swarm::usual(KNOBS);
            assert_eq!(again.pin(&swarm.to_string()), Ok(()));
            assert_eq!(again, swarm);
        }
    }

    #[test]
    fn operations_are_left_out_but_never_all_of_them() {
        let draws: Vec<Swarm> =
            (0..200).map(|seed| Swarm::draw(KNOBS, &mut Draw::from_number(seed))).collect();
        assert!(draws.iter().any(|swarm| swarm.get("commit") == 0));
        assert!(draws.iter().any(|swarm| swarm.get("commit") > 80));
        assert!(draws.iter().all(|swarm| swarm.get("commit") + swarm.get("free") > 0));
        assert!(draws.iter().all(|swarm| (1..=8).contains(&swarm.get("heaps"))));
    }

    #[test]
    fn a_part_has_its_own_numbers_and_is_told_of_while_it_lives() {
        let part = Swarm::usual(KNOBS);
        let knobs = [Knob::weight("heap", 3), Knob::quantity("run", 1, 9)];
        let mut swarm = Swarm::usual(&knobs).with_part("heap", part);
        assert_eq!(swarm.pin("heap.commit=7, run=2"), Ok(()));
        assert_eq!(swarm.to_string(), "heap=3,run=2,heap.commit=7,heap.free=4,heap.heaps=1");
        assert_eq!(swarm.pin("heap=0"), Ok(()));
        assert_eq!(swarm.to_string(), "heap=0,run=2");
    }

    #[test]
    fn a_wrong_text_says_what_was_expected() {
        let wrong = |text| Swarm::usual(KNOBS).pin(text).expect_err("it is wrong");
        assert_eq!(
            wrong("comit=3"),
            "`comit=3`: there is no `comit`; this profile draws commit, free, heaps"
        );
        assert_eq!(wrong("commit"), "`commit`: expected a name, `=` and a number");
        assert_eq!(wrong("commit=-1"), "`commit=-1`: expected a number below 2^32 behind `=`");
        assert_eq!(wrong("heaps=9"), "`heaps=9`: expected 1 to 8");
    }
}
