use super::*;

const WHOLE: &str = r#"
flow = "desk.toml"
[graph]
tenant = "t"
client_id = "c"
client_secret = "hunter2"
allowed_tenants = ["t", "u"]
[webhook]
listen = "127.0.0.1:4000"
public_url = "https://bot.example/"
[media]
address = "192.0.2.7"
port = 4001
speakers = 2
[engine]
url = "ws://127.0.0.1:9000/"
token = "swordfish"
[agents.pipecat]
url = "wss://agent.example/ws"
token = "abracadabra"
parameters = { desk = "front" }
[agents.call-automation]
url = "ws://127.0.0.1:9001/"
protocol = "acs"
"#;

fn read(text: &str, overrides: &Overrides) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bot.toml");
    std::fs::write(&path, text).unwrap();
    Settings::read(&path, overrides)
}

#[test]
fn what_is_printed_has_everything_but_secrets() {
    let settings = read(WHOLE, &Overrides::default()).unwrap();
    let printed = settings.redacted().unwrap();
    assert!(
        !["hunter2", "swordfish", "abracadabra"]
            .iter()
            .any(|secret| printed.contains(secret)),
        "{printed}"
    );
    insta::assert_snapshot!(printed);
    // And can be read again.
    assert!(toml::from_str::<Settings>(&printed).is_ok());
}

#[test]
fn flags_go_over_the_file() {
    let overrides = Overrides {
        listen: Some("127.0.0.1:5000".parse().unwrap()),
        tenant: Some("other".to_owned()),
        engine_url: Some("ws://127.0.0.1:9001/".parse().unwrap()),
        ..Overrides::default()
    };
    let settings = read(WHOLE, &overrides).unwrap();
    let bot = settings.bot().unwrap();
    assert_eq!((bot.listen.port(), bot.tenant_id.as_str()), (5000, "other"));
    assert_eq!(bot.client_id, "c", "the rest stays");
    assert_eq!(settings.engine.unwrap().url.port(), Some(9001));
}

#[test]
fn a_secret_can_lie_beside_the_settings() {
    use secrecy::ExposeSecret;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), "hunter2\n").unwrap();
    let path = directory.path().join("bot.toml");
    let text = WHOLE.replace(
        "client_secret = \"hunter2\"",
        "client_secret_file = \"secret\"",
    );
    std::fs::write(&path, text).unwrap();
    let settings = Settings::read(&path, &Overrides::default()).unwrap();
    assert_eq!(
        settings.bot().unwrap().client_secret.expose_secret(),
        "hunter2"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_its_value() {
    let wrong = read(
        &WHOLE.replace("client_secret =", "client_secrte ="),
        &Overrides::default(),
    );
    let told = wrong.err().unwrap().to_string();
    assert!(
        told.contains(":6:1: unknown field `client_secrte`") && !told.contains("hunter2"),
        "{told}"
    );
    let missing = read(
        "flow = \"a\"\n[graph]\ntenant = \"t\"\n",
        &Overrides::default(),
    );
    let told = missing.unwrap().bot().err().unwrap().to_string();
    assert!(told.contains("SWITCHBOARD_CLIENT_"), "{told}");
    let long = read(
        &format!("{WHOLE}\n[drain]\nwithin = 1e9\n"),
        &Overrides::default(),
    );
    assert!(matches!(long, Err(SettingsError::Drain(_))));
    let nobody = read(
        &format!("{WHOLE}\n[service]\n[reminders]\nfrom = \"nobody\"\n"),
        &Overrides::default(),
    );
    assert!(matches!(nobody, Err(SettingsError::NoInstance(_))));
    let many = WHOLE.replace("speakers = 2", "speakers = 5");
    let many = read(&many, &Overrides::default());
    assert!(matches!(
        many,
        Err(SettingsError::Media(MediaError::Speakers(5)))
    ));
    for (pause, taken) in [(99, false), (100, true), (5000, true), (5001, false)] {
        let paused = WHOLE.replace("speakers = 2", &format!("pause_ms = {pause}"));
        let read = read(&paused, &Overrides::default());
        assert_eq!(read.is_ok(), taken, "{pause}");
    }
}

#[test]
fn a_flow_that_calls_numbers_needs_an_instance_to_call_them_from() {
    let called = |with: &str, rest: &str| {
        let flow = format!(
            r#"
            start = "end"
            otherwise = "end"
            [contacts]
            ada = {{ user = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01" }}
            ben = {{ user = "8f6c2a52-9e1a-4bf5-8a7e-0f3ec10e8a02" }}
            uwe = {{ phone = "+31612345678" }}
            [rooms.talk]
            start = "stay"
            with = {with}
            [nodes.stay]
            attend = {{ timeout = 60 }}
            [nodes.end]
            hang_up = true
            {rest}
            "#
        );
        Flow::parse(&flow).unwrap()
    };
    let (users, number) = (r#"["ada", "ben"]"#, r#"["ada", "uwe"]"#);
    let list = "[on_call.night]\ntiers = [{ who = [\"uwe\"] }]";
    let meeting = "meeting = { organizer = \"boss\" }";
    let none = read(WHOLE, &Overrides::default()).unwrap();
    let told = |flow: &Flow| none.graph.check_calls(flow).err();
    assert!(told(&called(users, "")).is_none());
    assert!(matches!(
        told(&called(number, "")),
        Some(SettingsError::NoInstances)
    ));
    assert!(matches!(
        told(&called(users, list)),
        Some(SettingsError::NoInstances)
    ));
    // Into a meeting they are invited.
    assert!(told(&called(&format!("{number}\n{meeting}"), "")).is_none());
    let one = format!("{WHOLE}[[graph.instances]]\nname = \"desk\"\nid = \"an id\"\n");
    let one = read(&one, &Overrides::default()).unwrap();
    assert!(one.graph.check_calls(&called(number, list)).is_ok());
}

#[test]
fn traces_go_where_the_file_says_or_what_goes_over_it() {
    let file = format!("{WHOLE}[telemetry]\notlp = \"https://collector.example/base/\"\n");
    let to = |otlp: Option<&str>| {
        let otlp = otlp.map(str::to_owned);
        let overrides = Overrides {
            otlp,
            ..Overrides::default()
        };
        let settings = read(&file, &overrides).unwrap();
        settings.telemetry.unwrap().otlp.to_string()
    };
    assert_eq!(to(None), "https://collector.example/base/");
    // OpenTelemetry: an empty variable is as none.
    assert_eq!(to(Some("")), "https://collector.example/base/");
    assert_eq!(to(Some("http://10.0.0.7:4318")), "http://10.0.0.7:4318/");
    assert!(
        read(WHOLE, &Overrides::default())
            .unwrap()
            .telemetry
            .is_none()
    );
}

#[test]
fn a_collector_with_a_password_or_no_http_is_refused_and_not_repeated() {
    for otlp in [
        "http://me:hunter2@collector.example",
        "grpc://hunter2:4317",
        "http://collector.example/?key=hunter2",
        "hunter2",
    ] {
        let overrides = Overrides {
            otlp: Some(otlp.to_owned()),
            ..Overrides::default()
        };
        let error = read(WHOLE, &overrides).err().unwrap().to_string();
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
