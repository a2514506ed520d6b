//! The address space in one line, for a trace: the allocations around what a step is about, a
//! few letters each, so that a change is seen from one line to the next.
//!
//! An allocation has one letter for each doubling of its pages, at most eight, so that a page
//! and a gibibyte are both seen; a letter stands for the most telling page of its part. Between
//! two allocations there is a blank.
//!
//! Deliberately not here: whether anybody can see colours ([`crate::output`]).

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use hostmem_interface::{Address, Protection};
use hostmem_model::State;
use hostmem_model::page::PageState;
use hostmem_model::space::Allocation;

/// How many letters a line has room for.
pub const WIDTH: usize = 32;
/// The most letters of one allocation.
const MOST: u64 = 8;
/// What stands where there is more than the line shows.
const MORE: char = '~';

/// What the letters mean, the most telling last.
pub const LETTERS: [(char, &str); 8] = [
    (' ', "free"),
    ('.', "reserved"),
    ('-', "no access"),
    ('r', "read"),
    ('w', "read/write"),
    ('x', "execute"),
    ('X', "execute/read/write"),
    ('!', "guard"),
];

/// The line for a state, around an address: [`WIDTH`] letters.
#[must_use]
pub fn line(state: &State, around: Option<Address>) -> String {
    let Some(middle) = nearest(state, around) else { return " ".repeat(WIDTH) };
    let mut shown = letters(middle);
    let (mut first, mut last) = (Some(middle), Some(middle));
    // To both sides in turn, as long as there is room.
    loop {
        let before = first.and_then(|it| previous(state, it));
        let behind = last.and_then(|it| state.space.next(it.end()));
        let left = before.map(letters).filter(|it| shown.len() + it.len() < WIDTH - 1);
        if let Some(left) = &left {
            shown = format!("{left} {shown}");
        }
        let right = behind.map(letters).filter(|it| shown.len() + it.len() < WIDTH - 1);
        if let Some(right) = &right {
            write!(shown, " {right}").expect("a String takes everything");
        }
        first = if left.is_some() { before } else { first };
        last = if right.is_some() { behind } else { last };
        if left.is_none() && right.is_none() {
            let more = |it: Option<&Allocation>| if it.is_some() { MORE } else { ' ' };
            shown = format!("{}{shown}{}", more(before), more(behind));
            return format!("{shown:<WIDTH$.WIDTH$}");
        }
    }
}

/// The allocation at an address, or the last one before it, or the first one of all.
fn nearest(state: &State, around: Option<Address>) -> Option<&Allocation> {
    let first = || state.space.next(Address::NULL);
    around.and_then(|at| state.space.previous(at)).or_else(first)
}

fn previous<'a>(state: &'a State, allocation: &Allocation) -> Option<&'a Allocation> {
    let before = allocation.base().0.checked_sub(1)?;
    state.space.previous(Address(before))
}

fn letters(allocation: &Allocation) -> String {
    let pages = allocation.all_pages().end;
    let count = u64::from(pages.ilog2() + 1).min(MOST);
    let part = |index: u64| pages * index / count..pages * (index + 1) / count;
    (0..count)
        .map(|index| {
            let letters = allocation.runs(part(index)).map(|(_, state)| letter(state));
            letters.max_by_key(|it| telling(*it)).unwrap_or(' ')
        })
        .collect()
}

fn telling(letter: char) -> usize {
    LETTERS.iter().position(|(known, _)| *known == letter).unwrap_or(0)
}

const fn letter(state: PageState) -> char {
    if state.is_guarded() {
        return '!';
    }
    match state.protection() {
        Protection(0) => '.',
        Protection::NOACCESS => '-',
        Protection::READONLY => 'r',
        Protection::READWRITE => 'w',
        Protection::EXECUTE_READWRITE => 'X',
        _ => 'x',
    }
}

/// The line in colours: those of the page, as far as a terminal has them.
#[must_use]
pub fn styled(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let same = rest.chars().take_while(|it| *it == letter).map(char::len_utf8).sum();
        let (run, behind) = rest.split_at(same);
        let style = style(letter);
        write!(out, "{style}{run}{style:#}").expect("a String takes everything");
        rest = behind;
    }
    out
}

fn style(letter: char) -> Style {
    let on = |colour: AnsiColor| {
        Style::new().fg_color(Some(AnsiColor::Black.into())).bg_color(Some(colour.into()))
    };
    match letter {
        'w' => on(AnsiColor::Yellow),
        'r' => on(AnsiColor::Cyan),
        'x' => on(AnsiColor::Magenta),
        'X' => on(AnsiColor::BrightMagenta),
        '-' => on(AnsiColor::White),
        '!' => on(AnsiColor::Red),
        '.' => Style::new().dimmed(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use hostmem_interface::{AllocationType, Call, CriticalLevel, Machine};
    use hostmem_model::actor::Actor;

    use super::*;

    fn alloc(
        actor: &mut Actor,
        address: u64,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) {
        let (address, critical) = (Address(address), CriticalLevel::TASK);
        actor.act(&Call::VirtualAlloc { address, size, kind, protect, critical });
    }

    #[test]
    fn a_line_shows_what_is_where_and_has_one_width() {
        let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
        assert_eq!(line(&actor.state, None), " ".repeat(WIDTH));
        let (reserve, commit) = (AllocationType::RESERVE, AllocationType::COMMIT);
        alloc(&mut actor, 0x10_0000, 0x4000, reserve, Protection::NOACCESS);
        alloc(&mut actor, 0x10_0000, 0x1000, commit, Protection::READWRITE);
        alloc(&mut actor, 0x20_0000, 0x1000, reserve | commit, Protection::READONLY);
        let guard = Protection::READWRITE | Protection::GUARD;
        alloc(&mut actor, 0x30_0000, 1 << 40, reserve, Protection::NOACCESS);
        alloc(&mut actor, 0x30_0000, 0x1000, commit, guard);
        assert_eq!(line(&actor.state, None).trim_end(), " w.. r !.......");
        assert_eq!(line(&actor.state, Some(Address(0x20_0000))).trim_end(), " w.. r !.......");
    }

    #[test]
    fn many_allocations_are_cut_around_the_place() {
        let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
        for number in 1..100 {
            let protect = Protection::READWRITE;
            alloc(&mut actor, number << 20, 0x8000, AllocationType::RESERVE, protect);
        }
        for place in [1_u64, 50, 99] {
            let line = line(&actor.state, Some(Address(place << 20)));
            assert_eq!(line.len(), WIDTH);
            let more = (line.starts_with(MORE), line.trim_end().ends_with(MORE));
            assert_eq!(more, (place > 1, place < 99), "{line:?}");
        }
    }

    #[test]
    fn styles_change_no_letter() {
        let line = " w.. r !..xX-~";
        let plain = anstream::adapter::strip_str(&styled(line)).to_string();
        assert_eq!(plain, line);
    }
}
