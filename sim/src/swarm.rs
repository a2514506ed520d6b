//! Swarm testing: each case draws which of its profile's operations live and how heavy they
//! are, because a case that does a little of everything does nothing for long enough.
//!
//! A [`Swarm`] is a number for each [`Knob`] of a profile, and nothing else about a case is
//! drawn in advance: printed and given again, with the case's seed, it is the same case.
//!
//! Deliberately not here: what the numbers mean, which is each workload's business.

use std::fmt;

use crate::random::Draw;

/// One in so many operations is left out of a case.
const LEFT_OUT: u64 = 4;
/// A weight differs from its usual value by up to this factor either way.
const WILDNESS: u64 = 8;

/// Something that a case of a profile draws.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub range: Range,
}

/// What may be drawn for a knob.
#[derive(Clone, Copy, Debug)]
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

/// The numbers drawn for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    numbers: Vec<(&'static str, u32)>,
}

impl Swarm {
    /// Draws a number for each knob. If that leaves out every operation, all are in.
    #[must_use]
    pub fn draw(knobs: &[Knob], draw: &mut Draw) -> Self {
        let numbers = knobs.iter().map(|knob| (knob.name, knob.draw(draw))).collect();
        Self { numbers }.alive(knobs)
    }

    /// Every operation at its usual weight, every quantity at its lowest.
    #[must_use]
    pub fn usual(knobs: &[Knob]) -> Self {
        let usual = |knob: &Knob| match knob.range {
            Range::Weight(usual) => usual,
            Range::Quantity(low, _) => low,
        };
        Self { numbers: knobs.iter().map(|knob| (knob.name, usual(knob))).collect() }
    }

    /// Reads the text form, `name=number,…`; what is not named is as usual.
    ///
    /// # Errors
    /// What is wrong, with the names that would have been right.
    pub fn parse(knobs: &[Knob], text: &str) -> Result<Self, String> {
        let mut swarm = Self::usual(knobs);
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, number) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}`: expected a name, `=` and a number"))?;
            let number = number
                .trim()
                .parse()
                .map_err(|_| format!("`{part}`: expected a number below 2^32 behind `=`"))?;
            let known = swarm.numbers.iter_mut().find(|(known, _)| *known == name.trim());
            match known {
                Some((_, old)) => *old = number,
                None => return Err(unknown(name.trim(), knobs)),
            }
        }
        Ok(swarm)
    }

    /// The number of a knob, 0 if there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> u32 {
        self.numbers.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| *number)
    }

    /// Every number.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.numbers.iter().copied()
    }

    fn alive(self, knobs: &[Knob]) -> Self {
        let weighs = |name: &str| {
            knobs.iter().any(|knob| knob.name == name && matches!(knob.range, Range::Weight(1..)))
        };
        if self.numbers.iter().any(|(name, number)| *number > 0 && weighs(name)) {
            return self;
        }
        if knobs.iter().all(|knob| !weighs(knob.name)) { self } else { Self::usual(knobs) }
    }
}

fn unknown(name: &str, knobs: &[Knob]) -> String {
    let names: Vec<&str> = knobs.iter().map(|knob| knob.name).collect();
    format!("`{name}` is nothing that this profile draws; it draws {}", names.join(", "))
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, number) in &self.numbers {
            write!(f, "{separator}{name}={number}")?;
            separator = ",";
        }
        Ok(())
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
            assert_eq!(Swarm::parse(KNOBS, &swarm.to_string()), Ok(swarm));
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
    fn a_wrong_text_says_what_was_expected() {
        let wrong = |text| Swarm::parse(KNOBS, text).expect_err("it is wrong");
        assert_eq!(
            wrong("comit=3"),
            "`comit` is nothing that this profile draws; it draws commit, free, heaps"
        );
        assert_eq!(wrong("commit"), "`commit`: expected a name, `=` and a number");
        assert_eq!(wrong("commit=-1"), "`commit=-1`: expected a number below 2^32 behind `=`");
    }
}
