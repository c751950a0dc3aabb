//! `switchboard serve` as a process of its own beside an emulator in this one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use switchboard_emulator::Emulator;
use tempfile::TempDir;
use url::Url;

use crate::demo::program;
use crate::desk::{CLIENT, Desk, TENANT};
use crate::patience::{PATIENCE, eventually};
use crate::{Failure, workspace};

/// A running bot. Dropping it ends it.
pub struct Service {
    child: Child,
    folder: TempDir,
    /// Where its notifications go.
    pub webhook: Url,
    /// Which layers of the sandbox are in force, by its own word.
    pub sandbox: serde_json::Value,
}

/// How to run it.
#[derive(Default)]
pub struct Around {
    /// A program to run it under, with arguments: a tracer.
    pub under: Vec<String>,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// Further tables of the settings.
    pub settings: String,
    /// A folder that outlasts it, for the calls it has.
    pub state: Option<PathBuf>,
    /// Who speaks texts; nobody if not given.
    pub voice: Option<Url>,
    /// Seconds that calls may go on when it is told to end; few if not given.
    pub drain: Option<u32>,
}

impl Service {
    /// Starts a bot with a flow, or with that of the further settings if it is empty, and
    /// registers its webhook. Everything it says, at trace
    /// level, is kept ([`said`](Self::said)); its home, working and temporary folders are
    /// empty ones.
    ///
    /// # Errors
    /// It does not build or does not become ready.
    pub fn start(emulator: &Emulator, flow: &str, around: &Around) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        for name in ["settings", "work", "home", "tmp"] {
            fs::create_dir(path(name))?;
        }
        let prompts = workspace().join("crates/bot/prompts");
        fs::copy(prompts.join("goodbye.wav"), path("settings/bye.wav"))?;
        let named = match flow.is_empty() {
            true => "",
            false => "flow = \"flow.toml\"",
        };
        fs::write(path("settings/flow.toml"), flow)?;
        fs::write(path("settings/secret"), Desk::secret())?;
        fs::write(path("settings/bot.toml"), settings(emulator, around, named))?;
        let mut child = command(around, folder.path())?.spawn()?;
        let ready = first_line(&mut child, fs::File::create(path("answered"))?);
        let mut service = Self {
            child,
            folder,
            webhook: Url::parse("http://127.0.0.1/")?,
            sandbox: serde_json::Value::Null,
        };
        let Ok(ready) = ready else {
            let said = service.said()?;
            let last = said.lines().last().unwrap_or_default();
            return Err(format!("the bot did not become ready: {last}").into());
        };
        let ready: serde_json::Value = serde_json::from_str(&ready)?;
        let webhook = ready["webhook"].as_str();
        service.webhook = Url::parse(webhook.ok_or("no webhook in the first line")?)?;
        service.sandbox = ready["sandbox"].clone();
        emulator.set_webhook(CLIENT, service.webhook.clone())?;
        Ok(service)
    }

    /// The bot's process: the child, or what runs under it.
    pub fn pid(&self) -> u32 {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let first = children
            .ok()
            .and_then(|pids| pids.split(' ').next()?.parse().ok());
        first.unwrap_or(own)
    }

    /// Asks it to end, and waits until it has; gives whether it ended well.
    ///
    /// # Errors
    /// It can't be signalled.
    pub fn end(&mut self) -> Result<bool, Failure> {
        self.tell_to_end()?;
        Ok(self.child.wait()?.success())
    }

    /// Asks it to end, when its calls have.
    ///
    /// # Errors
    /// It can't be signalled.
    pub fn tell_to_end(&self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_raw(self.pid().try_into()?);
        let pid = pid.ok_or("the bot has ended already")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        Ok(())
    }

    /// Waits until it has ended; gives whether it ended well.
    ///
    /// # Errors
    /// It doesn't end.
    pub async fn ends(&mut self) -> Result<bool, Failure> {
        let ended = async || Ok(self.child.try_wait()?);
        Ok(eventually("the bot to end", ended).await?.success())
    }

    /// Kills it as by `kill -9`.
    ///
    /// # Errors
    /// It can't be signalled.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lets it die as by a fault of its own, where a core would be written.
    ///
    /// # Errors
    /// It can't be signalled.
    pub fn abort(&mut self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::ABORT)?;
        self.child.wait()?;
        Ok(())
    }

    /// All it wrote to standard error.
    ///
    /// # Errors
    /// It can't be read.
    pub fn said(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.folder.path().join("said"))?)
    }

    /// All it wrote to standard output so far.
    ///
    /// # Errors
    /// It can't be read.
    pub fn answered(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.folder.path().join("answered"))?)
    }

    /// What it complained about, for the text of a failure.
    ///
    /// # Errors
    /// It can't be read.
    pub fn warnings(&self) -> Result<String, Failure> {
        let said = self.said()?;
        let bad = |line: &&str| line.contains("WARN") || line.contains("ERROR");
        Ok(said.lines().filter(bad).collect::<Vec<_>>().join("\n"))
    }

    /// Files it has left anywhere it might.
    ///
    /// # Errors
    /// They can't be listed.
    pub fn left(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut left = Vec::new();
        for name in ["work", "home", "tmp"] {
            for entry in fs::read_dir(self.folder.path().join(name))? {
                left.push(entry?.path());
            }
        }
        let given = ["bye.wav", "flow.toml", "secret", "bot.toml"];
        for entry in fs::read_dir(self.folder.path().join("settings"))? {
            let path = entry?.path();
            if !given.iter().any(|name| path.ends_with(name)) {
                left.push(path);
            }
        }
        Ok(left)
    }

    /// The folder around all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bot's command, with the folders that [`Service::start`] has made.
fn command(around: &Around, folder: &Path) -> Result<Command, Failure> {
    let program = program()?;
    let mut command = match around.under.split_first() {
        Some((under, arguments)) => {
            let mut command = Command::new(under);
            command.args(arguments).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .arg("serve")
        .arg("--config")
        .arg(folder.join("settings/bot.toml"))
        .args(&around.arguments)
        .current_dir(folder.join("work"))
        .env("HOME", folder.join("home"))
        .env("TMPDIR", folder.join("tmp"))
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.join("said"))?);
    Ok(command)
}

fn settings(emulator: &Emulator, around: &Around, flow: &str) -> String {
    let text = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    let speech = match &around.voice {
        Some(url) => format!("url = \"{url}\"\nmodel = \"test\"\nvoice = \"test\""),
        None => "command = []".to_owned(),
    };
    let state = match &around.state {
        Some(folder) => format!("state = \"{}\"", folder.display()),
        None => String::new(),
    };
    format!(
        r#"
{flow}
{state}
[graph]
tenant = "{TENANT}"
client_id = "{CLIENT}"
client_secret_file = "secret"
base = "{}"
authority = "{}"
openid_configuration = "{}"
[webhook]
listen = "127.0.0.1:0"
[speech]
{speech}
[drain]
within = {}
{}
"#,
        text(emulator.graph_url()),
        text(emulator.authority_url()),
        text(emulator.openid_configuration_url()),
        around.drain.unwrap_or(5),
        around.settings,
    )
}

/// The first line of its standard output, all of which is kept.
fn first_line(child: &mut Child, mut kept: fs::File) -> Result<String, Failure> {
    let output = child.stdout.take().ok_or("no standard output")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = writeln!(kept, "{line}");
            // Only the first line is waited for.
            let _ = sender.send(line);
        }
    });
    receiver
        .recv_timeout(PATIENCE)
        .map_err(|_| "the bot did not become ready".into())
}
