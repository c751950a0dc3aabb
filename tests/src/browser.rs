//! A headless Chromium with a fake microphone, driven through chromedriver.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use crate::Failure;

/// Set to `1` to leave the browser tests out.
pub const SKIP: &str = "SWITCHBOARD_SKIP_BROWSER";

const CHROMIUM: &[&str] = &["chromium", "chromium-browser", "google-chrome"];
const CHROMEDRIVER: &[&str] = &["chromedriver"];
const READY: &str = "started successfully on port ";

/// Headless, quiet, with a fake microphone that needs no permission, and no way
/// to any other host. Tabs in the background keep their clocks.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--window-size=1280,800",
];

/// Why there is no browser.
#[derive(thiserror::Error)]
pub enum BrowserError {
    /// Chromium or its driver is not installed.
    #[error(
        "{0} is not in PATH. Install it (Debian: apt-get install chromium chromium-driver; \
         scripts/test does it for you), or leave these tests out with {SKIP}=1"
    )]
    Missing(&'static str),
    /// It could not be started.
    #[error("chromedriver could not be started")]
    Start(#[from] std::io::Error),
    /// It ended before it was ready.
    #[error("chromedriver ended at once; does its version fit Chromium's?")]
    Died,
    /// It refused the session.
    #[error("chromedriver opened no browser")]
    Session(#[from] thirtyfour::error::WebDriverError),
}

/// A test that fails prints its error with `Debug`: the words are for a person.
impl fmt::Debug for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let cause = std::error::Error::source(self);
        cause.map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

/// A running Chromium. Dropping it ends its processes and removes its profile.
#[derive(Debug)]
pub struct Browser {
    /// To drive it with.
    pub driver: WebDriver,
    // Fields are dropped in this order: the processes before their files.
    _processes: Processes,
    _profile: TempDir,
}

/// Whether the browser tests are to be left out; says so if they are.
pub fn skipped() -> bool {
    let skip = env::var_os(SKIP).is_some_and(|value| value == "1");
    if skip {
        crate::skip::skipped(format!("{SKIP}=1"));
    }
    skip
}

impl Browser {
    /// Starts a browser whose microphone hears `voice`, a WAV, over and over.
    ///
    /// # Errors
    /// Chromium or chromedriver is missing or does not start.
    pub async fn start(voice: &Path) -> Result<Self, BrowserError> {
        let chromium = find(CHROMIUM)?;
        let profile = TempDir::with_prefix("switchboard-browser-")?;
        let (processes, port) = start_driver(profile.path())?;
        let mut capabilities = DesiredCapabilities::chrome();
        capabilities.set_binary(&chromium.to_string_lossy())?;
        for flag in FLAGS {
            capabilities.add_arg(flag)?;
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        capabilities.add_arg(&format!(
            "--use-file-for-fake-audio-capture={}",
            voice.display()
        ))?;
        capabilities.set_logging_prefs("browser", LoggingPrefsLogLevel::All)?;
        capabilities.set_logging_prefs("performance", LoggingPrefsLogLevel::All)?;
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await?;
        Ok(Self {
            driver,
            _processes: processes,
            _profile: profile,
        })
    }

    /// Errors on the console of any tab since the last look: exceptions, refused
    /// requests, violations of the page's policy.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn console_errors(&self) -> Result<Vec<String>, Failure> {
        let entries = self.driver.browser_log().await?;
        let severe = entries.into_iter().filter(|entry| entry.level == "SEVERE");
        Ok(severe.map(|entry| entry.message).collect())
    }

    /// Addresses requested by any tab since the last look, sockets included.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn requested(&self) -> Result<Vec<String>, Failure> {
        let entries = self.driver.get_log("performance").await?;
        Ok(entries
            .iter()
            .filter_map(|entry| requested_url(&entry.message))
            .collect())
    }

    /// Ends the browser, politely.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn quit(self) -> Result<(), Failure> {
        Ok(self.driver.clone().quit().await?)
    }
}

/// The address in an entry of the performance log, if it is about a request.
fn requested_url(entry: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(entry).ok()?;
    let message = &entry["message"];
    let params = &message["params"];
    let url = match message["method"].as_str()? {
        "Network.requestWillBeSent" => &params["request"]["url"],
        "Network.webSocketCreated" => &params["url"],
        _ => return None,
    };
    url.as_str().map(str::to_owned)
}

/// chromedriver and the browser it starts: one process group.
#[derive(Debug)]
struct Processes(Child);

impl Drop for Processes {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // Whatever is gone already needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// Starts chromedriver on a free port of its own choice.
fn start_driver(profile: &Path) -> Result<(Processes, u16), BrowserError> {
    let child = Command::new(find(CHROMEDRIVER)?)
        .arg("--port=0")
        .env("HOME", profile)
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut processes = Processes(child);
    let output = processes.0.stdout.take().ok_or(BrowserError::Died)?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let port = lines
        .find_map(|line| port_in(&line))
        .ok_or(BrowserError::Died)?;
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((processes, port))
}

fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once(READY)?;
    rest.trim_end_matches(['.', '\n']).parse().ok()
}

/// The first of `names` in PATH.
fn find(names: &[&'static str]) -> Result<PathBuf, BrowserError> {
    let path = env::var_os("PATH").unwrap_or_default();
    names
        .iter()
        .find_map(|name| in_path(&path, name))
        .ok_or(BrowserError::Missing(names[0]))
}

fn in_path(path: &OsStr, name: &str) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_cure() {
        let said = format!("{:?}", BrowserError::Missing("chromedriver"));
        for word in ["chromedriver", "apt-get install", SKIP] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(in_path(OsStr::new("/nowhere"), "chromedriver"), None);
    }

    #[test]
    fn the_port_is_read_from_the_driver() {
        let line = "ChromeDriver was started successfully on port 38611.";
        assert_eq!(port_in(line), Some(38611));
        assert_eq!(port_in("Starting ChromeDriver on port 0"), None);
    }

    #[test]
    fn requests_and_sockets_are_found_in_the_log() {
        let request = r#"{"message":{"method":"Network.requestWillBeSent",
            "params":{"request":{"url":"http://127.0.0.1/a"}}}}"#;
        let socket = r#"{"message":{"method":"Network.webSocketCreated",
            "params":{"url":"ws://127.0.0.1/b"}}}"#;
        let other = r#"{"message":{"method":"Page.loadEventFired","params":{}}}"#;
        assert_eq!(
            requested_url(request).as_deref(),
            Some("http://127.0.0.1/a")
        );
        assert_eq!(requested_url(socket).as_deref(), Some("ws://127.0.0.1/b"));
        assert_eq!(requested_url(other), None);
    }
}
