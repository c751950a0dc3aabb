//! The crates that handle audio and words can reach neither files nor sockets.

use std::path::Path;

use switchboard_tests::Failure;

/// What would let audio or words out of a process.
const WAYS_OUT: [&str; 11] = [
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::os",
    "std::process",
    "std::env",
    "tokio::",
    "println!",
    "File::",
];
/// Dependencies that bring sockets, files or logs with them.
const CARRIERS: [&str; 10] = [
    "tokio", "mio", "socket2", "reqwest", "hyper", "axum", "tracing", "log", "rustix", "libc",
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
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push((path.display().to_string(), product.to_owned()));
        }
    }
    Ok(())
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
        let named = code.filter(|line| WAYS_OUT.iter().any(|way| line.contains(way)));
        ways.extend(named.map(|line| format!("{path}: {line}")));
    }
    Ok(ways)
}

#[test]
fn the_media_crate_names_no_way_out() -> Result<(), Failure> {
    assert_eq!(ways_out("media")?, Vec::<String>::new());
    let manifest = std::fs::read_to_string(crates().join("media/Cargo.toml"))?;
    let own = manifest
        .split("[dev-dependencies]")
        .next()
        .unwrap_or_default();
    for carrier in CARRIERS {
        let brought = |line: &str| {
            let rest = line.strip_prefix(carrier);
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        assert!(!own.lines().any(brought), "media depends on {carrier}");
    }
    Ok(())
}

#[test]
fn only_the_shells_of_the_hook_name_a_way_out() -> Result<(), Failure> {
    let shells = ["wire/client.rs", "wire/endpoint.rs", "adapter/agent.rs"];
    let mut ways = ways_out("nlp")?;
    ways.retain(|way| !shells.iter().any(|shell| way.contains(shell)));
    assert_eq!(ways, Vec::<String>::new());
    Ok(())
}

#[test]
fn the_scan_finds_a_way_out_where_there_is_one() -> Result<(), Failure> {
    // The transport owns the sockets, the emulator the listener.
    assert!(!ways_out("transport")?.is_empty());
    assert!(!ways_out("emulator")?.is_empty());
    Ok(())
}
