//! Texts with variables: `{name}` stands for words that are known in a call only, `{{`
//! and `}}` for braces.

/// What every call knows: the names of the others in it, and how many they are.
pub(super) const OF_CALLS: [&str; 2] = ["people", "count"];

enum Part<'a> {
    Words(&'a str),
    Variable(&'a str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (words, brace) = rest.split_at(at);
        parts.push(Part::Words(words));
        let (kind, after) = brace.split_at(1);
        rest = match after.strip_prefix(kind) {
            Some(after) => {
                parts.push(Part::Words(kind));
                after
            }
            None => match after.split_once('}').filter(|_| kind == "{") {
                Some((name, after)) => {
                    parts.push(Part::Variable(name));
                    after
                }
                None => {
                    parts.push(Part::Words(kind));
                    after
                }
            },
        };
    }
    parts.push(Part::Words(rest));
    parts
}

/// The variables in a text.
pub(super) fn variables(text: &str) -> Vec<&str> {
    let parts = parts(text).into_iter();
    let names = parts.filter_map(|part| match part {
        Part::Variable(name) => Some(name),
        Part::Words(_) => None,
    });
    names.collect()
}

/// The text with the words that `value` has for its variables.
pub(super) fn filled<'a>(text: &'a str, value: impl Fn(&'a str) -> String) -> String {
    let mut whole = String::with_capacity(text.len() + 64);
    for part in parts(text) {
        match part {
            Part::Words(words) => whole.push_str(words),
            Part::Variable(name) => whole.push_str(&value(name)),
        }
    }
    whole
}

/// A text in which nothing stands for anything else.
pub fn literal(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_and_braces_kept() {
        let text = "{reason}: {count} people, {{not this}}, a { alone";
        assert_eq!(variables(text), ["reason", "count"]);
        let value = |name: &str| if name == "count" { "2" } else { "fire" }.to_owned();
        let whole = "fire: 2 people, {not this}, a { alone";
        assert_eq!(filled(text, value), whole);
        let quoted = literal("a {b} }c{");
        assert!(variables(&quoted).is_empty(), "{quoted}");
        assert_eq!(filled(&quoted, |_| String::new()), "a {b} }c{");
    }
}
