//! Tells the compiler which commit this is, and that the scenarios and the lists of known
//! differences are part of the binary.
//!
//! The commit is read from git's own files, so that building needs no git; `HOSTMEM_COMMIT`
//! at build time says it where there is no repository. A tree with changes of its own is not
//! told apart: that would need git.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let root = here.join("..");
    // The macro that embeds them does not tell cargo.
    println!("cargo:rerun-if-changed={}", root.join("scenarios").display());
    println!("cargo:rerun-if-changed={}", root.join("backends/known").display());
    println!("cargo:rerun-if-env-changed=HOSTMEM_COMMIT");
    let told = env::var_os("HOSTMEM_COMMIT").and_then(|commit| commit.into_string().ok());
    if let Some(commit) = told.or_else(|| commit(&root)) {
        println!("cargo:rustc-env=HOSTMEM_COMMIT={commit}");
    }
}

/// The commit that is checked out in `root`.
fn commit(root: &Path) -> Option<String> {
    let git = git_folder(&root.join(".git"))?;
    let head = git.join("HEAD");
    println!("cargo:rerun-if-changed={}", head.display());
    let head = fs::read_to_string(head).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else {
        return id(&head);
    };
    // A worktree keeps its branches in the repository that it belongs to.
    let common = fs::read_to_string(git.join("commondir")).ok();
    let common = common.map_or_else(|| git.clone(), |path| git.join(path.trim()));
    let loose = common.join(reference);
    if let Ok(text) = fs::read_to_string(&loose) {
        println!("cargo:rerun-if-changed={}", loose.display());
        return id(&text);
    }
    let packed = common.join("packed-refs");
    println!("cargo:rerun-if-changed={}", packed.display());
    let packed = fs::read_to_string(packed).ok()?;
    packed.lines().find_map(|line| id(line.strip_suffix(reference)?))
}

/// `.git` itself, or what it points to in a worktree.
fn git_folder(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let text = fs::read_to_string(git).ok()?;
    let path = Path::new(text.trim().strip_prefix("gitdir: ")?);
    Some(git.parent()?.join(path))
}

/// A commit id, if the text is one.
fn id(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}
