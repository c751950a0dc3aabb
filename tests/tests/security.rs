//! `SECURITY.md` names a test for each promise; each must exist, and run.

use std::path::Path;
use std::process::Command;

use switchboard_tests::Failure;
use switchboard_tests::canaries::files;
use switchboard_tests::skip::skipped;

/// What the tables must speak of: a row that is lost is missed.
const MATRIX: [(&str, &[&str]); 7] = [
    (
        "## No media leaves memory",
        &[
            "can't reach files or sockets",
            "After a call, nothing of it is in the process",
            "wiped when it is freed",
            "written or sent",
            "at trace level",
            "a database and its log",
            "A crash leaves no core",
            "The kernel forbids",
            "less than the whole sandbox",
            "seeded leak",
        ],
    ),
    (
        "## Strangers at the webhook",
        &[
            "without signature",
            "Key brought along",
            "Wrong audience",
            "Tokens over 8 KiB",
            "unknown key ids",
            "Flood of strangers",
            "Too large, too deep",
            "Calls that nobody knows",
            "Replayed message",
            "Endless headers or bodies",
            "Address in a page link",
            "endless, too long",
            "A secret in arguments",
        ],
    ),
    (
        "## The API and its page",
        &[
            "No key",
            "An access token",
            "unsigned",
            "DNS rebinding",
            "CSRF",
            "may only look",
        ],
    ),
    (
        "## The emulator",
        &[
            "posts to `/admin`",
            "callback or prompt elsewhere",
            "lies in SDP",
        ],
    ),
    (
        "## Long forms",
        &[
            "half an hour",
            "guided by coverage",
            "virtual time",
            "seeded leak",
        ],
    ),
    (
        "## Strangers at the media port",
        &[
            "17.1.1",
            "17.1.2",
            "17.2.1",
            "17.2.2",
            "17.2.3",
            "17.2.4",
            "17.2.5",
            "17.2.6",
            "17.2.7",
            "17.2.8",
            "17.3.1",
            "17.3.2",
            "Consent expires",
            "A check repeated",
        ],
    ),
    (
        "## Faults",
        &[
            "doubled",
            "out of order",
            "late",
            "lost",
            "empty",
            "of nobody's call",
            "429",
            "Bursts of 500",
            "Reset after a request",
            "Token expires",
            "for ten minutes",
            "Flood of unknown keys",
            "Key rollover",
            "Clocks apart",
            "`kill -9` with 20 calls",
            "dies of a fault with 20 calls",
            "SIGTERM with 20 calls",
            "stands still for 5 s",
            "one way only",
            "Caller's address changes",
            "Loss of 5 %, of 30 %",
            "bursts of 200 ms",
            "engine is slow",
            "engine dies",
            "Disk full",
            "Database locked",
            "No notification reaches the bot",
            "1,000 seeded lives",
            "come and go for a minute",
            "Any bytes into any parser",
            "Inputs that once broke",
            "callback's host is unreachable",
        ],
    ),
];

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

/// Whether there is such a test, by an attribute of its own or within `proptest!`, and nothing
/// holds it back.
fn runs(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else {
        return false;
    };
    let before = source[..at].trim_end();
    let before = before.strip_suffix("async").unwrap_or(before).trim_end();
    let attributes = before.lines().rev().map(str::trim_start);
    let attributes = attributes.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<_> = attributes.collect();
    let is_test = |line: &&str| line.starts_with("#[test") || line.starts_with("#[tokio::test");
    let is_held_back = |line: &&str| line.starts_with("#[ignore");
    attributes.iter().any(is_test) && !attributes.iter().any(is_held_back)
}

#[test]
fn every_row_of_the_matrix_is_there() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("SECURITY.md"))?;
    for (title, rows) in MATRIX {
        let chapter = text.split_once(title).ok_or(title)?.1;
        let chapter = chapter.split("\n## ").next().unwrap_or_default();
        let table = chapter.lines().filter(|line| line.starts_with("| "));
        // Only what is said of it, not the tests' names.
        let told: Vec<_> = table
            .map(|row| row.split(".rs ").next().unwrap_or(row))
            .collect();
        for row in rows {
            let is_told = told.iter().any(|told| told.contains(row));
            assert!(is_told, "SECURITY.md: {title} has no row with \"{row}\"");
        }
    }
    Ok(())
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
            runs(&source, name),
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

#[test]
fn what_does_not_run_is_no_test() {
    let source = "#[test]\nfn a() {}\n#[test]\n#[ignore]\nfn b() {}\nfn c() {}\n\
                  /// #[test]\n#[tokio::test(flavor = \"x\")]\nasync fn d() {}\n";
    let runs = ["a", "b", "c", "d", "e"].map(|name| runs(source, name));
    assert_eq!(runs, [true, false, false, true, false]);
}

/// Named, it makes the test below one that can't run.
const LACKS: &str = "SWITCHBOARD_TEST_LACKS";

/// A test that can't run is told of, and fails where none may be left out.
#[test]
fn what_is_left_out_is_told() -> Result<(), Failure> {
    if std::env::var_os(LACKS).is_some() {
        skipped("there is no such program");
        return Ok(());
    }
    let told = tempfile::NamedTempFile::new()?;
    for (needed, passes) in [("0", true), ("1", false)] {
        let status = Command::new(std::env::current_exe()?)
            .args(["--exact", "what_is_left_out_is_told"])
            .env(LACKS, "1")
            .env("SWITCHBOARD_SKIPPED", told.path())
            .env("SWITCHBOARD_NEED_PEERS", needed)
            .output()?
            .status;
        assert_eq!(status.success(), passes, "SWITCHBOARD_NEED_PEERS={needed}");
    }
    let line = "what_is_left_out_is_told: there is no such program\n";
    assert_eq!(std::fs::read_to_string(told.path())?, line.repeat(2));
    Ok(())
}

/// Tests that can't run say so by `skipped`, so that none is left out in silence.
#[test]
fn nothing_else_skips() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let said = ["print", "ln!(\"skipped"].concat();
    let mut seen = 0;
    for folder in ["crates", "tests"] {
        for path in files(&root.join(folder))? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path)?;
                seen += usize::from(text.contains("skipped("));
                let known = path.ends_with("tests/src/skip.rs");
                assert!(known || !text.contains(&said), "{}", path.display());
            }
        }
    }
    assert!(seen > 8, "only {seen} files skip anything");
    Ok(())
}
