//! What Graph documents of a request's values, beyond which properties there are. Without
//! these rules a bot would pass here and be refused by Teams.

use serde_json::Value;

use crate::cloud::Fault;
use crate::phone::is_e164;

/// Refuses the first value that the documentation rules out.
pub(super) fn check(operation: &str, body: &Value) -> Result<(), Fault> {
    match operation {
        "create" => {
            telephones("targets", &body["targets"])?;
            instance_for_telephones(body)?;
            tenant_of_organizer(body)
        }
        "redirect" => telephones("targets", &body["targets"]),
        "transfer" => telephone("transferTarget", &body["transferTarget"]),
        "invite" => telephones("participants", &body["participants"]),
        _ => Ok(()),
    }
}

fn telephones(property: &str, targets: &Value) -> Result<(), Fault> {
    let mut targets = targets.as_array().into_iter().flatten().enumerate();
    targets.try_for_each(|(index, target)| telephone(&format!("{property}/{index}"), target))
}

/// A telephone's id is its number (Create call, note of example 9).
fn telephone(property: &str, target: &Value) -> Result<(), Fault> {
    let phone = &target["identity"]["phone"];
    if phone.is_null() || phone["id"].as_str().is_some_and(is_e164) {
        return Ok(());
    }
    // The number itself is personal.
    let rule = "a phone number in E.164 form is needed, such as +12345678901";
    let property = format!("{property}/identity/phone/id");
    Err(Fault::property(property, rule))
}

/// Only an application instance has a number to call telephones from (Create call, example 9).
fn instance_for_telephones(body: &Value) -> Result<(), Fault> {
    let mut targets = body["targets"].as_array().into_iter().flatten();
    let instance = &body["source"]["identity"]["applicationInstance"]["id"];
    if is_text(instance) || targets.all(|target| target["identity"]["phone"].is_null()) {
        return Ok(());
    }
    let rule = "a call to a telephone needs the application instance it comes from";
    let property = "source/identity/applicationInstance/id";
    Err(Fault::property(property, rule))
}

/// Who joins by organizer says in which tenant the meeting is (Create call, example 5).
fn tenant_of_organizer(body: &Value) -> Result<(), Fault> {
    let by_organizer = body["meetingInfo"]["@odata.type"] == ORGANIZER;
    if by_organizer && !is_text(&body["tenantId"]) {
        let rule = "joining by organizer needs the meeting's tenant";
        return Err(Fault::property("tenantId", rule));
    }
    Ok(())
}

const ORGANIZER: &str = "#microsoft.graph.organizerMeetingInfo";

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The property that is at fault, if there is one.
    fn target(operation: &str, body: &Value) -> Option<String> {
        let fault = check(operation, body).err()?;
        assert_eq!(fault.status.as_u16(), 400);
        fault.target
    }

    #[test]
    fn telephones_are_named_by_their_numbers() {
        let user = json!({"identity": {"user": {"id": "someone"}, "phone": null}});
        let phone = |number: &str| json!({"identity": {"phone": {"id": number}}});
        let source = json!({"identity": {"applicationInstance": {"id": "instance"}}});
        for (number, good) in [
            ("+12345678901", true),
            ("+31201234567", true),
            ("12345678901", false),
            ("+0201234567", false),
            ("+1 234 567", false),
            ("tel:+12345678901", false),
            ("+1234567890123456", false),
            ("", false),
        ] {
            let wrong = |property: &str| (!good).then(|| format!("{property}/identity/phone/id"));
            let two = json!([user, phone(number)]);
            let create = json!({"targets": two, "source": source});
            assert_eq!(target("create", &create), wrong("targets/1"), "{number}");
            let redirect = json!({"targets": [phone(number)]});
            assert_eq!(target("redirect", &redirect), wrong("targets/0"));
            let transfer = json!({"transferTarget": phone(number)});
            assert_eq!(target("transfer", &transfer), wrong("transferTarget"));
            let invite = json!({"participants": two});
            assert_eq!(target("invite", &invite), wrong("participants/1"));
        }
        let nameless = json!({"targets": [{"identity": {"phone": {}}}]});
        let at = Some("targets/0/identity/phone/id".to_owned());
        assert_eq!(target("redirect", &nameless), at);
    }

    #[test]
    fn telephones_are_called_by_an_application_instance() {
        let targets = json!([{"identity": {"phone": {"id": "+12345678901"}}}]);
        let at = Some("source/identity/applicationInstance/id".to_owned());
        for source in [
            json!(null),
            json!({"identity": {"application": {"id": "app"}}}),
            json!({"identity": {"applicationInstance": {"displayName": "Desk"}}}),
            json!({"identity": {"applicationInstance": {"id": ""}}}),
        ] {
            let body = json!({"targets": targets, "source": source});
            assert_eq!(target("create", &body), at, "{source}");
        }
        let user = json!({"targets": [{"identity": {"user": {"id": "someone"}}}]});
        assert_eq!(target("create", &user), None);
    }

    #[test]
    fn who_joins_by_organizer_names_the_tenant() {
        let join = |kind: &str, tenant: Value| {
            let kind = format!("#microsoft.graph.{kind}");
            json!({"meetingInfo": {"@odata.type": kind}, "tenantId": tenant})
        };
        let at = Some("tenantId".to_owned());
        for nothing in [json!(null), json!("")] {
            let body = join("organizerMeetingInfo", nothing.clone());
            assert_eq!(target("create", &body), at);
            let body = join("joinMeetingIdMeetingInfo", nothing);
            assert_eq!(target("create", &body), None);
        }
        let body = join("organizerMeetingInfo", json!("tenant"));
        assert_eq!(target("create", &body), None);
    }
}
