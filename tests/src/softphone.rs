//! The softphone page in one tab, as a person uses it and sees it.

use std::time::Duration;

use serde_json::Value;
use thirtyfour::{By, Key, WebDriver, WindowHandle};

use crate::Failure;
use crate::barriers::barriers;
use crate::patience::eventually;

/// Adds up the energy of the audio that has arrived (`totalAudioEnergy` of
/// W3C's webrtc-stats, in squared full scale times seconds).
const ENERGY: &str = "
    const done = arguments[0];
    const pc = window.switchboard.pc();
    if (!pc) { done(0); return; }
    pc.getStats().then((stats) => done([...stats.values()]
        .filter((s) => s.type === 'inbound-rtp')
        .reduce((sum, s) => sum + (s.totalAudioEnergy ?? 0), 0)));
";
/// Marks what a person can use, then what gets the focus and shows it; how many there are.
const REACH: &str = "
    const all = [...document.querySelectorAll('button, input, select, a[href], summary, pre')]
        .filter((item) => item.checkVisibility() && !item.disabled);
    for (const item of all) item.dataset.reach = '';
    document.addEventListener('focusin', ({ target }) => {
        const seen = getComputedStyle(target).outlineStyle !== 'none';
        if (seen) target.dataset.reach = 'seen';
    });
    document.activeElement.blur();
    return all.length;
";
/// Louder than this in dBov is more than noise.
const FAINT: f64 = -60.0;
/// How long nothing must be heard.
const SILENCE: Duration = Duration::from_millis(700);
/// More energy than silence and rounding bring, far less than a spoken word.
const AUDIBLE: f64 = 1e-4;

/// A digit as the page shows it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct ShownDigit {
    /// `0`–`9`, `*`, `#`.
    pub digit: String,
    /// `rtp` or `inband`.
    pub source: String,
    /// In milliseconds.
    pub duration: f64,
    /// The words beside it.
    pub text: String,
}

/// One tab with the page.
#[derive(Debug, Clone)]
pub struct Softphone {
    driver: WebDriver,
    tab: WindowHandle,
}

impl Softphone {
    /// Opens the page in the current tab and waits until it is registered.
    ///
    /// # Errors
    /// The page doesn't load or doesn't register.
    pub async fn open(driver: &WebDriver, url: &str) -> Result<Self, Failure> {
        driver.goto(url).await?;
        Self::in_tab(driver, driver.window().await?).await
    }

    /// The page in a tab that is open already; waits until it is registered.
    ///
    /// # Errors
    /// The page doesn't register.
    pub async fn in_tab(driver: &WebDriver, tab: WindowHandle) -> Result<Self, Failure> {
        let phone = Self {
            driver: driver.clone(),
            tab,
        };
        eventually("the phone is registered", async || {
            let registered = phone
                .ask("window.switchboard?.phone().registered === true")
                .await?;
            Ok((registered == true).then_some(()))
        })
        .await?;
        Ok(phone)
    }

    /// Follows the page's link to a second phone.
    ///
    /// # Errors
    /// No tab opens, or its page doesn't register.
    pub async fn open_second(&self) -> Result<Self, Failure> {
        let before = self.driver.windows().await?;
        self.front().await?;
        self.driver.find(By::Id("second")).await?.click().await?;
        let tab = eventually("a second tab opens", async || {
            let tabs = self.driver.windows().await?;
            Ok(tabs.into_iter().find(|tab| !before.contains(tab)))
        })
        .await?;
        Self::in_tab(&self.driver, tab).await
    }

    /// Clicks a button by its `data-testid`.
    ///
    /// # Errors
    /// It isn't there or can't be clicked.
    pub async fn click(&self, name: &str) -> Result<(), Failure> {
        self.front().await?;
        let button = By::Css(format!("[data-testid='{name}']"));
        Ok(self.driver.find(button).await?.click().await?)
    }

    /// Writes into a field by its `data-testid`.
    ///
    /// # Errors
    /// It isn't there.
    pub async fn fill(&self, name: &str, text: &str) -> Result<(), Failure> {
        self.front().await?;
        let field = By::Css(format!("[data-testid='{name}']"));
        let field = self.driver.find(field).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Chooses from a list by its `data-testid`.
    ///
    /// # Errors
    /// There is no such choice.
    pub async fn choose(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.front().await?;
        let choice = By::Css(format!("[data-testid='{name}'] option[value='{value}']"));
        Ok(self.driver.find(choice).await?.click().await?)
    }

    /// The id of the call.
    ///
    /// # Errors
    /// There is none.
    pub async fn call_id(&self) -> Result<String, Failure> {
        let id = self.ask("window.switchboard.callId()").await?;
        Ok(id.as_str().ok_or("there is no call")?.to_owned())
    }

    /// Types keys without a focused field.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn type_keys(&self, keys: &str) -> Result<(), Failure> {
        self.front().await?;
        Ok(self.driver.action_chain().send_keys(keys).perform().await?)
    }

    /// Chooses what to speak with: `none` for no microphone.
    ///
    /// # Errors
    /// There is no such choice.
    pub async fn choose_voice(&self, value: &str) -> Result<(), Failure> {
        eventually(&format!("the voice is {value:?}"), async || {
            self.front().await?;
            let choice = By::Css(format!("#microphone option[value='{value}']"));
            // The page may be filling the list anew.
            let chosen = match self.driver.find(choice).await {
                Ok(option) => option.click().await.is_ok(),
                Err(_) => false,
            };
            let shown = self
                .ask("document.getElementById('microphone').value")
                .await?;
            Ok((chosen && shown == value).then_some(()))
        })
        .await
    }

    /// Waits until the ribbon is at `state`.
    ///
    /// # Errors
    /// It does not get there; what the page shows instead.
    pub async fn reaches(&self, state: &str) -> Result<(), Failure> {
        let reached = eventually(&format!("the call is {state}"), async || {
            let found = self.ask("document.body.dataset.state").await?;
            Ok((found == state).then_some(()))
        })
        .await;
        match reached {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{error}; the page shows: {}", self.shown().await?).into()),
        }
    }

    /// Waits until the far end is `name`.
    ///
    /// # Errors
    /// It is someone else.
    pub async fn talks_to(&self, name: &str) -> Result<(), Failure> {
        eventually(&format!("the far end is {name}"), async || {
            let peer = self.ask("window.switchboard.phone().peer").await?;
            Ok((peer == name).then_some(()))
        })
        .await
    }

    /// Waits until more audio than silence has arrived, counted from now.
    ///
    /// # Errors
    /// It stays silent.
    pub async fn hears_something(&self) -> Result<(), Failure> {
        let before = self.energy().await?;
        eventually("audio arrives", async || {
            Ok((self.energy().await? > before + AUDIBLE).then_some(()))
        })
        .await
    }

    /// Waits until no audio arrives any more but silence.
    ///
    /// # Errors
    /// Something is still to be heard.
    pub async fn hears_nothing(&self) -> Result<(), Failure> {
        eventually("it is silent", async || {
            let before = self.energy().await?;
            tokio::time::sleep(SILENCE).await;
            Ok((self.energy().await? < before + AUDIBLE / 10.0).then_some(()))
        })
        .await
    }

    /// Writes whom to call and presses Enter.
    ///
    /// # Errors
    /// There is no such field.
    pub async fn dial(&self, target: &str) -> Result<(), Failure> {
        self.front().await?;
        let field = self.driver.find(By::Id("to")).await?;
        field.clear().await?;
        field.send_keys(target).await?;
        Ok(field.send_keys(Key::Enter + "").await?)
    }

    /// Copies the opened row as `curl` and gives what a field holds after a paste.
    ///
    /// # Errors
    /// No row is open, or the page does not say that it has copied.
    pub async fn copied(&self) -> Result<String, Failure> {
        self.front().await?;
        let copy = By::Css("#axis li > div:not([hidden]) [data-testid=copy]");
        self.driver.find(copy).await?.click().await?;
        self.shows_text("announce", "Copied").await?;
        let field = self.driver.find(By::Id("to")).await?;
        field.clear().await?;
        field.send_keys(Key::Control + "v").await?;
        let value = field.prop("value").await?.unwrap_or_default();
        field.clear().await?;
        Ok(value)
    }

    /// Whether the far end is played.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn plays(&self) -> Result<bool, Failure> {
        Ok(self.ask("!document.getElementById('remote').muted").await? == true)
    }

    /// Waits until the far end says that it hears this side, or that it doesn't.
    ///
    /// # Errors
    /// It says otherwise.
    pub async fn is_heard(&self, heard: bool) -> Result<(), Failure> {
        let level = "window.switchboard.lanes()[0].levels.at(-1)?.dbov ?? -127";
        eventually(&format!("this side is heard: {heard}"), async || {
            let level = self.ask(level).await?.as_f64().unwrap_or(-127.0);
            Ok((heard == (level > FAINT)).then_some(()))
        })
        .await
    }

    /// What a person can use but Tab does not reach, or where the focus can't be seen.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn out_of_reach(&self) -> Result<Vec<String>, Failure> {
        self.front().await?;
        let count = self.driver.execute(REACH, Vec::new()).await?;
        let missed = "[...document.querySelectorAll('[data-reach]:not([data-reach=seen])')]
            .map((item) => item.outerHTML)";
        let mut left = Vec::new();
        // Rows that come meanwhile take a stop each: once around may not do.
        for _ in 0..2 {
            for _ in 0..=count.json().as_u64().unwrap_or_default() {
                let tab = Key::Tab + "";
                self.driver.action_chain().send_keys(tab).perform().await?;
            }
            left = serde_json::from_value(self.ask(missed).await?)?;
            if left.is_empty() {
                break;
            }
        }
        Ok(left)
    }

    /// Waits until as many digits as `expected` has are shown, and compares.
    ///
    /// # Errors
    /// There are others, or not that many.
    pub async fn shows_digits(&self, expected: &str) -> Result<Vec<ShownDigit>, Failure> {
        let digits = eventually(
            &format!("{} digits are shown", expected.len()),
            async || {
                let digits = self.digits().await?;
                Ok((digits.len() >= expected.len()).then_some(digits))
            },
        )
        .await?;
        let shown: String = digits.iter().map(|digit| digit.digit.as_str()).collect();
        if shown != expected {
            return Err(format!("the page shows {shown:?}, not {expected:?}").into());
        }
        Ok(digits)
    }

    /// Waits until somebody's lane has something of `kind` (`levels`, `speech`, `digits` or
    /// `prompts`).
    ///
    /// # Errors
    /// It has none.
    pub async fn shows_of(&self, name: &str, kind: &str) -> Result<(), Failure> {
        eventually(&format!("the lane of {name} has {kind}"), async || {
            let lane = format!("window.switchboard.lanes().find((lane) => lane.name === '{name}')");
            let count = self.ask(&format!("{lane}?.{kind}.length ?? 0")).await?;
            Ok(count.as_u64().is_some_and(|count| count > 0).then_some(()))
        })
        .await
    }

    /// Waits until there are lanes for these, in their order.
    ///
    /// # Errors
    /// There are others; which.
    pub async fn shows_lanes(&self, names: &[&str]) -> Result<(), Failure> {
        let lanes = "window.switchboard.lanes().map((lane) => lane.name)";
        let wanted = format!("there are lanes for {names:?}");
        let found = eventually(&wanted, async || {
            let shown: Vec<String> = serde_json::from_value(self.ask(lanes).await?)?;
            Ok((shown == names).then_some(()))
        });
        match found.await {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{error}; there are {}", self.ask(lanes).await?).into()),
        }
    }

    /// Opens or closes the inspector.
    ///
    /// # Errors
    /// It isn't there.
    pub async fn toggle_inspector(&self) -> Result<(), Failure> {
        self.front().await?;
        let summary = By::Css("#inspector > summary");
        Ok(self.driver.find(summary).await?.click().await?)
    }

    /// Waits until the inspector has a row with this kind, title and status.
    ///
    /// # Errors
    /// It has none; what it has instead.
    pub async fn inspects(&self, kind: &str, title: &str, status: &str) -> Result<(), Failure> {
        self.inspects_of("", kind, title, status).await
    }

    /// The same of somebody in a group call or meeting.
    ///
    /// # Errors
    /// It has none; what it has instead.
    pub async fn inspects_of(
        &self,
        who: &str,
        kind: &str,
        title: &str,
        status: &str,
    ) -> Result<(), Failure> {
        let row = format!("{who} {kind} {title} {status}");
        let rows = "window.switchboard.inspector()
            .map((row) => `${row.who} ${row.kind} ${row.title} ${row.status ?? ''}`)";
        let wanted = format!("the inspector has {row:?}");
        let found = eventually(&wanted, async || {
            let rows: Vec<String> = serde_json::from_value(self.ask(rows).await?)?;
            Ok(rows
                .iter()
                .any(|own| own.trim() == row.trim())
                .then_some(()))
        });
        match found.await {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{error}; it has {}", self.ask(rows).await?).into()),
        }
    }

    /// Opens the inspector's row whose title is this and gives what it shows then.
    ///
    /// # Errors
    /// There is no such row, or it does not open.
    pub async fn opened_row(&self, title: &str) -> Result<String, Failure> {
        let row = format!(
            "[...document.querySelectorAll('#axis li')]
                .find((item) => item.querySelector('button span')?.textContent === '{title}')"
        );
        self.ask(&format!("{row}.querySelector('button').click()"))
            .await?;
        let expanded = format!("{row}.querySelector('button').ariaExpanded");
        if self.ask(&expanded).await? != "true" {
            return Err(format!("the row {title:?} does not open").into());
        }
        let text = self.ask(&format!("{row}.lastChild.textContent")).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an element shows a text.
    ///
    /// # Errors
    /// It shows another.
    pub async fn shows_text(&self, name: &str, text: &str) -> Result<(), Failure> {
        let shown = format!("document.querySelector('[data-testid=\"{name}\"]').textContent");
        eventually(&format!("{name} shows {text:?}"), async || {
            let shown = self.ask(&shown).await?;
            Ok(shown
                .as_str()
                .is_some_and(|shown| shown.contains(text))
                .then_some(()))
        })
        .await
    }

    /// Waits until an element, by its id, shows a number.
    ///
    /// # Errors
    /// It shows something else.
    pub async fn shows_number(&self, id: &str) -> Result<f64, Failure> {
        let shown = format!("parseFloat(document.getElementById('{id}').textContent)");
        eventually(&format!("{id} shows a number"), async || {
            Ok(self.ask(&shown).await?.as_f64())
        })
        .await
    }

    /// How many rules there are for faults.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub async fn faults(&self) -> Result<usize, Failure> {
        let rules = self.admin("faults").await?;
        Ok(rules.as_array().ok_or("the emulator told no rules")?.len())
    }

    /// What the emulator's own API says, asked by the page.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub async fn admin(&self, path: &str) -> Result<Value, Failure> {
        self.front().await?;
        let script = format!(
            "const done = arguments[0];
            fetch('/admin/{path}').then((answer) => answer.json()).then(done, () => done(null));"
        );
        let answer = self.driver.execute_async(script, Vec::new()).await?;
        Ok(answer.json().clone())
    }

    /// Elements that a person can use but that have no name for a screen reader.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn nameless(&self) -> Result<Vec<String>, Failure> {
        let nameless = "[...document.querySelectorAll('button, input, select, a, summary')]
            .filter((item) => item.checkVisibility())
            .filter((item) => !(item.textContent.trim() || item.ariaLabel
                || [...(item.labels ?? [])].some((label) => label.textContent.trim())))
            .map((item) => item.outerHTML)";
        Ok(serde_json::from_value(self.ask(nameless).await?)?)
    }

    /// What axe-core finds a serious or critical barrier for people who can't see the page
    /// or use a mouse. `None` where node's packages don't have axe-core.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn barriers(&self) -> Result<Option<Vec<String>>, Failure> {
        self.front().await?;
        barriers(&self.driver).await
    }

    /// What the page's E-model makes of a part that is lost and a delay in milliseconds.
    ///
    /// # Errors
    /// The tab is gone, or the page has no such module.
    pub async fn mos(&self, loss: f64, delay: f64) -> Result<f64, Failure> {
        self.front().await?;
        let script = format!(
            "const done = arguments[0];
            import('/softphone/mos.js').then(({{ mos }}) => done(mos({loss}, {delay})), () => done(null));"
        );
        let mos = self.driver.execute_async(script, Vec::new()).await?;
        Ok(mos.json().as_f64().ok_or("the page has no E-model")?)
    }

    /// The names and states of the other phones.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn other_phones(&self) -> Result<Vec<String>, Failure> {
        let list = "[...document.querySelectorAll('#phones li')].map((item) => item.textContent)";
        Ok(serde_json::from_value(self.ask(list).await?)?)
    }

    /// How many calls the emulator knows of, and in how many it has a part of the media.
    ///
    /// # Errors
    /// The tab is gone, or the emulator does not answer.
    pub async fn calls_alive(&self) -> Result<u64, Failure> {
        let counts = self.admin("counts").await?;
        let count = |name: &str| counts[name].as_u64();
        let alive = count("calls").zip(count("media"));
        let (calls, media) = alive.ok_or("the emulator told no counts")?;
        Ok(calls.max(media))
    }

    /// What a person reads on the page.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn shown(&self) -> Result<String, Failure> {
        let texts = "['error-text', 'headline', 'subline', 'note', 'now', 'next']
            .map((id) => document.getElementById(id).textContent).filter(Boolean).join(' | ')";
        Ok(self
            .ask(texts)
            .await?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// Closes the tab. Another one must be open.
    ///
    /// # Errors
    /// The tab is gone.
    pub async fn close_tab(self) -> Result<(), Failure> {
        self.front().await?;
        Ok(self.driver.close_window().await?)
    }

    async fn digits(&self) -> Result<Vec<ShownDigit>, Failure> {
        let list = "[...document.querySelectorAll('[data-testid=digit]')].map((item) => ({
            digit: item.dataset.digit, source: item.dataset.source,
            duration: Number(item.dataset.duration), text: item.lastChild.textContent }))";
        Ok(serde_json::from_value(self.ask(list).await?)?)
    }

    async fn energy(&self) -> Result<f64, Failure> {
        self.front().await?;
        let energy = self.driver.execute_async(ENERGY, Vec::new()).await?;
        Ok(energy.json().as_f64().unwrap_or_default())
    }

    /// Evaluates an expression in the tab.
    async fn ask(&self, expression: &str) -> Result<Value, Failure> {
        self.front().await?;
        let script = format!("return {expression};");
        Ok(self
            .driver
            .execute(script, Vec::new())
            .await?
            .json()
            .clone())
    }

    async fn front(&self) -> Result<(), Failure> {
        Ok(self.driver.switch_to_window(self.tab.clone()).await?)
    }
}
