//! The list of facts, read.

use std::collections::BTreeMap;

const LIST: &str = include_str!("graph-comms.tsv");

/// A name and its kind: `String`, `call`, `[participant]` …
pub(crate) type Member = (String, String);

#[derive(Default)]
pub(crate) struct Type {
    pub(crate) base: Option<String>,
    pub(crate) is_abstract: bool,
    properties: Vec<Member>,
}

/// An action or a function.
pub(crate) struct Operation {
    pub(crate) bound: String,
    pub(crate) name: String,
    pub(crate) returns: String,
    pub(crate) parameters: Vec<Member>,
}

#[derive(Default)]
pub(crate) struct Schema {
    pub(crate) enums: BTreeMap<String, Vec<String>>,
    pub(crate) types: BTreeMap<String, Type>,
    pub(crate) operations: Vec<Operation>,
}

impl Schema {
    pub(crate) fn read() -> Self {
        let mut schema = Self::default();
        for line in LIST.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            schema.add(&fields);
        }
        schema
    }

    fn add(&mut self, fields: &[&str]) {
        let member = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        match *fields {
            ["enum", name, member] => {
                let members = self.enums.entry(name.to_owned()).or_default();
                members.push(member.to_owned());
            }
            ["type", name, base, flags] => {
                let of = self.types.entry(name.to_owned()).or_default();
                of.base = (base != "-").then(|| base.to_owned());
                of.is_abstract = flags.contains("abstract");
            }
            ["property", of, name, kind] => {
                let of = self.types.get_mut(of).unwrap();
                of.properties.push(member(name, kind));
            }
            ["action" | "function", bound, name, returns] => self.operations.push(Operation {
                bound: bound.to_owned(),
                name: name.to_owned(),
                returns: returns.to_owned(),
                parameters: Vec::new(),
            }),
            ["parameter", bound, operation, name, kind] => {
                let last = self.operations.last_mut().unwrap();
                assert_eq!(
                    (last.bound.as_str(), last.name.as_str()),
                    (bound, operation)
                );
                last.parameters.push(member(name, kind));
            }
            _ => panic!("not a fact: {fields:?}"),
        }
    }

    /// A type's own properties and those of its bases.
    pub(crate) fn properties(&self, name: &str) -> Vec<Member> {
        let of = &self.types[name];
        let mut all = of
            .base
            .as_ref()
            .map_or(Vec::new(), |base| self.properties(base));
        all.extend(of.properties.iter().cloned());
        all
    }

    /// Whether `name` is `base` or descends from it.
    pub(crate) fn is_a(&self, name: &str, base: &str) -> bool {
        let above = || self.types.get(name)?.base.as_deref();
        name == base || above().is_some_and(|above| self.is_a(above, base))
    }

    /// The types that descend from `base`, itself included, and that objects can be of.
    pub(crate) fn concrete(&self, base: &str) -> Vec<&str> {
        let all = self.types.iter();
        let concrete = all.filter(|(name, of)| !of.is_abstract && self.is_a(name, base));
        concrete.map(|(name, _)| name.as_str()).collect()
    }
}

#[test]
fn the_list_is_whole() {
    let schema = Schema::read();
    let members: usize = schema.enums.values().map(Vec::len).sum();
    let properties: usize = schema.types.values().map(|of| of.properties.len()).sum();
    assert_eq!((schema.enums.len(), members), (31, 167));
    assert_eq!((schema.types.len(), properties), (92, 318));
    assert_eq!(schema.operations.len(), 39);
}
