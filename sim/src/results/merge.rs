//! Results files of the parts of one campaign become those of the whole.
//!
//! The order of the files does not matter, a file may be given twice, and a merge may be
//! merged again: the result is a function of the set of results alone, and of a complete set
//! it is, byte for byte, the file that one run of everything writes.
//!
//! Deliberately not here: running what is missing.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::file::{Contents, ResultsError, line_of, read};
use super::{Campaign, Entry};
use crate::campaign::Outcome;
use crate::campaign::plan::{Numbers, Place, Shard};
use crate::files::Selection;
use crate::files::load::shown;
use crate::report::End;

/// The most parts that a campaign is looked at in.
const MOST_PARTS: u64 = 1 << 20;

/// A result and where it stands.
#[derive(Debug)]
struct Found {
    entry: Entry,
    path: PathBuf,
    line: usize,
}

/// What files have in common, put together.
#[derive(Debug)]
pub struct Merged {
    /// The campaign, with the parts that are there.
    pub campaign: Campaign,
    entries: BTreeMap<Place, Found>,
    /// The files and their own parts.
    files: Vec<(PathBuf, Vec<Shard>)>,
    /// What is worth knowing about the files: torn lines, results that stand in two of them.
    pub remarks: Vec<String>,
    /// What is missing.
    pub missing: Vec<String>,
    end: End,
}

/// Puts files together.
///
/// # Errors
/// A file that cannot be read, is damaged, of another campaign, or contradicts another.
pub fn merge(paths: &[PathBuf]) -> Result<Merged, ResultsError> {
    let mut files = Vec::new();
    for path in paths {
        let contents = read(path)?;
        let Some(campaign) = contents.campaign.clone() else {
            let what = "its head is missing or torn: nothing was kept in it";
            return Err(ResultsError::Line(shown(path), 1, what.to_owned()));
        };
        files.push((path.as_path(), campaign, contents));
    }
    let Some((first, campaign, _)) = files.first() else {
        return Err(ResultsError::Line("merge".to_owned(), 0, "no files".to_owned()));
    };
    for (path, other, _) in &files {
        is_same(campaign, first, other, path)?;
    }
    let shards = united(files.iter().flat_map(|(_, campaign, _)| &campaign.shards));
    let shards = shards.map_err(|what| ResultsError::Line(shown(first), 1, what))?;
    let campaign = Campaign { shards, ..campaign.clone() };
    let mut merged = Merged {
        campaign,
        entries: BTreeMap::new(),
        files: Vec::new(),
        remarks: Vec::new(),
        missing: Vec::new(),
        end: End::Complete,
    };
    for (path, campaign, contents) in files {
        merged.add(path, &campaign, contents)?;
        merged.files.push((path.to_owned(), campaign.shards));
    }
    merged.cut_behind_failure();
    merged.look_for_gaps()?;
    Ok(merged)
}

/// Whether two files are of one campaign.
fn is_same(
    campaign: &Campaign,
    first: &Path,
    other: &Campaign,
    path: &Path,
) -> Result<(), ResultsError> {
    let differences = campaign.differences(other, false);
    let told: Vec<String> = differences
        .iter()
        .map(|(name, theirs, mine)| format!("{name} is {mine}, and {theirs} there"))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    let what = format!("not of the campaign of {}: {}", shown(first), told.join("; "));
    Err(ResultsError::Line(shown(path), 1, what))
}

/// All of some parts, as parts of equal size, in order.
fn united<'a>(shards: impl Iterator<Item = &'a Shard> + Clone) -> Result<Vec<Shard>, String> {
    let multiple = |all: u64, shard: &Shard| {
        let (mut a, mut b) = (all, shard.of);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        (all / a).checked_mul(shard.of).filter(|of| *of <= MOST_PARTS)
    };
    let of = shards.clone().try_fold(1, multiple);
    let of = of.ok_or("its parts and those of the other files have no size in common")?;
    let parts: BTreeSet<u64> =
        shards.flat_map(|shard| (0..of).filter(|number| shard.has(*number))).collect();
    if parts.len() as u64 == of {
        return Ok(vec![Shard::WHOLE]);
    }
    Ok(parts.into_iter().map(|part| Shard { part: part + 1, of }).collect())
}

impl Merged {
    fn add(
        &mut self,
        path: &Path,
        campaign: &Campaign,
        contents: Contents,
    ) -> Result<(), ResultsError> {
        if !contents.torn.is_empty() {
            self.remarks.push(format!("{}: a torn last line is dropped", shown(path)));
        }
        let mut twice: Option<(String, u64)> = None;
        for (line, entry) in contents.entries {
            let number = entry.case;
            if !campaign.shards.iter().any(|shard| shard.has(number)) {
                let what = format!("case {number} is not of the part that the file is of");
                return Err(ResultsError::Line(shown(path), line, what));
            }
            let found = Found { entry, path: path.to_owned(), line };
            if let Some(other) = self.insert(found)? {
                let told = format!("{}:{line}: the same as {other}", shown(path));
                twice.get_or_insert((told, 0)).1 += 1;
            }
        }
        match twice {
            None => {}
            Some((told, 1)) => self.remarks.push(told),
            Some((told, all)) => {
                self.remarks.push(format!("{told}, and so {} more; each counts once", all - 1));
            }
        }
        Ok(())
    }

    /// Adds a result; tells where it stands already, if it does.
    fn insert(&mut self, found: Found) -> Result<Option<String>, ResultsError> {
        let place = found.entry.place();
        let mut known = match self.entries.entry(place) {
            Slot::Vacant(slot) => {
                slot.insert(found);
                return Ok(None);
            }
            Slot::Occupied(known) => known,
        };
        let other = format!("{}:{}", shown(&known.get().path), known.get().line);
        if !known.get().entry.agrees_with(&found.entry) {
            let what = format!("case {} on backend {} contradicts {other}", place.case, place.on);
            return Err(ResultsError::Line(shown(&found.path), found.line, what));
        }
        // Whichever file came first, the same one of the two is taken.
        if line_of(&found.entry) < line_of(&known.get().entry) {
            known.insert(found);
        }
        Ok(Some(other))
    }

    /// A whole run that ends with its first failure would have ended there.
    fn cut_behind_failure(&mut self) {
        let strict = self.campaign.strict;
        let fails = |found: &&Found| found.entry.fails(strict);
        if !self.campaign.fail_fast {
            return;
        }
        if let Some(last) = self.entries.values().find(fails).map(|found| found.entry.place()) {
            self.entries.retain(|place, _| *place <= last);
            self.end = End::FailFast;
        }
    }

    /// Looks for parts and results that are not there.
    fn look_for_gaps(&mut self) -> Result<(), ResultsError> {
        let Campaign { only, skip, shards, .. } = &self.campaign;
        let selection = Selection::new(only, skip)
            .map_err(|error| ResultsError::Line("merge".to_owned(), 1, error.to_string()))?;
        let (scenarios, random) = (self.campaign.fixed(), self.campaign.random.as_ref());
        let numbers = Numbers { scenarios, random, selection: &selection };
        let of = shards.first().map_or(1, |shard| shard.of);
        let there: BTreeSet<u64> = shards.iter().map(|shard| shard.part).collect();
        let gone = (1..=of).filter(|part| !there.contains(part));
        let mut missing: Vec<String> =
            gone.map(|part| format!("shard {part}/{of} is missing")).collect();
        if let Some(end) = numbers.end() {
            let end = match (&self.end, self.entries.keys().next_back()) {
                (End::FailFast, Some(last)) => last.case + 1,
                _ => end,
            };
            let gap = |(path, shards): &(PathBuf, Vec<Shard>)| {
                let gaps = shards.iter().filter_map(|shard| self.gap_in(*shard, end, &numbers));
                gaps.map(|gap| format!("{}: {gap}", shown(path))).collect::<Vec<_>>()
            };
            // Sorted: the order of the files does not matter.
            let gaps: BTreeSet<String> = self.files.iter().flat_map(gap).collect();
            missing.extend(gaps);
        }
        if !missing.is_empty() {
            self.end = End::Partial(missing.join("; "));
        } else if numbers.end().is_none() {
            self.end = End::Time;
        }
        self.missing = missing;
        Ok(())
    }

    /// How many results of a part, up to that number, are missing.
    fn gap_in(&self, shard: Shard, end: u64, numbers: &Numbers<'_>) -> Option<String> {
        let step = usize::try_from(shard.of).unwrap_or(usize::MAX);
        let wanted = (shard.part - 1..end).step_by(step).filter(|number| numbers.wants(*number));
        let ends_early = matches!(self.end, End::FailFast);
        let (mut all, mut there) = (0u64, 0u64);
        for case in wanted {
            for on in 0..self.campaign.backends.len() {
                let place = Place { case, on };
                let behind = ends_early && self.entries.keys().next_back() < Some(&place);
                all += u64::from(!behind);
                there += u64::from(self.entries.contains_key(&place));
            }
        }
        (there < all).then(|| format!("shard {shard} has {there} of {all} results"))
    }

    /// What came of it all.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let mut outcome = Outcome { end: self.end.clone(), ..Outcome::default() };
        for found in self.entries.values() {
            outcome.add(found.entry.clone());
        }
        outcome
    }

    /// Writes the results file of it all.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&line_of(&self.campaign))?;
        for found in self.entries.values() {
            out.write_all(&line_of(&found.entry))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(texts: &[&str]) -> Result<Vec<String>, String> {
        let shards: Vec<Shard> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let united = united(shards.iter())?;
        Ok(united.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_parts_are_the_whole() {
        assert_eq!(shards(&["2/3", "3/3", "1/3"]), Ok(vec!["1/1".to_owned()]));
        assert_eq!(shards(&["1/2", "2/4", "4/4"]), Ok(vec!["1/1".to_owned()]));
        assert_eq!(shards(&["1/1", "2/9"]), Ok(vec!["1/1".to_owned()]));
    }

    #[test]
    fn some_parts_are_told_in_order_and_in_one_size() {
        assert_eq!(shards(&["3/4", "1/4"]), Ok(vec!["1/4".to_owned(), "3/4".to_owned()]));
        assert_eq!(shards(&["1/2", "2/4"]), shards(&["3/4", "2/4", "1/4"]));
        assert!(shards(&["1/1048575", "1/1048573"]).is_err());
    }
}
