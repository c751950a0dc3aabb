//! `switchboard graph` as scripts use it: a command line in, one line of JSON out.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
const ONE: &str = "2765eb15-01f8-47c6-b12b-c32111a4a86f";
const USER: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
const CALLBACK: &str = "https://bot.contoso.com/callback";
const JOIN_URL: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Win6@thread.v2/0?context=%7b%22Tid%22%3a%22t1%22%2c%22Oid%22%3a%22o1%22%7d";

/// Runs the command with `input` on its standard input and no setting of this machine.
fn switchboard(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    let mut child = command
        .arg("graph")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What would be sent for a command line; `$CALL` and the like stand for ids.
fn dry_run(line: &str, input: &str) -> String {
    let arguments: Vec<String> = line.split_whitespace().map(filled).collect();
    let mut all = vec!["--dry-run", "--tenant", "t1"];
    all.extend(arguments.iter().map(String::as_str));
    let output = switchboard(&all, input);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let body = shown
        .get("body")
        .map_or_else(String::new, |body| format!("{body}\n"));
    let url = shown["url"].as_str().unwrap();
    let url = url.trim_start_matches("https://graph.microsoft.com/v1.0");
    format!(
        "$ {line}\n{} {url}\n{body}",
        shown["method"].as_str().unwrap()
    )
}

fn filled(argument: &str) -> String {
    match argument {
        "$CALL" => CALL.to_owned(),
        "$ONE" => ONE.to_owned(),
        "$CALLBACK" => CALLBACK.to_owned(),
        "$JOIN_URL" => JOIN_URL.to_owned(),
        other => other.replace("$USER", USER),
    }
}

fn dry_runs(lines: &[&str]) -> String {
    let lines = lines.iter().map(|line| dry_run(line, ""));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn calls_are_set_up() {
    let shown = dry_runs(&[
        "call create --callback-uri $CALLBACK --to-user $USER=John",
        "call create --callback-uri $CALLBACK --to-user $USER --to-user u2 --subject Lunch",
        "call create --callback-uri $CALLBACK --to-phone +12345678901 --from-instance i1=Bot",
        "call create --callback-uri $CALLBACK --to-app a1 --pre-fetch https://x/a.wav",
        "call create --callback-uri $CALLBACK --join-url $JOIN_URL",
        "call create --callback-uri $CALLBACK --join-url $JOIN_URL --guest g1=Guest",
        "call create --callback-uri $CALLBACK --join-meeting-id 1234567",
        "call get $CALL",
        "call keep-alive $CALL",
        "call delete $CALL",
        "call answer $CALL --callback-uri $CALLBACK --modality audio --modality video",
        "call answer $CALL --participant-capacity 200 --pre-fetch https://x/a.wav",
        "call reject $CALL --reason busy",
        "call redirect $CALL --to-user $USER --to-phone +12345678901 --timeout 20 --mask-caller",
        "call transfer $CALL --to-user $USER=Heidi",
        "call transfer $CALL --to-user $USER --replaces e5d39592 --context c1",
        "call transfer $CALL --to-user $USER --voicemail",
        "call transfer $CALL --to-phone +12345678901 --transferee u9=p9",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn media_and_what_lies_below_a_call() {
    let shown = dry_runs(&[
        "call play-prompt $CALL https://x/a.wav https://x/b.wav --context c1",
        "call record-response $CALL --prompt https://x/a.wav --barge-in --initial-silence 5 --max-silence 2 --max-duration 10 --no-beep --stop-tone #",
        "call cancel-media $CALL",
        "call subscribe-to-tone $CALL --context c1",
        "call mute $CALL",
        "call unmute $CALL",
        "call recording-status $CALL recording",
        "call screen-sharing $CALL sharer",
        "call large-gallery $CALL",
        "call operations $CALL",
        "call operations $CALL op1",
        "call sharing $CALL",
        "call sharing $CALL s1",
        "call routing list $CALL",
        "call routing get $CALL g1",
        "call routing create $CALL --mode multicast --source p1 --receiver p2 --receiver p3",
        "call routing update $CALL g1 --receiver p4",
        "call routing delete $CALL g1",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn participants() {
    let shown = dry_runs(&[
        "participant list $CALL",
        "participant get $CALL $ONE",
        "participant invite $CALL --to-user $USER --to-phone +12345678901 --context c1",
        "participant mute $CALL $ONE --context c1",
        "participant mute-all $CALL p1 p2",
        "participant hold $CALL $ONE --prompt https://x/hold.wav",
        "participant unhold $CALL $ONE",
        "participant delete $CALL $ONE",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn meetings() {
    let shown = dry_runs(&[
        "meeting create --subject Lunch --start 2026-06-01T12:00:00Z --end 2026-06-01T13:00:00Z --passcode",
        "meeting --user $USER create --subject Lunch",
        "meeting --user $USER create-or-get own-id --subject Lunch",
        "meeting get m1 --user $USER",
        "meeting find --join-url https://x/?a=1",
        "meeting find --join-meeting-id 1234567890",
        "meeting find --video-teleconference-id 123456789",
        "meeting update m1 --subject Dinner",
        "meeting delete m1",
        "meeting reports m1",
        "meeting reports m1 r1",
        "meeting records m1 r1",
        "meeting recordings --user $USER --start 2026-06-01T12:00:00Z",
        "meeting recordings --user $USER --delta",
        "meeting transcripts --user $USER",
        "meeting transcripts --user $USER --delta",
        "meeting messages",
        "meeting appointment-url m1",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn presence() {
    let shown = dry_runs(&[
        "presence get",
        "presence get --user $USER",
        "presence get --user $USER --communications",
        "presence get-many $USER u2",
        "presence set Busy InACall --user $USER --session a1 --expires PT1H",
        "presence clear --user $USER --session a1",
        "presence set-preferred DoNotDisturb DoNotDisturb --expires PT8H",
        "presence clear-preferred",
        "presence set-message Lunch --until 2026-06-01T13:00:00",
        "presence set-location office --place p1",
        "presence set-automatic-location remote",
        "presence clear-location",
        "presence clear-automatic-location",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn bodies_come_from_files_and_options_add_to_them() {
    let quality = r##"{"quality": {"callChainId": "0622673d-9f69-49b3-9d4f-5ec64f42ecce",
        "participantId": "0622673d-9f69-49b3-9d4f-5ec64f42ecce", "deviceName": "n",
        "mediaLegId": "0622673d-9f69-49b3-9d4f-5ec64f42ecce", "deviceDescription": "d",
        "mediaQualityList": [{"@odata.type": "#microsoft.graph.teleconferenceDeviceAudioQuality"}]}}"##;
    let attendees = r#"{"attendees": [{"phoneNumber": "+13129224122", "timeZone": "UTC"}],
        "messageType": "confirmation", "remindBeforeTimeInMinutesType": "mins15"}"#;
    let shown = [
        (
            "meeting create --body - --subject Dinner",
            r#"{"subject": "Lunch", "allowRecording": false}"#,
        ),
        ("call log-quality --body -", quality),
        ("meeting sms m1 --body -", attendees),
        ("meeting reminder-sms m1 --body -", attendees),
        ("call send-tones $CALL - --delay 500", "12 #\n"),
        ("call answer $CALL --blob-file -", "media-session\n"),
        (
            "call create --callback-uri $CALLBACK --join-meeting-id 1 --passcode-file -",
            "psw123\n",
        ),
        (
            "call create --callback-uri $CALLBACK --join-token-file -",
            "meeting-token\n",
        ),
    ];
    let shown = shown.map(|(line, input)| dry_run(line, input)).join("\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn secrets_are_not_printed() {
    let line = "call create --callback-uri $CALLBACK --join-meeting-id 1 --passcode-file -";
    assert!(!dry_run(line, "psw123").contains("psw123"));
    assert!(!dry_run("call answer $CALL --blob-file -", "session-token").contains("session-token"));
}

/// What a command line that must fail says.
fn complaint(arguments: &[&str], input: &str) -> String {
    let output = switchboard(arguments, input);
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_wrong_is_said_before_anything_is_sent() {
    let timeout = [
        "--dry-run",
        "call",
        "redirect",
        CALL,
        "--to-user",
        USER,
        "--timeout",
        "7",
    ];
    let said = complaint(&timeout, "");
    assert!(
        said.contains("timeout is 7, but 15 to 90 seconds are allowed"),
        "{said}"
    );

    let said = complaint(&["call", "get", CALL], "");
    assert!(said.contains("SWITCHBOARD_TENANT_ID"), "{said}");

    let said = complaint(&["--dry-run", "call", "get", "../users"], "");
    assert!(said.contains("not a call id"), "{said}");

    let said = complaint(
        &["--dry-run", "meeting", "create", "--body", "-"],
        "{\"subject\": 7}",
    );
    assert!(said.contains("line 1") && !said.contains('7'), "{said}");

    let said = complaint(&["--dry-run", "call", "send-tones", CALL, "-"], "12x4");
    assert!(
        said.contains("the keys must be") && !said.contains("12x4"),
        "{said}"
    );
}

#[test]
fn other_clouds_are_asked() {
    for (options, start) in [
        (
            vec!["--cloud", "us-gov"],
            "https://graph.microsoft.us/v1.0/communications/",
        ),
        (
            vec!["--beta"],
            "https://graph.microsoft.com/beta/communications/",
        ),
        (
            vec!["--base-url", "http://127.0.0.1:1/v1.0"],
            "http://127.0.0.1:1/v1.0/communications/",
        ),
    ] {
        let mut arguments = vec!["--dry-run", "call", "get", CALL];
        arguments.extend(options);
        let output = switchboard(&arguments, "");
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(shown["url"].as_str().unwrap().starts_with(start), "{shown}");
    }
}
