//! The crates that handle audio and words can reach neither files nor sockets.

use std::path::Path;
use std::process::Command;

use switchboard_tests::Failure;

/// What would let audio or words out of a process.
const WAYS_OUT: [&str; 16] = [
    "fs::",
    "net::*",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::os",
    "std::process",
    "std::env",
    "env::",
    "tokio::",
    "print!",
    "println!",
    "dbg!",
    "io::std",
    "File::",
];
/// Modules of std that are ways out, imported in a list.
const MODULES: [&str; 4] = ["fs", "os", "process", "env"];
/// Dependencies that bring sockets, files or logs with them.
const CARRIERS: [&str; 12] = [
    "tokio",
    "mio",
    "socket2",
    "reqwest",
    "hyper",
    "axum",
    "tracing",
    "log",
    "rustix",
    "nix",
    "async-std",
    "smol",
];

fn crates() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

/// Product code below `folder`: no tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_test = name.contains("test");
        if path.is_dir() {
            sources(&path, found)?;
        } else if name.ends_with(".rs") && !is_test {
            let text = std::fs::read_to_string(&path)?;
            found.push((path.display().to_string(), product(&text)));
        }
    }
    Ok(())
}

/// A file without what follows `#[cfg(test)]`: a line, or an item to its closing brace,
/// which rustfmt puts below the item's beginning.
fn product(text: &str) -> String {
    let (mut product, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            product.push_str(line);
            product.push('\n');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let ends = |line: &str| {
            let at = line.len() - line.trim_start().len();
            at == indent && line.ends_with([';', '}', ','])
        };
        for line in lines.by_ref() {
            if ends(line) {
                break;
            }
        }
    }
    product
}

/// Whether a line imports a way out in a list: `use std::{fs, time}`.
fn imports(line: &str) -> bool {
    let Some((_, list)) = line.split_once("std::{") else {
        return false;
    };
    let mut names = list.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.any(|name| MODULES.contains(&name))
}

/// Lines of a crate's product code that name a way out.
fn ways_out(name: &str) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    sources(&crates().join(name).join("src"), &mut files)?;
    assert!(!files.is_empty(), "{name} has no sources");
    let mut ways = Vec::new();
    for (path, text) in &files {
        let code = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//"));
        let named =
            code.filter(|line| imports(line) || WAYS_OUT.iter().any(|way| line.contains(way)));
        ways.extend(named.map(|line| format!("{path}: {line}")));
    }
    Ok(ways)
}

#[test]
fn the_media_crate_names_no_way_out() -> Result<(), Failure> {
    for name in ["media", "opus"] {
        assert_eq!(ways_out(name)?, Vec::<String>::new());
    }
    Ok(())
}

/// None of what is linked with audio has sockets, files or logs with it.
#[test]
fn nothing_that_the_media_crate_needs_is_a_way_out() -> Result<(), Failure> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "switchboard-media",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--locked", "--offline"])
        .current_dir(crates())
        .output()?;
    let tree = String::from_utf8(tree.stdout)?;
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"rubato"), "{names:?}");
    for carrier in CARRIERS {
        assert!(!names.contains(&carrier), "media needs {carrier}");
    }
    Ok(())
}

/// A scan that reads less than all proves less.
#[test]
fn the_scan_sees_lists_and_what_stands_behind_tests() {
    assert!(imports("use std::{fs, time};") && !imports("use std::{fmt, time};"));
    let text = "a\n#[cfg(test)]\nuse x;\nb\n    #[cfg(test)]\n    fn t() {\n        c\n    }\nd\n";
    assert_eq!(product(text), "a\nb\nd\n");
}

#[test]
fn only_the_shells_of_the_hook_name_a_way_out() -> Result<(), Failure> {
    let shells = ["wire/client.rs", "wire/endpoint.rs", "adapter/agent.rs"];
    let mut ways = ways_out("nlp")?;
    ways.retain(|way| !shells.iter().any(|shell| way.contains(shell)));
    assert_eq!(ways, Vec::<String>::new());
    Ok(())
}

/// Clippy forbids the same ways out, and clocks: in each of the crates without IO by the same
/// list, which repeats what the root's file says.
#[test]
fn the_crates_without_io_have_clippys_list() -> Result<(), Failure> {
    let list = |name: &str| std::fs::read_to_string(crates().join(name).join("clippy.toml"));
    let media = list("media")?;
    for name in ["nlp", "reminders", "signaling"] {
        assert_eq!(list(name)?, media, "crates/{name}/clippy.toml");
    }
    let root = std::fs::read_to_string(crates().join("../clippy.toml"))?;
    for line in root.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            media.contains(line),
            "crates/media/clippy.toml lacks {line}"
        );
    }
    for way in ["UdpSocket", "fs::write", "Instant::now", "thread::spawn"] {
        assert!(media.contains(way), "{way}");
    }
    Ok(())
}

#[test]
fn the_scan_finds_a_way_out_where_there_is_one() -> Result<(), Failure> {
    // The transport owns the sockets, the emulator the listener.
    assert!(!ways_out("transport")?.is_empty());
    assert!(!ways_out("emulator")?.is_empty());
    Ok(())
}
