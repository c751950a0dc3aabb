//! Every block of TOML in the manuals is taken by the program it is for, as it stands there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchboard_emulator::scenario::Scenario;
use switchboard_media::prompt::Prompt;
use tempfile::TempDir;
use toml::{Table, Value};

use super::{root, said, switchboard};

/// What a page of settings has around what a manual shows of it.
const SETTINGS: &str = r#"
flow = "flow.toml"
[graph]
tenant = "a"
client_id = "b"
client_secret = "c"
[service]
"#;

/// What a flow has around nodes that a manual shows alone, by the first of them.
const AROUND: [(&str, &str); 2] = [
    (
        "screen",
        r#"
start = "screen"
otherwise = "closed"
prompts.closed = { text = "We are closed." }
contacts.ada = { user = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01" }
hours.office = { days = ["mon"], from = "09:00", to = "17:00", zone = "Europe/Amsterdam" }
nodes.busy = { reject = "busy" }
nodes.welcome = { say = "closed", next = "closed" }
nodes.closed = { say = "closed", hang_up = true }
"#,
    ),
    (
        "assistant",
        r#"
start = "assistant"
otherwise = "goodbye"
prompts.menu = { text = "Press 0 for a person." }
contacts.desk = { user = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01" }
nodes.by-keys = { say = "menu", listen = { keys = { 0 = "person" } } }
nodes.person = { transfer = { to = "desk" } }
nodes.goodbye = { hang_up = true }
"#,
    ),
];

/// What a block of TOML is.
enum Kind {
    Flow,
    Settings,
    Emulator,
    Scenario,
}

/// A block in a manual.
struct Block {
    place: String,
    table: Table,
    /// The manual's first block, which may have the rest of this one.
    first: Table,
}

impl Block {
    fn kind(&self) -> Kind {
        let has = |name: &str| self.table.contains_key(name);
        // Rooms are the flow's, but who may open them is the settings'.
        let keys = self.table.get("rooms").and_then(|rooms| rooms.get("keys"));
        match () {
            () if has("people") => Kind::Scenario,
            () if has("apps") => Kind::Emulator,
            () if has("nodes") || has("rooms") && keys.is_none() => Kind::Flow,
            () => Kind::Settings,
        }
    }

    /// All of the flow that this is a part of.
    fn flow(&self) -> Table {
        let nodes = self.table.get("nodes").and_then(Value::as_table);
        let known = |(name, _): &&(&str, &str)| nodes.is_some_and(|own| own.contains_key(*name));
        let around = match AROUND.iter().find(known) {
            _ if self.table.contains_key("start") => Table::new(),
            Some((_, around)) => around.parse().unwrap(),
            None => self.first.clone(),
        };
        over(around, self.table.clone())
    }

    fn settings(&self) -> Table {
        over(SETTINGS.parse().unwrap(), self.table.clone())
    }
}

/// `other` over `own`, table by table.
fn over(mut own: Table, other: Table) -> Table {
    for (key, value) in other {
        let value = match (own.remove(&key), value) {
            (Some(Value::Table(own)), Value::Table(other)) => Value::Table(over(own, other)),
            (_, value) => value,
        };
        own.insert(key, value);
    }
    own
}

fn manuals() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    for folder in ["docs", "docs/bots"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        found.extend(files.filter(|file| file.extension().is_some_and(|end| end == "md")));
    }
    found
}

/// The file that a block belongs to by its first line, and whether it goes on there.
fn part_of(block: &str) -> Option<(&str, bool)> {
    let name = block.lines().next()?.strip_prefix("# ")?;
    let further = name.strip_suffix(", further");
    Some((further.unwrap_or(name), further.is_some()))
}

/// A block as it stands in its file: behind what the manual shows of that before.
fn as_a_file(block: &str, files: &mut BTreeMap<String, String>) -> String {
    let Some((name, further)) = part_of(block) else {
        return block.to_owned();
    };
    let before = files.get(name).filter(|_| further).cloned();
    let whole = before.unwrap_or_default() + block;
    files.insert(name.to_owned(), whole.clone());
    whole
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for file in manuals() {
        let text = fs::read_to_string(&file).unwrap();
        let (mut first, mut files) = (None, BTreeMap::new());
        for (at, _) in text.match_indices("```toml\n") {
            let place = format!("{}:{}", file.display(), text[..at].lines().count() + 1);
            let block = text[at..].split("```").nth(1).unwrap();
            let block = as_a_file(block.trim_start_matches("toml\n"), &mut files);
            let table = block.parse::<Table>();
            let table = table.unwrap_or_else(|error| panic!("{place}: {error}"));
            let first = first.get_or_insert_with(|| table.clone()).clone();
            blocks.push(Block {
                place,
                table,
                first,
            });
        }
    }
    blocks
}

/// Files that are named somewhere in a table are there.
fn make_files(folder: &Path, value: &Value) {
    match value {
        Value::Table(table) => table.values().for_each(|value| make_files(folder, value)),
        Value::Array(array) => array.iter().for_each(|value| make_files(folder, value)),
        Value::String(name) if name.ends_with(".wav") => {
            fs::copy(root().join("fixtures/caller.wav"), folder.join(name)).unwrap();
        }
        Value::String(name) if name.starts_with("scenarios/") => {
            fs::create_dir_all(folder.join("scenarios")).unwrap();
            let nobody = "name = \"Nobody\"\n[people.Nobody]\nsteps = [{ pause = \"1ms\" }]\n";
            fs::write(folder.join(name), nobody).unwrap();
        }
        _ => {}
    }
}

fn written(folder: &TempDir, table: &Table) -> PathBuf {
    make_files(folder.path(), &Value::Table(table.clone()));
    let file = folder.path().join("block.toml");
    fs::write(&file, toml::to_string(table).unwrap()).unwrap();
    file
}

fn scenario(block: &Block) -> Result<(), String> {
    let text = toml::to_string(&block.table).unwrap();
    let silence = Prompt::from_samples(16_000, &[0.0; 320]).unwrap();
    let mut audio = |_: &str| Ok(Arc::clone(&silence));
    let read = Scenario::parse(&text, &mut audio);
    read.map_err(|problems| format!("{}: {problems}", block.place))?;
    Ok(())
}

/// What the program says of a block; nothing if it takes it.
fn complaint(block: &Block) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = switchboard();
    match block.kind() {
        Kind::Flow => command.arg("check").arg(written(&folder, &block.flow())),
        Kind::Settings => {
            let file = written(&folder, &block.settings());
            let print = ["config", "print", "--redacted", "--config"];
            command.args(print).arg(file)
        }
        Kind::Emulator => {
            let file = written(&folder, &block.table);
            let emulate = ["emulate", "--ci", "--listen", "127.0.0.1:0"];
            command
                .args(emulate)
                .args(["--wait-for-bot", "0", "--config"])
                .arg(file)
        }
        Kind::Scenario => return scenario(block).err(),
    };
    let output = command.output().unwrap();
    let told = || format!("{}:\n{}", block.place, said(&output));
    (!output.status.success()).then(told)
}

#[test]
fn every_block_of_toml_is_taken_as_it_stands() {
    let blocks = blocks();
    assert!(blocks.len() >= 15, "{} blocks", blocks.len());
    let complaints: Vec<_> = blocks.iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_is_added_to_a_file_stands_behind_the_rest_of_it() {
    let mut files = BTreeMap::new();
    as_a_file(
        "# desk.toml\n[rooms.standup]\nstart = \"greet\"\n",
        &mut files,
    );
    let again = as_a_file(
        "# desk.toml, further\n[rooms.standup]\nopens = \"x\"\n",
        &mut files,
    );
    assert!(again.parse::<Table>().is_err(), "a table can't come twice");
    let other = as_a_file(
        "# bot.toml, further\n[rooms.standup]\nopens = \"x\"\n",
        &mut files,
    );
    assert!(
        other.parse::<Table>().is_ok(),
        "of that file nothing is shown"
    );
}
