//! What is there to deploy, as far as that can be checked without a cluster.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::skip::skipped;
use super::{root, said, switchboard};

fn file(name: &str) -> String {
    fs::read_to_string(root().join("docs/deploy").join(name)).unwrap()
}

#[test]
fn systemd_takes_the_unit() {
    // What is started must be there.
    let program = env!("CARGO_BIN_EXE_switchboard");
    let unit = file("switchboard.service").replace("/usr/local/bin/switchboard", program);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("switchboard.service");
    fs::write(&path, unit).unwrap();
    let Ok(output) = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(path)
        .output()
    else {
        skipped("there is no systemd-analyze (apt-get install systemd)");
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    // Of settings it doesn't know it says so, and goes on.
    assert_eq!(said(&output), "");
}

/// In systemd 252 `@system-service` lacks what the bot confines itself with, and it would run
/// less confined than without the unit.
#[test]
fn the_unit_lets_the_bot_confine_itself() {
    let unit = file("switchboard.service");
    let filters = unit
        .lines()
        .filter(|line| line.starts_with("SystemCallFilter="));
    let allowed: BTreeSet<_> = filters.flat_map(|line| line.split(['=', ' '])).collect();
    for call in [
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "seccomp",
    ] {
        assert!(allowed.contains(call), "{call}");
    }
}

fn manifests() -> Vec<Value> {
    let text = file("kubernetes.yaml");
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

/// All manifests of a kind.
fn of_kind(kind: &str) -> Vec<Value> {
    let mut all = manifests();
    all.retain(|manifest| manifest["kind"] == kind);
    assert!(!all.is_empty(), "no {kind}");
    all
}

fn pods() -> Value {
    of_kind("StatefulSet").remove(0)
}

fn container() -> Value {
    pods()["spec"]["template"]["spec"]["containers"][0].clone()
}

/// The strings below all `key`s.
fn strings<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| strings(value, key, found));
        }
        Value::Array(array) => array.iter().for_each(|value| strings(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_manifests_settings_are_taken() {
    let map = of_kind("ConfigMap").remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.toml");
    fs::write(&path, map["data"]["bot.toml"].as_str().unwrap()).unwrap();
    let mut command = switchboard();
    command.args(["config", "print", "--redacted", "--config"]);
    command.arg(&path);
    for variable in container()["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        if name.starts_with("SWITCHBOARD_") {
            let value = variable["value"].as_str().unwrap_or("of-a-secret");
            command.env(name, value.replace("$(POD)", "switchboard-0"));
        }
    }
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    // Each pod's own, from the environment.
    assert!(
        said.contains("https://switchboard-0.calls.example.com/"),
        "{said}"
    );
    assert!(said.contains("instance = \"switchboard-0\""), "{said}");
    let checked = switchboard().arg("check").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn every_pod_has_an_address_of_its_own() {
    let pods = pods();
    let spec = &pods["spec"];
    assert_eq!(
        spec["template"]["metadata"]["labels"],
        spec["selector"]["matchLabels"]
    );
    let services = of_kind("Service");
    let ingress = of_kind("Ingress").remove(0);
    let named = |name: &str| {
        let mut all = services.iter();
        all.find(|service| service["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no service {name}"))
    };
    assert_eq!(
        named(spec["serviceName"].as_str().unwrap())["spec"]["clusterIP"],
        "None"
    );
    for number in 0..spec["replicas"].as_u64().unwrap() {
        let name = format!("switchboard-{number}");
        let own = &named(&name)["spec"];
        assert_eq!(
            own["selector"]["statefulset.kubernetes.io/pod-name"],
            name.as_str()
        );
        assert_eq!(own["publishNotReadyAddresses"], true, "{name} drains");
        let host = format!("{name}.calls.example.com");
        let mut rules = ingress["spec"]["rules"].as_array().unwrap().iter();
        let rule = rules.find(|rule| rule["host"] == host.as_str()).unwrap();
        let (mut backends, mut paths) = (Vec::new(), Vec::new());
        strings(&rule["http"], "name", &mut backends);
        strings(&rule["http"], "path", &mut paths);
        assert!(
            backends.iter().all(|own| [&name, "http"].contains(own)),
            "{rule}"
        );
        // What Graph posts to, and what it fetches.
        assert_eq!(paths, ["/api/calls", "/prompts"]);
    }
}

/// A pod that drains turns new calls away, and still wants the news of its own.
#[test]
fn new_calls_reach_no_pod_that_drains() {
    let ingress = of_kind("Ingress").remove(0);
    let mut rules = ingress["spec"]["rules"].as_array().unwrap().iter();
    let rule = rules.find(|rule| rule["host"] == "calls.example.com");
    let path = &rule.unwrap()["http"]["paths"][0];
    assert_eq!(path["path"], "/api/calls");
    let mut services = of_kind("Service").into_iter();
    let name = &path["backend"]["service"]["name"];
    let service = services.find(|service| &service["metadata"]["name"] == name);
    let spec = service.unwrap()["spec"].clone();
    assert_eq!(spec["selector"], pods()["spec"]["selector"]["matchLabels"]);
    assert!(spec.get("publishNotReadyAddresses").is_none(), "{spec}");
    let tls: Vec<_> = ingress["spec"]["tls"][0]["hosts"]
        .as_array()
        .unwrap()
        .clone();
    let rules = ingress["spec"]["rules"].as_array().unwrap().iter();
    for rule in rules {
        assert!(tls.contains(&rule["host"]), "{rule}");
    }
    assert!(waits_before_it_drains() > 0);
}

/// Seconds in which others hear that a pod ends.
fn waits_before_it_drains() -> i64 {
    let container = container();
    let command = &container["lifecycle"]["preStop"]["exec"]["command"];
    assert_eq!(command[0], "sleep");
    command[1].as_str().unwrap().parse().unwrap()
}

/// Schemas of Kubernetes, where somebody has them (`pip install kubernetes-validate`).
#[test]
fn kubernetes_takes_the_manifests() {
    let path = root().join("docs/deploy/kubernetes.yaml");
    let program = std::env::var("SWITCHBOARD_KUBERNETES_VALIDATE");
    let program = program.unwrap_or_else(|_| "kubernetes-validate".to_owned());
    let Ok(output) = Command::new(program).arg("--strict").arg(path).output() else {
        skipped("there is no kubernetes-validate (pip install kubernetes-validate)");
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
}

/// Running calls may end: pods are killed after `[drain]` alone.
#[test]
fn nothing_is_killed_while_it_drains() {
    let map = of_kind("ConfigMap").remove(0);
    let settings: toml::Table = map["data"]["bot.toml"].as_str().unwrap().parse().unwrap();
    let within = settings["drain"]["within"].as_integer().unwrap();
    let grace = &pods()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
    let before = waits_before_it_drains();
    assert!(
        grace.as_i64().unwrap() > before + within,
        "{grace} {within}"
    );
    // The unit has the default of `[drain]`.
    let unit = file("switchboard.service");
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    assert!(stop.unwrap().parse::<i64>().unwrap() > 60);
}

#[test]
fn the_image_is_what_the_manifests_run() {
    let image = file("Containerfile");
    let line = |start: &str| {
        let found = image.lines().find_map(|line| line.strip_prefix(start));
        found
            .unwrap_or_else(|| panic!("no {start}"))
            .trim()
            .to_owned()
    };
    let user = &pods()["spec"]["template"]["spec"]["securityContext"]["runAsUser"];
    assert_eq!(line("USER "), user.to_string());
    let command: Vec<String> = serde_json::from_str(&line("CMD ")).unwrap();
    let mount = &container()["volumeMounts"][0]["mountPath"];
    let settings = format!("{}/bot.toml", mount.as_str().unwrap());
    assert_eq!(command, ["serve", "--config", settings.as_str()]);
    // What is exposed is what is listened on.
    let exposed = line("EXPOSE ");
    let map = of_kind("ConfigMap").remove(0);
    let settings: toml::Table = map["data"]["bot.toml"].as_str().unwrap().parse().unwrap();
    let listen = settings["webhook"]["listen"].as_str().unwrap();
    let (_, port) = listen.rsplit_once(':').unwrap();
    let pod = &container()["ports"][0]["containerPort"];
    assert_eq!(port, pod.to_string());
    let manual = fs::read_to_string(root().join("docs/flows.md")).unwrap();
    let media = manual.split_once("\n[media]").unwrap().1;
    let media = media.split_once("\nport = ").unwrap().1;
    let media: String = media.chars().take_while(char::is_ascii_digit).collect();
    assert_eq!(exposed, format!("{port}/tcp {media}/udp"));
    // It builds with what the workspace asks for.
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let wanted = workspace["workspace"]["package"]["rust-version"]
        .as_str()
        .unwrap();
    let built = line("FROM docker.io/library/rust:");
    assert!(built.starts_with(wanted), "{built} for {wanted}");
}
