//! A bot that keeps what it hears (`src/bin/leaking-bot.rs`), as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use switchboard_emulator::Emulator;
use tempfile::TempDir;

use crate::desk::CLIENT;
use crate::{Failure, workspace};

/// A running one. Dropping it ends it.
pub struct LeakingBot {
    child: Child,
    _folder: TempDir,
}

impl LeakingBot {
    /// Starts the program at `path` with a flow, and registers its webhook.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start(path: &Path, emulator: &Emulator, flow: &str) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let written = folder.path().join("flow.toml");
        std::fs::write(&written, flow)?;
        let prompt = workspace().join("crates/bot/prompts/goodbye.wav");
        std::fs::copy(prompt, folder.path().join("bye.wav"))?;
        let addresses = [
            emulator.graph_url(),
            emulator.authority_url(),
            emulator.openid_configuration_url(),
        ];
        let child = Command::new(path)
            .args(addresses.map(|url| url.as_str().trim_end_matches('/').to_owned()))
            .arg(written)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut bot = Self {
            child,
            _folder: folder,
        };
        let output = bot.child.stdout.take().ok_or("no standard output")?;
        let mut webhook = String::new();
        BufReader::new(output).read_line(&mut webhook)?;
        emulator.set_webhook(CLIENT, url::Url::parse(webhook.trim())?)?;
        Ok(bot)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for LeakingBot {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
