//! The kernel's own view of an address range: evidence about what is really mapped.
//!
//! `PROCMAP_QUERY` (Linux 6.11) answers for one mapping at a time, in half a microsecond. The
//! text of `/proc/self/maps` tells of all in half that time each, but of the whole process's:
//! it is read where a range has many mappings, and on older kernels. Both say the same.
//!
//! Deliberately not here: what ought to be mapped (the checkpoint compares).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::mapping::Prot;

const QUERY_READABLE: u64 = 1;
const QUERY_WRITABLE: u64 = 2;
const QUERY_EXECUTABLE: u64 = 4;
const QUERY_COVERING_OR_NEXT: u64 = 0x10;
/// Ranges with more mappings than these are read from the text.
const FEW: usize = 96;

/// One mapping of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) range: Range<u64>,
    pub(super) prot: Prot,
}

/// `struct procmap_query` (linux/fs.h), without the name and build id that we never ask for.
#[repr(C)]
#[derive(Default)]
struct ProcmapQuery {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    vma_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    lengths: [u32; 2],
    addresses: [u64; 2],
}

/// The mappings that overlap a range, ascending, cut to it. About how many there are decides
/// how the kernel is asked, and nothing else.
///
/// # Errors
/// The kernel's, if `/proc/self/maps` cannot be read.
pub(super) fn mappings(range: &Range<u64>, about: usize) -> io::Result<Vec<Mapping>> {
    let maps = File::open("/proc/self/maps")?;
    if about > FEW {
        return by_text(maps, range);
    }
    match by_query(&maps, range) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => by_text(maps, range),
        other => other,
    }
}

/// How many mappings the whole process has.
///
/// # Errors
/// The kernel's, if `/proc/self/maps` cannot be read.
pub(super) fn count() -> io::Result<u64> {
    let mut maps = File::open("/proc/self/maps")?;
    let mut buffer = vec![0; 1 << 16];
    let mut lines = 0;
    loop {
        match maps.read(&mut buffer)? {
            0 => return Ok(lines),
            length => {
                lines += buffer[..length].iter().filter(|&&byte| byte == b'\n').count() as u64
            }
        }
    }
}

/// The mappings that overlap a range, one query each.
///
/// # Errors
/// The kernel's: `ENOTTY` if it has no such query.
pub(super) fn by_query(maps: &File, range: &Range<u64>) -> io::Result<Vec<Mapping>> {
    let mut found = Vec::new();
    let mut from = range.start;
    while from < range.end {
        let Some(Mapping { range: mapping, prot }) = covering_or_next(maps, from)? else { break };
        from = mapping.end;
        push(&mut found, range, mapping, prot);
    }
    Ok(found)
}

/// The mapping that holds an address, or else the next one.
///
/// # Errors
/// As [`by_query`].
pub(super) fn covering_or_next(maps: &File, address: u64) -> io::Result<Option<Mapping>> {
    const NUMBER: u64 = 3 << 30 | (size_of::<ProcmapQuery>() as u64) << 16 | 0x6611;
    let mut query = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        flags: QUERY_COVERING_OR_NEXT,
        address,
        ..ProcmapQuery::default()
    };
    // SAFETY: the struct is the one that the number stands for, and holds no address of
    // ours that the kernel would write through.
    let answer = unsafe { libc::ioctl(maps.as_raw_fd(), NUMBER as _, &raw mut query) };
    if answer != 0 {
        let error = io::Error::last_os_error();
        // No mapping at or behind the address.
        let end = error.raw_os_error() == Some(libc::ENOENT);
        return if end { Ok(None) } else { Err(error) };
    }
    let has = |flag| query.vma_flags & flag != 0;
    let prot = Prot::of(has(QUERY_READABLE), has(QUERY_WRITABLE), has(QUERY_EXECUTABLE));
    Ok(Some(Mapping { range: query.start..query.end, prot }))
}

fn by_text(maps: File, range: &Range<u64>) -> io::Result<Vec<Mapping>> {
    let mut found = Vec::new();
    let mut lines = BufReader::with_capacity(1 << 16, maps);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let Some((mapping, prot)) = parse(&line) else {
            let line = String::from_utf8_lossy(&line).into_owned();
            return Err(io::Error::new(io::ErrorKind::InvalidData, line));
        };
        push(&mut found, range, mapping, prot);
        line.clear();
    }
    Ok(found)
}

/// Reads `start-end rwxp …`.
fn parse(line: &[u8]) -> Option<(Range<u64>, Prot)> {
    let mut words = line.split(|&byte| byte == b'-' || byte == b' ');
    let range = hexadecimal(words.next()?)?..hexadecimal(words.next()?)?;
    // Where a letter is missing, a `-` stands for it.
    let letters = line.splitn(3, |&byte| byte == b' ').nth(1)?;
    let has = |letter| letters.contains(&letter);
    Some((range, Prot::of(has(b'r'), has(b'w'), has(b'x'))))
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, add)
}

fn push(found: &mut Vec<Mapping>, range: &Range<u64>, mapping: Range<u64>, prot: Prot) {
    let cut = mapping.start.max(range.start)..mapping.end.min(range.end);
    if cut.start < cut.end {
        found.push(Mapping { range: cut, prot });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::mapping::Arena;

    #[test]
    fn both_ways_to_ask_tell_what_was_just_mapped() {
        let arena = Arena::open(1 << 20, 1 << 20).unwrap();
        let base = arena.range().start;
        arena.protect(base + 0x3000..base + 0x5000, Prot::READ_WRITE).unwrap();
        arena.protect(base + 0x5000..base + 0x6000, Prot::READ_EXECUTE).unwrap();
        let range = base + 0x1000..base + 0x8000;
        let expected = [
            Mapping { range: base + 0x1000..base + 0x3000, prot: Prot::NONE },
            Mapping { range: base + 0x3000..base + 0x5000, prot: Prot::READ_WRITE },
            Mapping { range: base + 0x5000..base + 0x6000, prot: Prot::READ_EXECUTE },
            Mapping { range: base + 0x6000..base + 0x8000, prot: Prot::NONE },
        ];
        let maps = || File::open("/proc/self/maps").unwrap();
        assert_eq!(mappings(&range, expected.len()).unwrap(), expected);
        assert_eq!(by_text(maps(), &range).unwrap(), expected);
        match by_query(&maps(), &range) {
            Ok(found) => assert_eq!(found, expected),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOTTY)),
        }
        assert!(count().unwrap() > 4);
    }

    #[test]
    fn many_mappings_are_told_like_few() {
        let arena = Arena::open(1 << 24, 1 << 24).unwrap();
        let range = arena.range();
        let pages = (range.start..range.end).step_by(0x2000);
        for page in pages.clone() {
            arena.protect(page..page + 0x1000, Prot::READ).unwrap();
        }
        let cut = |page, prot| Mapping { range: page..page + 0x1000, prot };
        let expected: Vec<Mapping> = pages
            .flat_map(|page| [cut(page, Prot::READ), cut(page + 0x1000, Prot::NONE)])
            .collect();
        assert!(expected.len() > 2 * FEW);
        for about in [0, FEW, FEW + 1, usize::MAX] {
            assert_eq!(mappings(&range, about).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_that_is_none_is_not_guessed() {
        let read = parse(b"7f00-7f10 r-xp 00000000 00:00 0 [vdso]\n");
        assert_eq!(read, Some((0x7F00..0x7F10, Prot::READ_EXECUTE)));
        for wrong in ["", "7f00", "7f00-", "7f00-7f10", "7g00-7f10 r-xp 0", "-7f10 r-xp 0"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_told_of_a_range_that_is_not_mapped() {
        assert_eq!(mappings(&(0x1000..0x2000), 1).unwrap(), []);
        assert_eq!(mappings(&(0x7FFF_FFFF_F000..0x7FFF_FFFF_FFFF), 1).unwrap(), []);
    }
}
