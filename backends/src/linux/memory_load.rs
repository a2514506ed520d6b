//! How much physical memory is in use: the machine's figures, or the cgroup's if tighter.
//!
//! `/proc/meminfo` tells the machine's; `memory.max` and `memory.current` (version 2) or
//! `memory.limit_in_bytes` and `memory.usage_in_bytes` (version 1) of the process's cgroup
//! and its ancestors tell a limit. What leaves the least available decides, as for a process
//! in a Windows job with a memory limit (spec: `GetMemoryLoad`).
//!
//! Deliberately not here: swap, which `GetMemoryLoad` does not count.

use std::fs;
use std::path::{Path, PathBuf};

use hostmem_interface::MemoryLoad;

/// Bytes in all and bytes that may still be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) total: u64,
    pub(super) available: u64,
}

impl Figures {
    /// The percentage in use, rounded down as Windows does, with the bytes available.
    pub(super) fn load(self) -> MemoryLoad {
        let used = u128::from(self.total.saturating_sub(self.available));
        let percent = (used * 100).checked_div(u128::from(self.total)).unwrap_or(0);
        let load = u32::try_from(percent).expect("a percentage");
        MemoryLoad { load, available: self.available }
    }
}

/// The present figures.
///
/// # Errors
/// What could not be read, as a sentence.
pub(super) fn figures() -> Result<Figures, String> {
    figures_under(Path::new("/"))
}

/// The machine's physical memory in bytes.
///
/// # Errors
/// What could not be read, as a sentence.
pub(super) fn physical() -> Result<u64, String> {
    machine(Path::new("/")).map(|figures| figures.total)
}

fn figures_under(root: &Path) -> Result<Figures, String> {
    let machine = machine(root)?;
    let limits = cgroups(root).into_iter().filter_map(|folder| limit(&folder));
    // A limit above what the machine has is none.
    let binding = limits.filter(|limit| limit.total < machine.total);
    let tightest = binding.chain([machine]).min_by_key(|figures| figures.available);
    Ok(tightest.unwrap_or(machine))
}

fn machine(root: &Path) -> Result<Figures, String> {
    let path = root.join("proc/meminfo");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let field = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = found.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| format!("{}: no {name}", path.display()))
    };
    Ok(Figures { total: field("MemTotal")?, available: field("MemAvailable")? })
}

/// The folders of the process's memory cgroup and of its ancestors, innermost first.
fn cgroups(root: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut folders = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let mount = match controllers {
            "" => root.join("sys/fs/cgroup"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                root.join("sys/fs/cgroup/memory")
            }
            _ => continue,
        };
        // Inside a container the path may not exist below the mount: its root counts then.
        let inner = mount.join(path.trim_start_matches('/'));
        let inside = inner.ancestors().take_while(|folder| folder.starts_with(&mount));
        folders.extend(inside.map(Path::to_path_buf));
    }
    folders
}

/// The limit of one cgroup, if it has one.
fn limit(folder: &Path) -> Option<Figures> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
    let total: u64 = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    Some(Figures { total, available: total.saturating_sub(used) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A root folder with these files, named after the test that asks.
    fn root(test: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("hostmem-{test}-{}", std::process::id()));
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn told(test: &str, files: &[(&str, &str)]) -> Result<Figures, String> {
        let root = root(test, files);
        let figures = figures_under(&root);
        fs::remove_dir_all(root).unwrap();
        figures
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:    1024 kB\nMemFree: 1 kB\nMemAvailable:     512 kB\n");

    #[test]
    fn without_a_cgroup_the_machine_decides() {
        let figures = told("machine", &[MEMINFO]).unwrap();
        assert_eq!(figures, Figures { total: MIB, available: MIB / 2 });
        assert_eq!(figures.load(), MemoryLoad { load: 50, available: MIB / 2 });
    }

    #[test]
    fn the_tightest_limit_of_a_cgroup_and_its_ancestors_decides() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "1\n"),
            ("sys/fs/cgroup/a/memory.max", "400000\n"),
            ("sys/fs/cgroup/a/memory.current", "300000\n"),
        ];
        assert_eq!(told("v2", &files), Ok(Figures { total: 400_000, available: 100_000 }));
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu:/\n4:hugetlb,memory:/x\n0::/\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "7\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "2000\n"),
        ];
        assert_eq!(told("v1", &files), Ok(Figures { total: 1000, available: 0 }));
    }

    #[test]
    fn damaged_figures_are_named() {
        let error = told("damaged", &[("proc/meminfo", "MemTotal: lots\n")]).unwrap_err();
        assert!(error.ends_with("no MemTotal"), "{error}");
    }

    #[test]
    fn this_machine_has_memory_and_some_of_it_is_used() {
        let figures = figures().unwrap();
        assert!(figures.available <= figures.total && physical().unwrap() >= figures.total);
        assert!(figures.load().load <= 100);
    }
}
