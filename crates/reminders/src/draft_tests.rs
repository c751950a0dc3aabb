use super::*;

pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

pub(crate) fn defaults() -> Defaults {
    Defaults {
        zone: Some("Europe/Berlin".to_owned()),
        quiet: QuietHours::new("21:00".parse().unwrap(), "08:00".parse().unwrap()),
        retry: Retry {
            attempts: 3,
            spacing: Duration::from_secs(600),
        },
        expires_after: Duration::from_secs(24 * 3600),
        confirm: Key::new('1').unwrap(),
        prompts: vec!["visit".to_owned(), "bill".to_owned()],
        texts: true,
        numbers: vec!["office".to_owned(), "clinic".to_owned()],
    }
}

fn good() -> Draft {
    Draft {
        phone: Some("+4915112345678".to_owned()),
        at: Some("2026-03-28T09:00".to_owned()),
        text: Some("Hello {name}".to_owned()),
        variables: BTreeMap::from([("name".to_owned(), "Ada".to_owned())]),
        ..Draft::default()
    }
}

fn check(draft: Draft) -> Result<Checked, String> {
    let told = |errors: Vec<FieldError>| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    };
    draft.check(&defaults(), NOW.parse().unwrap()).map_err(told)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_good_draft_becomes_a_spec() {
    let checked = check(good()).unwrap();
    assert_eq!(checked.fit, Fit::Exact);
    let spec = checked.spec;
    assert_eq!(spec.at.to_string(), "2026-03-28T08:00:00Z");
    assert_eq!(spec.expires.to_string(), "2026-03-29T08:00:00Z");
    assert_eq!(spec.text().unwrap().unwrap(), "Hello Ada");
    let kept: Spec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(kept, spec);
}

#[test]
fn times_may_have_an_offset_or_be_skipped() {
    let offset = Draft {
        at: some("2026-03-28T09:00+01:00"),
        ..good()
    };
    assert_eq!(check(offset).unwrap().spec, check(good()).unwrap().spec);
    let skipped = Draft {
        at: some("2026-03-29 02:30"),
        quiet_from: some("04:00"),
        quiet_to: some("05:00"),
        ..good()
    };
    let checked = check(skipped).unwrap();
    assert_eq!(checked.fit, Fit::Gap);
    assert_eq!(checked.spec.at.to_string(), "2026-03-29T01:30:00Z");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let draft = Draft {
        phone: some("0151"),
        at: some("tomorrow"),
        zone: some("Europe/Berlinn"),
        text: some("Hello {name"),
        attempts: Some(11),
        spacing_minutes: Some(0),
        quiet_from: some("9pm"),
        quiet_to: some("8:00"),
        confirm_key: some("12"),
        postpone_key: some("1"),
        ..good()
    };
    insta::assert_snapshot!(check(draft).unwrap_err().replace("; ", "\n"));
}

#[test]
fn single_mistakes() {
    let cases = [
        (
            Draft {
                at: some("2026-03-01T11:00Z"),
                ..good()
            },
            "at: is in the past",
        ),
        (
            Draft {
                at: some("2026-03-28"),
                ..good()
            },
            "at: '2026-03-28' is no time such as 2026-03-29T09:00",
        ),
        (
            Draft {
                expires: some("2026-03-28T09:00"),
                ..good()
            },
            "expires: must be after 'at'",
        ),
        (
            Draft {
                at: some("2026-03-28T22:00"),
                expires: some("2026-03-29T07:59"),
                ..good()
            },
            "expires: the reminder expires before its quiet hours are over",
        ),
        (
            Draft {
                user: some("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1"),
                ..good()
            },
            "user: either 'phone' or 'user' can be given, not both",
        ),
        (
            Draft {
                postpone_key: some("1"),
                postpone_minutes: Some(60),
                ..good()
            },
            "postponeKey: must differ from the key that confirms",
        ),
        (
            Draft {
                text: None,
                variables: BTreeMap::new(),
                prompt: some("vist"),
                ..good()
            },
            "prompt: no prompt 'vist'; there are: visit, bill",
        ),
        (
            Draft {
                from: some("clinique"),
                ..good()
            },
            "from: no number of ours is called 'clinique'; there are: office, clinic",
        ),
    ];
    for (draft, problem) in cases {
        assert_eq!(check(draft).unwrap_err(), problem);
    }
}

#[test]
fn numbers_need_somebody_who_calls_them() {
    let nobody = Defaults {
        numbers: Vec::new(),
        ..defaults()
    };
    let now = NOW.parse().unwrap();
    let wrong = good().check(&nobody, now).unwrap_err();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].field, "phone");
    assert!(wrong[0].problem.contains("no application instance"));
    let user = Draft {
        phone: None,
        user: some("3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01"),
        ..good()
    };
    assert!(user.check(&nobody, now).is_ok());
}
