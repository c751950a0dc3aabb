//! Holds the shapes against the facts of Graph's schema: nothing that is there may be called
//! unknown.

use std::collections::BTreeMap;

use super::meeting::{CREATE_OR_GET, MEETING};
use super::{CALL, Holds, ROUTE, Shape, of};

const FACTS: &str = include_str!("../../../../signaling/tests/schema/graph-comms.tsv");
/// Descends from a type that requests hold, and is of other services.
const ELSEWHERE: [&str; 1] = ["engagementIdentitySet"];
/// Operations whose bodies are parameters by these names.
const OPERATIONS: [&str; 18] = [
    "answer",
    "changeScreenSharingRole",
    "clearPresence",
    "getPresencesByUserId",
    "invite",
    "logTeleconferenceDeviceQuality",
    "mute",
    "playPrompt",
    "recordResponse",
    "redirect",
    "reject",
    "sendDtmfTones",
    "setPresence",
    "setStatusMessage",
    "setUserPreferredPresence",
    "startHoldMusic",
    "transfer",
    "updateRecordingStatus",
];

type Members<'a> = Vec<(&'a str, &'a str)>;

#[derive(Default)]
struct Schema<'a> {
    /// What each type descends from.
    bases: BTreeMap<&'a str, &'a str>,
    properties: BTreeMap<&'a str, Members<'a>>,
    parameters: BTreeMap<&'a str, Members<'a>>,
}

impl<'a> Schema<'a> {
    fn read() -> Schema<'a> {
        let mut schema = Schema::default();
        for line in FACTS.lines() {
            match *line.split('\t').collect::<Vec<_>>() {
                ["type", name, base, _] => _ = schema.bases.insert(name, base),
                ["property", of, name, kind] => {
                    let of = schema.properties.entry(of).or_default();
                    of.push((name, kind));
                }
                ["parameter", _, of, name, kind] => {
                    let of = schema.parameters.entry(of).or_default();
                    of.push((name, kind));
                }
                _ => {}
            }
        }
        schema
    }

    fn is_a(&self, name: &str, base: &str) -> bool {
        let above = self.bases.get(name);
        name == base || above.is_some_and(|above| self.is_a(above, base))
    }

    /// The properties of a type, of those it descends from and of those that descend from it.
    fn members(&self, of: &str) -> Members<'a> {
        let related = |name: &str| self.is_a(name, of) || self.is_a(of, name);
        let related = |name: &str| related(name) && !ELSEWHERE.contains(&name);
        let all = self.properties.iter().filter(|(name, _)| related(name));
        all.flat_map(|(_, members)| members.clone()).collect()
    }

    /// What a shape lacks of these members, and its parts of theirs, by their paths.
    fn lacking(&self, shape: &Shape, members: &Members<'_>, path: &str) -> Vec<String> {
        let mut lacking = Vec::new();
        for (name, kind) in members {
            let path = format!("{path}/{name}");
            match shape.properties.iter().find(|(known, _)| known == name) {
                None => lacking.push(path),
                Some((_, Holds::Of(inner))) => {
                    let kind = kind.trim_matches(['[', ']']);
                    lacking.extend(self.lacking(inner, &self.members(kind), &path));
                }
                Some(_) => {}
            }
        }
        lacking
    }
}

#[test]
fn what_the_schema_has_is_known() {
    let schema = Schema::read();
    let mut lacking = Vec::new();
    for (shape, kind) in [
        (&CALL, "call"),
        (&MEETING, "onlineMeeting"),
        (&ROUTE, "audioRoutingGroup"),
    ] {
        lacking.extend(schema.lacking(shape, &schema.members(kind), kind));
    }
    for operation in OPERATIONS {
        let parameters = &schema.parameters[operation];
        lacking.extend(schema.lacking(of(operation), parameters, operation));
    }
    let parameters = &schema.parameters["createOrGet"];
    lacking.extend(schema.lacking(&CREATE_OR_GET, parameters, "createOrGet"));
    assert_eq!(lacking, [""; 0]);
}
