//! The page around a record: one file with its style, its program and its data, which loads
//! nothing and sends nothing.
//!
//! The program is written as modules in `page/`, which a browser does not load from a disk.
//! So they are put one behind the other here, without the lines by which they import each
//! other; what is exported has one name in all of them. The data is packed (zlib) and spelt in
//! base64, so that nothing in it can end the element that it stands in.
//!
//! Deliberately not here: what is in the record ([`super::record`]).

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::report::html::Text;

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// The modules of the program, each behind those that it imports.
const MODULES: &[&str] = &[
    include_str!("page/numbers.js"),
    include_str!("page/dom.js"),
    include_str!("page/looks.js"),
    include_str!("page/record.js"),
    include_str!("page/space.js"),
    include_str!("page/state.js"),
    include_str!("page/scale.js"),
    include_str!("page/canvas.js"),
    include_str!("page/strips.js"),
    include_str!("page/timeline.js"),
    include_str!("page/list.js"),
    include_str!("page/steps.js"),
    include_str!("page/regions.js"),
    include_str!("page/explain.js"),
    include_str!("page/keys.js"),
    include_str!("page/main.js"),
];

/// The page of a record.
#[must_use]
pub fn page(title: &str, record: Vec<u8>) -> String {
    let title = Text(title).to_string();
    let record = spelt(&record);
    let program = program();
    let parts = [
        ("{{title}}", &*title),
        ("{{style}}", STYLE),
        ("{{record}}", &*record),
        ("{{program}}", &*program),
    ];
    let mut page = String::with_capacity(FRAME.len() + STYLE.len() + program.len() + record.len());
    let mut rest = FRAME;
    // In the order of the frame, so that nothing is looked for in what was put in.
    for (mark, text) in parts {
        let (before, behind) = rest.split_once(mark).expect("the frame has every mark, in order");
        page.push_str(before);
        page.push_str(text);
        rest = behind;
    }
    page + rest
}

/// The program in one piece.
fn program() -> String {
    let mut program = String::new();
    for module in MODULES {
        for line in module.lines().filter(|line| !line.starts_with("import ")) {
            program.push_str(line.strip_prefix("export ").unwrap_or(line));
            program.push('\n');
        }
    }
    program
}

/// Bytes packed and in base64.
fn spelt(bytes: &[u8]) -> String {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).expect("memory takes everything");
    STANDARD.encode(packer.finish().expect("memory takes everything"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_case_ends_an_element() {
        let nasty = "</script><script>alert(1)</script><!-- \u{2028} ü";
        let plain = page("plain", b"data".to_vec());
        let page = page(nasty, nasty.as_bytes().to_vec());
        let count = |page: &str, what: &str| page.matches(what).count();
        for mark in ["<script", "</script", "<!--", "<style", "</style"] {
            assert_eq!(count(&page, mark), count(&plain, mark), "{mark}");
        }
        assert!(page.contains("&lt;/script&gt;"));
    }

    #[test]
    fn the_program_has_no_line_that_only_a_module_may_have() {
        let program = program();
        for word in ["import ", "export ", "</script", "<!--"] {
            assert!(!program.contains(word), "the program has `{word}`");
        }
        assert!(!STYLE.contains("</style"));
    }

    #[test]
    fn a_page_names_nothing_that_could_be_loaded() {
        let page = page("t", Vec::new());
        for word in ["http://", "https://", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(word), "the page has `{word}`");
        }
    }
}
