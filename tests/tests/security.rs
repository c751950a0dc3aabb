//! `SECURITY.md` names a test for each promise; each must exist.

use std::path::Path;

use switchboard_tests::Failure;

/// Tests named as `path` `name` in the tables, with the line they are on.
fn named(text: &str) -> Vec<(usize, &str, &str)> {
    let rows = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with('|'));
    let tests = rows.flat_map(|(at, line)| {
        line.split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|code| code.split_once(".rs "))
            .map(move |(path, name)| (at + 1, path, name))
    });
    tests.collect()
}

#[test]
fn every_promise_has_a_test_that_exists() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("SECURITY.md"))?;
    let tests = named(&text);
    assert!(tests.len() > 30, "only {} tests are named", tests.len());
    for (line, path, name) in tests {
        let source = std::fs::read_to_string(root.join(format!("{path}.rs")));
        let source = source.map_err(|error| format!("SECURITY.md:{line}: {path}.rs: {error}"))?;
        assert!(
            source.contains(&format!("fn {name}(")),
            "SECURITY.md:{line}: {path}.rs has no test {name}"
        );
    }
    // A row without a test says so.
    for (at, line) in text.lines().enumerate() {
        let is_row = line.starts_with("| ") && !line.contains("| Test");
        assert!(
            !is_row || line.contains(".rs ") || line.contains("no test"),
            "SECURITY.md:{}: a row without a test",
            at + 1
        );
    }
    Ok(())
}

#[test]
fn names_are_read_from_rows_alone() {
    let text = "`a.rs b`\n| x | `crates/a/src/b.rs it_holds`, `c.rs d` | y |\n";
    let expected = vec![(2, "crates/a/src/b", "it_holds"), (2, "c", "d")];
    assert_eq!(named(text), expected);
}
