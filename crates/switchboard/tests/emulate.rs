//! `switchboard emulate` as CI uses it: settings from everywhere, exit codes, reports.
#![allow(clippy::unwrap_used)]

#[path = "emulate/endings.rs"]
mod endings;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The command with no setting of this machine.
fn emulate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    command.arg("emulate").args(arguments).stdin(Stdio::null());
    command
}

fn outcome(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = emulate(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// An emulator that runs, and what it printed. Dropping it ends it.
struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, ready }
    }

    fn says(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn flags_count_more_than_the_environment_and_that_more_than_the_file() {
    let folder = TempDir::new().unwrap();
    let file = "listen = \"127.0.0.1:0\"\nclient_id = \"filed\"\ntenant_id = \"filed\"\nclient_secret = \"filed\"\n";
    let path = written(&folder, "emulator.toml", file);
    let mut command = emulate(&["--client-id", "flagged"]);
    command
        .env("SWITCHBOARD_EMULATOR_CONFIG", path)
        .env("SWITCHBOARD_EMULATOR_CLIENT_ID", "from the environment")
        .env("SWITCHBOARD_EMULATOR_TENANT_ID", "surrounding");
    let running = Running::start(command);
    assert_eq!(running.says("client_id"), "flagged");
    assert_eq!(running.says("tenant_id"), "surrounding");
    assert_eq!(running.says("client_secret"), "filed");
    assert!(running.says("token_url").contains("/surrounding/"));
    assert_eq!(running.ready.get("apps"), None);
}

#[test]
fn secrets_come_by_files_and_the_environment_and_by_no_argument() {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, "secret", "of a file\n");
    let local = "--listen=127.0.0.1:0";
    let variable = "SWITCHBOARD_EMULATOR_CLIENT_SECRET";
    let mut command = emulate(&[local]);
    command.env(format!("{variable}_FILE"), &path);
    assert_eq!(Running::start(command).says("client_secret"), "of a file");
    let mut command = emulate(&[local]);
    command.env(format!("{variable}_FILE"), &path);
    command.env(variable, "surrounding");
    assert_eq!(Running::start(command).says("client_secret"), "surrounding");
    let mut command = emulate(&[local, "--client-secret-file", &path]);
    command.env(variable, "surrounding");
    assert_eq!(Running::start(command).says("client_secret"), "of a file");
    for refused in [
        &["--client-secret", "hunter2"][..],
        &["--client-secret=hunter2"],
    ] {
        let (code, out, told) = outcome(refused);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(told.contains("--client-secret-file"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let (code, _, told) = outcome(&[local, "--client-secret-file", "/nowhere"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("/nowhere cannot be read"), "{told}");
    let empty = written(&folder, "empty", "\n");
    let (code, _, told) = outcome(&[local, "--client-secret-file", &empty]);
    assert_eq!(code, Some(2));
    assert!(told.contains("empty is empty: it should hold"), "{told}");
}

#[test]
fn a_settings_file_may_name_the_files_of_secrets() {
    let folder = TempDir::new().unwrap();
    written(&folder, "first", "of the first\n");
    written(&folder, "second", "of the second\n");
    let app = |id: &str| {
        format!(
            "[[apps]]\ntenant_id = \"t\"\nclient_id = \"{id}\"\nclient_secret_file = \"{id}\"\n"
        )
    };
    let apps = format!(
        "listen = \"127.0.0.1:0\"\n{}{}",
        app("first"),
        app("second")
    );
    let path = written(&folder, "emulator.toml", &apps);
    let running = Running::start(emulate(&["--config", &path]));
    assert_eq!(running.says("client_secret"), "of the first");
    assert_eq!(running.ready["apps"][1]["client_secret"], "of the second");
    let own = format!("client_secret_file = \"second\"\n{apps}");
    let path = written(&folder, "emulator.toml", &own);
    let running = Running::start(emulate(&["--config", &path]));
    assert_eq!(running.says("client_secret"), "of the second");
}

#[test]
fn flags_that_can_not_be_are_refused_with_words() {
    for (flag, value, words) in [
        (
            "--role",
            "Calls.Initate.All",
            "did you mean \"Calls.Initiate.All\"?",
        ),
        ("--tenant-id", "", "is no id"),
        ("--tenant-id", "a/b", "\"a/b\" is no id"),
        ("--client-id", "..", "\"..\" is no id"),
        ("--concurrent-calls", "0", "'0'"),
        ("--listen", "localhost:8480", "for example 127.0.0.1:8480"),
    ] {
        let (code, out, told) = outcome(&[flag, value]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains(words), "{told}");
        assert!(told.contains(flag), "{told}");
    }
}

#[test]
fn a_file_may_hold_several_applications_and_tenants() {
    let folder = TempDir::new().unwrap();
    let app = |id: &str| format!("[[apps]]\ntenant_id = \"of-{id}\"\nclient_id = \"{id}\"\n");
    let file = format!("listen = \"127.0.0.1:0\"\n{}{}", app("one"), app("two"));
    let path = written(&folder, "emulator.toml", &file);
    let running = Running::start(emulate(&["--config", &path]));
    assert_eq!(running.says("client_id"), "one");
    let second = &running.ready["apps"][1];
    assert_eq!(second["client_id"], "two");
    assert!(second["token_url"].as_str().unwrap().contains("/of-two/"));
}

#[test]
fn every_flag_is_also_a_variable_and_a_key() {
    let (code, help, _) = outcome(&["--help"]);
    assert_eq!(code, Some(0));
    let words: Vec<_> = help.split_whitespace().collect();
    let flags = words.iter().filter_map(|word| word.strip_prefix("--"));
    let named: Vec<_> = flags
        .map(|flag| flag.split(['[', '=']).next().unwrap())
        .filter(|flag| flag.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    assert!(named.contains(&"listen") && named.contains(&"lenient"));
    let folder = TempDir::new().unwrap();
    for flag in named {
        if matches!(flag, "help" | "config") {
            continue;
        }
        let variable = flag.to_uppercase().replace('-', "_");
        let variable = format!("SWITCHBOARD_EMULATOR_{variable}");
        assert!(help.contains(&variable), "{variable}");
        // A key that is known is refused for its value, not for its name.
        let key = flag.replace('-', "_");
        let file = format!("{key} = {{}}\n");
        let path = written(&folder, "emulator.toml", &file);
        let (code, _, told) = outcome(&["--config", &path]);
        assert_eq!(code, Some(2), "{flag}: {told}");
        assert!(!told.contains("unknown field"), "{flag}: {told}");
    }
}

#[test]
fn a_taken_port_and_a_public_address_are_refused_with_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, out, told) = outcome(&["--listen", &address]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(told.contains(&format!("{address} is in use")), "{told}");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, out, told) = outcome(&["--listen=127.0.0.1:0", "--media", &address]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(told.contains(&format!("{address} is in use")), "{told}");
    let local = ["--listen=127.0.0.1:0", "--media=127.0.0.1:0"];
    let open = ["--listen=0.0.0.0:0", "--media=0.0.0.0:0"];
    for open in [[open[0], local[1]], [local[0], open[1]]] {
        let (code, out, told) = outcome(&open);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        let why = "can be reached from other machines";
        assert!(told.contains(why), "{open:?}: {told}");
        assert!(told.contains("--allow-remote"), "{open:?}: {told}");
    }
    let running = Running::start(emulate(&[open[0], open[1], "--allow-remote"]));
    assert!(running.says("graph").starts_with("http://127.0.0.1:"));
}

/// A request without a body; the whole response.
fn get(address: &str, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n\r\n");
    ask(address, &request)
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn the_line_printed_when_ready_is_a_contract() {
    let running = Running::start(emulate(&["--listen=127.0.0.1:0", "--seed=7"]));
    let keys = running.ready.as_object().unwrap().keys();
    let mut keys: Vec<_> = keys.map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "admin",
        "client_id",
        "client_secret",
        "graph",
        "openid_configuration",
        "page",
        "seed",
        "tenant_id",
        "token_url",
    ];
    assert_eq!(keys, expected);
    assert_eq!(running.ready["seed"], 7);
    let (page, tenant) = (running.says("page"), running.says("tenant_id"));
    let address = page.strip_prefix("http://").unwrap().trim_end_matches('/');
    for (key, path) in [
        ("graph", "v1.0"),
        ("token_url", &format!("{tenant}/oauth2/v2.0/token")),
        ("openid_configuration", "v1/.well-known/OpenIdConfiguration"),
        ("admin", "admin"),
    ] {
        assert_eq!(running.says(key), format!("{page}{path}"));
    }
    let host = format!("host: {address}");
    for path in ["/", "/v1/.well-known/OpenIdConfiguration", "/admin/faults"] {
        let response = get(address, path, &host);
        assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
    }
    // Without a seed one is made up and told.
    let running = Running::start(emulate(&["--listen=127.0.0.1:0"]));
    assert!(running.ready["seed"].is_u64());
}

#[test]
fn a_public_url_is_what_others_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let public = "https://emulator.example";
    let running = Running::start(emulate(&["--listen", &address, "--public-url", public]));
    for key in [
        "graph",
        "token_url",
        "openid_configuration",
        "page",
        "admin",
    ] {
        assert!(
            running.says(key).starts_with(&format!("{public}/")),
            "{key}"
        );
    }
    let host = "host: emulator.example";
    let configuration = get(&address, "/v1/.well-known/OpenIdConfiguration", host);
    let keys = format!("\"jwks_uri\":\"{public}/v1/.well-known/keys\"");
    assert!(configuration.contains(&keys), "{configuration}");
    for (origin, status) in [(public, 200), ("https://evil.example", 403)] {
        let headers = format!("{host}\r\norigin: {origin}");
        let response = get(&address, "/admin/faults", &headers);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{response}"
        );
    }
}

#[test]
fn tls_takes_a_certificate_and_its_key() {
    let folder = TempDir::new().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    written(&folder, "own.pem", &own.cert.pem());
    let key = written(&folder, "own.key", &own.signing_key.serialize_pem());
    let file = "listen = \"127.0.0.1:0\"\ntls_certificate = \"own.pem\"\n";
    let config = written(&folder, "emulator.toml", file);
    let mut command = emulate(&["--config", &config]);
    command.env("SWITCHBOARD_EMULATOR_TLS_KEY", &key);
    let running = Running::start(command);
    let page = running.says("page").to_owned();
    assert!(page.starts_with("https://127.0.0.1:"), "{page}");
    for name in ["graph", "token_url", "openid_configuration", "admin"] {
        assert!(running.says(name).starts_with(&page), "{name}");
    }
    let address = page.trim_start_matches("https://").trim_end_matches('/');
    let plain = get(address, "/admin/counts", "");
    assert!(plain.contains("https instead of http"), "{plain}");
}

#[test]
fn what_makes_no_tls_ends_with_2_and_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = written(&folder, "own.pem", &own.cert.pem());
    let key = written(&folder, "own.key", &own.signing_key.serialize_pem());
    let (first, second) = ("--tls-certificate", "--tls-key");
    for (arguments, expected) in [
        (&[first, &certificate][..], "give --tls-key too, or neither"),
        (&[second, &key], "give --tls-certificate too, or neither"),
        (
            &[first, "/nowhere", second, &key],
            "/nowhere cannot be read",
        ),
        (&[first, &key, second, &key], "`BEGIN CERTIFICATE`"),
        (
            &[first, &certificate, second, &certificate],
            "not encrypted",
        ),
    ] {
        let (code, out, told) = outcome(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

/// A webhook that refuses everything.
fn refusing_webhook() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/calls", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut request = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while request.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            // Whoever only looks whether somebody is there sends nothing.
            let _ = request.read_exact(&mut vec![0; length]);
            let answer =
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = request.into_inner().write_all(answer);
        }
    });
    url
}

#[test]
fn the_log_file_is_the_same_with_the_same_seed() {
    let folder = TempDir::new().unwrap();
    let steps = "{ call = \"bot\" }, { expect_end = 503 },\n".repeat(12);
    let scenario = format!(
        "overlook = [\"webhookRefused\"]\n[[faults]]\noperation = \"notification:incoming\"\n\
         probability = 0.5\nfault = {{ kind = \"duplicate\", copies = 2 }}\n\
         [people.Carla]\nsteps = [\n{steps}]\n"
    );
    let path = written(&folder, "refused.toml", &scenario);
    let bot = refusing_webhook();
    let log = |seed: &str| {
        let file = folder.path().join("log");
        let log = file.to_str().unwrap();
        let arguments = [
            "--ci",
            "--listen=127.0.0.1:0",
            "--bot",
            &bot,
            "--scenario",
            &path,
            "--seed",
            seed,
            "--log",
            log,
        ];
        let (code, out, told) = outcome(&arguments);
        assert_eq!(code, Some(0), "{told}");
        let report: Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
        assert_eq!(report["seed"].to_string(), seed);
        fs::read_to_string(file).unwrap()
    };
    let first = log("7");
    let incoming = |text: &str| first.matches(text).count();
    let (once, twice) = (
        incoming("Carla: notification incoming 400 x1\n"),
        incoming("Carla: notification incoming 400 x2\n"),
    );
    assert_eq!(once + twice, 12, "{first}");
    assert!(once > 0 && twice > 0, "{first}");
    assert_eq!(first, log("7"));
    assert_ne!(first, log("8"));
}

#[test]
fn a_wrong_file_ends_with_2_and_says_where() {
    let folder = TempDir::new().unwrap();
    let scenario = "[people.a]\nsteps = [{ cal = \"bot\" }]\n";
    let path = written(&folder, "typo.toml", scenario);
    let (code, out, told) = outcome(&["--ci", "--scenario", &path]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        told.contains("typo.toml:2:12: unknown field `cal`"),
        "{told}"
    );
    assert!(told.contains("did you mean \"call\"?"), "{told}");
    let (code, _, told) = outcome(&["--ci", "--scenario", "/nowhere/x.toml"]);
    assert_eq!(code, Some(2), "{told}");
    let path = written(&folder, "emulator.toml", "seed = \"x\"\n");
    let (code, _, told) = outcome(&["--config", &path]);
    assert_eq!(code, Some(2));
    assert!(told.contains("emulator.toml:1:8: "), "{told}");
}

#[test]
fn a_scenario_that_fails_ends_with_1_and_is_reported_in_every_form() {
    let folder = TempDir::new().unwrap();
    // Nobody listens there: the call can't be delivered.
    let scenario = "name = \"Nobody is there\"\n[people.Carla]\nsteps = [{ call = \"bot\" }, { reach = \"established\" }, { hang_up = true }]\n";
    let path = written(&folder, "nobody.toml", scenario);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let bot = format!("http://{}/api/calls", free.local_addr().unwrap());
    drop(free);
    let junit = folder.path().join("report.xml");
    let arguments = [
        "--ci",
        "--listen=127.0.0.1:0",
        "--wait-for-bot=0",
        "--scenario",
        &path,
        "--bot",
        &bot,
        "--junit",
        junit.to_str().unwrap(),
    ];
    let (code, out, told) = outcome(&arguments);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("FAILED  Nobody is there"), "{told}");
    assert!(
        told.contains("the call ended first, with code 503"),
        "{told}"
    );
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines[0]["graph"].is_string());
    assert_eq!(lines[1]["passed"], false);
    let seed = &lines[0]["seed"];
    assert_eq!(&lines[1]["seed"], seed);
    assert!(told.contains(&format!("--seed {seed}")), "{told}");
    let steps = &lines[1]["scenarios"][0]["people"][0]["steps"];
    assert_eq!(steps[1]["outcome"], "failed");
    assert_eq!(steps[2]["outcome"], "notRun");
    assert_eq!(failures(&junit), 2);
}

#[test]
fn a_scenario_that_passes_ends_with_0() {
    let folder = TempDir::new().unwrap();
    let scenario = "[people.Carla]\nsteps = [{ pause = \"10ms\" }]\n";
    let path = written(&folder, "calm.toml", scenario);
    let json = folder.path().join("report.json");
    let json = json.to_str().unwrap();
    let arguments = [
        "--ci",
        "--listen=127.0.0.1:0",
        "--scenario",
        &path,
        "--json",
        json,
    ];
    let (code, out, told) = outcome(&arguments);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(out.lines().count(), 1, "the report is in the file");
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(report["passed"], true);
    assert_eq!(report["scenarios"][0]["name"], "calm");
}

/// Where nobody listens it is said what was tried and why that failed.
#[test]
fn a_webhook_that_is_not_there_is_named_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let scenario = "[people.Carla]\nsteps = [{ call = \"bot\" }, { expect_end = 503 }]\n";
    let path = written(&folder, "nobody.toml", scenario);
    let arguments = [
        "--ci",
        "--listen=127.0.0.1:0",
        "--bot=http://127.0.0.1:9/calls?secret=s3cret",
        "--wait-for-bot=1",
        "--scenario",
        &path,
    ];
    let (code, out, told) = outcome(&arguments);
    assert_eq!(code, Some(1), "{told}");
    for line in [
        "webhook=\"http://127.0.0.1:9/calls\"",
        "gave no answer: Connection refused",
        "http://127.0.0.1:9/calls could not be reached for 1 s",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!format!("{told}{out}").contains("secret=s3cret"), "{told}");
}

/// Each finds the emulator as if it were played alone: no meeting, no clock of the one before.
#[test]
fn scenarios_of_one_run_leave_nothing_to_each_other() {
    let folder = TempDir::new().unwrap();
    let meets = |state: &str| {
        format!(
            "[people.Carla]\nsteps = [{{ call = \"meeting:board\" }}, \
             {{ reach = \"{state}\", within = \"10s\" }}, {{ advance_clock = \"44m\" }}, {{ hang_up = true }}]\n"
        )
    };
    let waits = format!(
        "{}[meetings.board]\nlobby = \"organizer\"\n",
        meets("lobby")
    );
    let first = written(&folder, "waits.toml", &waits);
    let second = written(&folder, "enters.toml", &meets("established"));
    let log_of = |scenarios: &[&str]| {
        let log = folder.path().join("log");
        let mut arguments = vec![
            "--ci",
            "--listen=127.0.0.1:0",
            "--seed=7",
            "--log",
            log.to_str().unwrap(),
        ];
        arguments.extend(scenarios.iter().flat_map(|path| ["--scenario", *path]));
        let (code, _, told) = outcome(&arguments);
        assert_eq!(code, Some(0), "{told}");
        fs::read_to_string(&log).unwrap()
    };
    let both = log_of(&[&first, &second]);
    let alone = log_of(&[&second]);
    assert!(both.ends_with(&alone), "{both}");
}

/// Failures in a JUnit document: a step, and what the judge found.
fn failures(path: &Path) -> usize {
    fs::read_to_string(path)
        .unwrap()
        .matches("<failure")
        .count()
}
