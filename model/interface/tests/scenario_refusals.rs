//! Every kind of wrong scenario file is refused at its place and in words that help:
//! `refusals.txt` lists them.

use hostmem_interface::scenario::{self, MAX_JSON, MachineRequest};

fn refusal(text: impl AsRef<[u8]>) -> String {
    match scenario::read(text.as_ref()) {
        Ok(_) => format!("read: {}", String::from_utf8_lossy(text.as_ref())),
        Err(error) => error.to_string(),
    }
}

/// A file whose steps, on line 5 and following, are the given ones.
fn file(steps: &str) -> String {
    format!("{{\n\"format\": \"hostmem/1\",\n\"about\": \"a test\",\n\"steps\": [\n{steps}\n] }}")
}

const ALLOC: &str = r#"{"call":"VirtualAlloc","address":null,"size":1,"type":"MEM_RESERVE","protect":1,"bind":"p"},"#;
const HEAP: &str = r#"{"call":"CreateMalloc","kind":1,"bind":"m"},"#;

/// The file that an input of a section stands for.
fn whole(section: &str, input: &str) -> String {
    match section {
        "text" => input.to_owned(),
        "head" => format!(
            "{{\n\"format\": \"hostmem/1\", \"about\": \"a test\",\n{input},\n\
             \"steps\": [{{\"call\": \"GetMemoryLoad\"}}] }}"
        ),
        "steps" => file(input),
        "size" => file(&format!(r#"{{"call":"Read","address":null,"size":{input}}}"#)),
        "free type" => {
            file(&format!(r#"{{"call":"VirtualFree","address":null,"size":0,"type":{input}}}"#))
        }
        "names" => file(&format!("{ALLOC}\n{HEAP}\n{input}")),
        "query" => file(&format!(
            "{ALLOC}\n{{\"call\":\"VirtualQuery\",\"address\":\"p\",\"expect\":{input}}}"
        )),
        "read" => file(&format!(
            "{ALLOC}\n{{\"call\":\"Read\",\"address\":\"p\",\"size\":2,\"expect\":{input}}}"
        )),
        other => panic!("no such section: {other}"),
    }
}

#[test]
fn each_wrong_file_is_refused_as_the_table_says() {
    let mut section = "";
    let mut input = Vec::new();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in include_str!("refusals.txt").lines().skip(2) {
        if let Some(heading) = line.strip_prefix("== ") {
            section = heading.split(" == ").next().expect("a name");
        } else if let Some(expected) = line.strip_prefix("=> ") {
            let found = refusal(whole(section, &input.join("\n")));
            if found != expected {
                wrong.push(format!("{}\n=> {found}\n", input.join("\n")));
            }
            input.clear();
            checked += 1;
        } else if !line.is_empty() {
            input.push(line);
        }
    }
    assert!(wrong.is_empty(), "refused differently:\n{}", wrong.join("\n"));
    assert!(checked > 100, "only {checked} inputs in the table");
}

#[test]
fn what_is_no_json_text() {
    let table: &[(&[u8], &str)] = &[
        (b"", "line 1, column 1: the file is empty; expected a scenario"),
        (b" \n  ", "line 2, column 3: the file is empty; expected a scenario"),
        (
            b"{\n\"about\": \"\xff\" }",
            "line 2, column 11: found the byte 0xff, which is not UTF-8; expected JSON text",
        ),
        (
            b"\x28\xB5\x2F\xFD\x00",
            "line 1, column 1: found zstd data (such a file must be named .json.zst); \
             expected JSON text in UTF-8",
        ),
        (b"\x1F\x8B\x00", "line 1, column 1: found gzip data; expected JSON text in UTF-8"),
        (
            b"\xEF\xBB\xBF{}",
            "line 1, column 1: found a byte order mark; expected JSON text in UTF-8",
        ),
        (b"\xFF\xFE{\x00", "line 1, column 1: found UTF-16 text; expected JSON text in UTF-8"),
        (
            b"\x7fELF\x02\x01\x01\x00",
            "line 1, column 1: this is no scenario: found the byte 0x7f, expected \"{\"",
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(refusal(bytes), *expected);
    }
    assert_eq!(
        refusal(vec![b' '; usize::try_from(MAX_JSON).unwrap() + 1]),
        "line 1, column 1: 268435457 bytes of JSON; at most 268435456 (256 MiB) are read"
    );
}

#[test]
fn at_most_4096_threads() {
    let steps = |threads: std::ops::Range<u32>| {
        let step = |thread| format!(r#"{{"call":"GetMemoryLoad","thread":{thread}}}"#);
        file(&threads.map(step).collect::<Vec<_>>().join(",\n"))
    };
    assert!(scenario::read(steps(0..4096).as_bytes()).is_ok());
    let refused = refusal(steps(0..4097));
    assert!(refused.starts_with("line 4101, ") && refused.ends_with(": more than 4096 threads"));
}

#[test]
fn at_most_six_steps_overlap() {
    let step = |(at, with): (usize, &u32)| {
        format!(r#"{{"call":"GetMemoryLoad","with":{with},"thread":{}}}"#, at % 2)
    };
    let steps =
        |groups: &[u32]| file(&groups.iter().enumerate().map(step).collect::<Vec<_>>().join(",\n"));
    assert!(scenario::read(steps(&[3; 6]).as_bytes()).is_ok());
    assert!(scenario::read(steps(&[3, 3, 3, 3, 3, 3, 4, 3]).as_bytes()).is_ok());
    assert_eq!(
        refusal(steps(&[3; 7])),
        "line 11, column 32: more than 6 consecutive steps with 3; at most 6 may overlap"
    );
    let alone = [r#"{"call":"GetMemoryLoad","with":3}"#; 7];
    assert!(scenario::read(file(&alone.join(",\n")).as_bytes()).is_ok(), "one thread only");
}

/// User space has whole granules, fewer than 2^32, whatever their size.
#[test]
fn limits_that_a_file_does_not_state_give_way() {
    let limits = |granularity| {
        let machine = MachineRequest { granularity: Some(granularity), ..Default::default() };
        (machine.machine().lowest, machine.machine().highest)
    };
    assert_eq!(limits(0x1_0000), (0x1_0000, 0x7FFF_FFFE_FFFF));
    assert_eq!(limits(0x2_0000), (0x2_0000, 0x7FFF_FFFD_FFFF));
    assert_eq!(limits(0x4000), (0x1_0000, 0x3FFF_FFFF_BFFF));
    let stated = MachineRequest { highest: Some(0xF_FFFF), ..Default::default() };
    assert_eq!(stated.machine().highest, 0xF_FFFF);
}
