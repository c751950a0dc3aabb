//! Known keys, speech, words and secrets, searched for in everything that a bot with all its
//! services says and answers, in every file and database it leaves, and in what the emulator
//! hands out.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use switchboard_tests::Failure;
use switchboard_tests::canaries::{
    Canaries, ENTERING, KEYS, SPEAKING, WORDS, add_speech, files, understanding,
};
use switchboard_tests::cloud::Cloud;
use switchboard_tests::demo::program;
use switchboard_tests::desk::{CLIENT, Desk};
use switchboard_tests::memory::Needles;
use switchboard_tests::patience::eventually;
use switchboard_tests::service::{Around, Service};
use url::Url;

/// Whom the bot calls.
const PATIENT: &str = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";

/// Carla is understood and enters her number; Paula is called meanwhile and confirms.
fn script() -> String {
    format!(
        r##"
name = "A number, and a reminder that is confirmed"
limit = "2m"
[people.Carla]
steps = [
    {{ call = "bot" }},
    {{ reach = "established", within = "40s" }},
    {{ hear = "speech", within = "40s" }},
    {{ say = "read-en.wav" }},
    {{ press = "{KEYS}#" }},
    {{ together = "both are in calls" }},
    {{ pause = "3s" }},
    {{ press = "9" }},
    {{ reach = "ended", within = "40s" }},
]
[people.Paula]
id = "{PATIENT}"
steps = [
    {{ accept = true, within = "1m" }},
    {{ reach = "established", within = "40s" }},
    {{ hear = "speech", within = "40s" }},
    {{ together = "both are in calls" }},
    {{ pause = "3s" }},
    {{ press = "1" }},
    {{ reach = "ended", within = "40s" }},
]
"##
    )
}

fn settings(hash: &str, engine: &str) -> String {
    format!(
        r#"
[engine]
url = "{engine}"
[service]
instance = "one"
[[service.keys]]
name = "office"
role = "writer"
hash = "{hash}"
[reminders]
media = "service"
prompts = {{ visit = "bye.wav", thanks = "bye.wav" }}
"#
    )
}

struct Site {
    cloud: Cloud,
    service: Service,
    state: tempfile::TempDir,
    http: reqwest::Client,
    key: String,
}

impl Site {
    async fn start() -> Result<Self, Failure> {
        let cloud = Cloud::start().await?;
        let made = Command::new(program()?).arg("api-key").output()?;
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).ok_or("no api key");
        let state = tempfile::tempdir()?;
        let around = Around {
            settings: settings(&text("hash")?, &understanding().await?),
            state: Some(state.path().into()),
            ..Around::default()
        };
        let service = Service::start(&cloud.emulator, &format!("{SPEAKING}{ENTERING}"), &around)?;
        Ok(Self {
            cloud,
            service,
            state,
            http: reqwest::Client::builder().no_proxy().build()?,
            key: text("key")?,
        })
    }

    /// Everybody does as the script has it.
    async fn calls(&self) -> Result<Vec<String>, Failure> {
        let report = self.cloud.play(&script(), "speech").await?;
        match report.passed {
            true => Ok(report.log),
            false => Err(format!("{}\n{}", report.text(), self.service.warnings()?).into()),
        }
    }

    async fn get(&self, url: Url) -> Result<String, Failure> {
        let request = self.http.get(url).bearer_auth(&self.key);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// Everything that the bot tells who asks.
    async fn told(&self) -> Result<String, Failure> {
        let mut told = String::new();
        for path in [
            "/api/v1/metrics",
            "/api/v1/calls",
            "/api/v1/reminders",
            "/api/v1/health",
            "/admin/",
            "/livez",
            "/readyz",
        ] {
            told += &self.get(self.service.webhook.join(path)?).await?;
        }
        Ok(told)
    }

    /// Everything that the emulator tells programs and its own page, the inspector's export
    /// among it.
    async fn exported(&self) -> Result<String, Failure> {
        let mut told = String::new();
        for what in ["journal", "judge", "counts", "faults", "network"] {
            let url = Url::parse(&format!("{}/{what}", self.cloud.emulator.admin_url()))?;
            told += &self.get(url).await?;
        }
        Ok(told)
    }

    /// Asks for a call to the patient at once.
    async fn remind(&self) -> Result<(), Failure> {
        let url = self.service.webhook.join("/api/v1/reminders")?;
        let at = jiff::Timestamp::now().to_string();
        let body = json!({"user": PATIENT, "prompt": "visit", "at": at});
        let request = self.http.post(url).bearer_auth(&self.key).json(&body);
        let answer = request.send().await?;
        match answer.status().as_u16() {
            201 => Ok(()),
            status => Err(format!("{status}: {}", answer.text().await?).into()),
        }
    }

    /// What is answered while both calls go on, after the number was entered.
    async fn told_during_calls(&self) -> Result<String, Failure> {
        let established = async |calls: usize| {
            eventually("the calls to stand", async || {
                let told = self.told().await?;
                let all = told.matches("\"established\"").count() == calls;
                Ok(all.then_some(told))
            })
            .await
        };
        established(1).await?;
        self.remind().await?;
        Ok(established(2).await? + self.exported().await?.as_str())
    }

    async fn token(&self) -> Result<String, Failure> {
        let form = [
            ("client_id", CLIENT),
            ("client_secret", Desk::secret()),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        let url = self.cloud.emulator.token_url();
        let request = self.http.post(url).form(&form);
        Ok(request.send().await?.text().await?)
    }

    fn canaries(&self) -> Result<Canaries, Failure> {
        let mut audio = Needles::new();
        add_speech(&mut audio, &["speech/read-en.wav"])?;
        let mut texts = vec![
            ("keys", KEYS[..6].to_owned()),
            ("words", WORDS.to_owned()),
            ("the secret", Desk::secret().to_owned()),
            ("a bearer token", "eyJ".to_owned()),
            ("the API's key", self.key.clone()),
        ];
        // As Graph tells keys, and as programs print them.
        texts.extend((0..10).map(|key| ("a tone", format!("tone{key}"))));
        texts.extend((0..10).map(|key| ("a digit", format!("Digit({key})"))));
        Ok(Canaries { texts, audio })
    }

    /// The control: each is found where it must be.
    async fn finds(&self, canaries: &Canaries) -> Result<(), Failure> {
        let secret = self.service.folder().join("settings/secret");
        let mut seeded = std::fs::read(secret)?;
        seeded.extend(format!("{}{WORDS}{}tone5Digit(5)", script(), self.key).bytes());
        seeded.extend(self.token().await?.bytes());
        let found = canaries.found_in(&seeded);
        for (what, _) in &canaries.texts {
            assert!(found.contains(what), "{what}: {found:?}");
        }
        assert!(canaries.audio.count() > 1000);
        Ok(())
    }

    /// Searches all files; gives those that name the patient.
    fn search_files(&self, canaries: &Canaries) -> Result<Vec<String>, Failure> {
        let mut of_patient = Vec::new();
        let all = files(self.service.folder())?.into_iter();
        for path in all.chain(files(self.state.path())?) {
            let bytes = std::fs::read(&path)?;
            let name = path.display().to_string();
            if String::from_utf8_lossy(&bytes).contains(PATIENT) {
                of_patient.push(name.clone());
            }
            if !is_given(&path) {
                canaries.are_not_in(&name, &bytes)?;
            }
        }
        Ok(of_patient)
    }
}

/// It holds a canary because the test put it there.
fn is_given(path: &Path) -> bool {
    path.ends_with("settings/secret")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_calls_is_in_answers_files_and_databases() -> Result<(), Failure> {
    let mut site = Site::start().await?;
    let canaries = site.canaries()?;
    site.finds(&canaries).await?;
    // Whoever fails first ends the other one's waiting.
    let (log, during) = tokio::try_join!(site.calls(), site.told_during_calls())?;
    canaries.are_not_in("an answer during calls", during.as_bytes())?;
    let after = eventually("the confirmation", async || {
        let told = site.told().await?;
        Ok(told.contains("\"confirmed\"").then_some(told))
    });
    canaries.are_not_in("an answer after calls", after.await?.as_bytes())?;
    let exported = site.exported().await?;
    // The control: it tells that keys came, without them.
    assert!(exported.contains("toneInfo"), "{exported}");
    canaries.are_not_in("the emulator's journal", exported.as_bytes())?;
    canaries.are_not_in("the scenario's log", log.join("\n").as_bytes())?;
    // Killed, so that the database's log is still beside it.
    site.service.kill()?;
    let of_patient = site.search_files(&canaries)?;
    // The control: the reminder is in the database's log, which was among the files.
    let in_log = of_patient
        .iter()
        .any(|path| path.ends_with("switchboard.db-wal"));
    assert!(in_log, "no log holds the reminder: {of_patient:?}");
    assert!(site.service.said()?.contains("TRACE"));
    assert!(site.service.answered()?.contains("webhook"));
    site.cloud.emulator.stop().await;
    Ok(())
}
