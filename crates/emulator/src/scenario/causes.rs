//! What a bot asks, put before what that brings about.
//!
//! A bot is a process of its own. Whether its next request comes before or after something
//! that happens meanwhile is chance: it asks for a prompt while the one before it is still
//! being cut short. What happens in a call keeps its order, and so do the bot's requests; how
//! the two are merged is decided by what is sure in each run: a request comes before its
//! effects. It stands as late as that allows.

use crate::journal::{Logged, Stream};

/// The entries of a call, each request right before the first thing that it brought about;
/// one that brought nothing about, before the next that did, or the end.
pub(super) fn before_effects<'a>(entries: &[&'a Logged]) -> Vec<&'a Logged> {
    let (requests, told) = divided(entries);
    let mut places = places(&requests, &told);
    // Not after a later one's effect.
    let end = told.iter().position(|entry| entry.is_end);
    let mut latest = end.unwrap_or(told.len());
    for place in places.iter_mut().rev() {
        latest = place.map_or(latest, |place| place.min(latest));
        *place = Some(latest);
    }
    let mut merged = Vec::with_capacity(entries.len());
    let mut requests = requests.iter().zip(places).peekable();
    for (at, entry) in told.iter().enumerate() {
        while let Some(((_, request), _)) = requests.next_if(|(_, place)| *place <= Some(at)) {
            merged.push(*request);
        }
        merged.push(*entry);
    }
    merged.extend(requests.map(|((_, request), _)| *request));
    merged
}

/// The requests, each with how much had happened when it was asked; and what happened.
fn divided<'a>(entries: &[&'a Logged]) -> (Vec<(usize, &'a Logged)>, Vec<&'a Logged>) {
    let (mut requests, mut told) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.stream {
            Stream::Request(_) => requests.push((told.len(), *entry)),
            _ => told.push(*entry),
        }
    }
    (requests, told)
}

/// Where each request's first effect is among what happened.
fn places(requests: &[(usize, &Logged)], told: &[&Logged]) -> Vec<Option<usize>> {
    let mut begun = vec![false; told.len()];
    let place = |(from, request): &(usize, &Logged)| {
        let after = |is: &dyn Fn(&Logged) -> bool| {
            let mut later = told.iter().enumerate().skip(*from);
            later.find_map(|(at, entry)| is(entry).then_some(at))
        };
        let Stream::Request(operation) = &request.stream else {
            return None;
        };
        let is_prompt = |entry: &Logged, line| entry.stream == Stream::Prompt && entry.line == line;
        match operation.as_str() {
            "create" => after(&|entry| entry.stream == Stream::State),
            "answer" | "transfer" => after(&|entry| entry.stream == Stream::StateNotification),
            "delete" | "reject" | "redirect" => after(&|entry| entry.is_end),
            "cancelMediaProcessing" => after(&|entry| is_prompt(entry, "prompt interrupted")),
            "subscribeToTone" => {
                let tone = Stream::Notification("tone".to_owned());
                after(&|entry| entry.stream == tone)
            }
            _ => {
                let operation = request.operation.as_ref()?;
                let over = after(&|entry| entry.operation.as_ref() == Some(operation));
                let until = over.unwrap_or(told.len());
                let prompts = (*from..until).filter(|at| is_prompt(told[*at], "prompt started"));
                // A prompt that waits for its turn begins after those before it.
                let first = prompts.into_iter().find(|at| !begun[*at]);
                if let Some(first) = first {
                    begun[first] = true;
                }
                first.or(over)
            }
        }
    };
    requests.iter().map(place).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `?playPrompt 1` is a request that began operation 1, `!operation 1` tells of it; others
    /// are a state (`call …`), a prompt or a notification.
    fn entry(line: &str) -> Logged {
        let (words, operation) = match line.rsplit_once(' ') {
            Some((words, id)) if id.parse::<u32>().is_ok() => (words, Some(id.to_owned())),
            _ => (line, None),
        };
        let stream = match words.split_at(1) {
            ("?", operation) => Stream::Request(operation.to_owned()),
            ("!", "established" | "establishing" | "transferring") => Stream::StateNotification,
            ("!", about) => Stream::Notification(about.to_owned()),
            _ if words.starts_with("prompt") => Stream::Prompt,
            _ => Stream::State,
        };
        Logged {
            call: "c".to_owned(),
            line: words.to_owned(),
            is_end: words == "call terminated",
            shared: false,
            stream,
            operation,
        }
    }

    fn ordered(lines: &[&str]) -> Vec<String> {
        let entries: Vec<Logged> = lines.iter().map(|line| entry(line)).collect();
        let entries: Vec<&Logged> = entries.iter().collect();
        let ordered = before_effects(&entries);
        ordered.iter().map(|entry| entry.line.clone()).collect()
    }

    /// All ways in which the bot's requests, in their order, may come between what happens,
    /// given how much has surely happened before each and what surely comes after.
    fn every_way(told: &[&str], requests: &[(&str, usize, usize)]) -> Vec<Vec<String>> {
        let mut ways = vec![(Vec::new(), 0)];
        for (_, from, until) in requests {
            ways = ways
                .into_iter()
                .flat_map(|(way, last): (Vec<usize>, usize)| {
                    ((*from).max(last)..=*until).map(move |at| ([&way[..], &[at]].concat(), at))
                })
                .collect();
        }
        let line = |way: &[usize]| {
            let mut lines = Vec::new();
            for at in 0..=told.len() {
                let here = requests.iter().zip(way).filter(|(_, place)| **place == at);
                lines.extend(here.map(|((request, _, _), _)| *request));
                lines.extend(told.get(at));
            }
            ordered(&lines)
        };
        ways.iter().map(|(way, _)| line(way)).collect()
    }

    #[test]
    fn a_request_stands_before_what_it_brings_about_however_it_was_timed() {
        let told = [
            "call establishing",
            "!incoming",
            "!establishing",
            "!established",
            "call established",
            "prompt started",
            "!tone",
            "prompt interrupted",
            "!operation 1",
            "prompt started",
            "prompt finished",
            "!operation 2",
            "call terminated",
        ];
        let requests = [
            ("?answer", 2, 2),
            ("?subscribeToTone", 4, 5),
            ("?playPrompt 1", 4, 5),
            ("?cancelMediaProcessing", 7, 7),
            ("?playPrompt 2", 7, 9),
            ("?get", 7, 12),
            ("?delete", 12, 12),
        ];
        let expected = [
            "call establishing",
            "!incoming",
            "?answer",
            "!establishing",
            "!established",
            "call established",
            "?subscribeToTone",
            "?playPrompt",
            "prompt started",
            "!tone",
            "?cancelMediaProcessing",
            "prompt interrupted",
            "!operation",
            "?playPrompt",
            "prompt started",
            "prompt finished",
            "!operation",
            "?get",
            "?delete",
            "call terminated",
        ];
        let ways = every_way(&told, &requests);
        assert_eq!(ways.len(), 45);
        for way in ways {
            assert_eq!(way, expected);
        }
    }

    #[test]
    fn prompts_that_wait_for_their_turn_keep_theirs_and_some_never_begin() {
        let lines = [
            "?playPrompt 1",
            "?playPrompt 2",
            "?playPrompt 3",
            "!operation 1",
            "prompt started",
            "!operation 2",
            "prompt started",
            "call terminated",
            "!terminated",
        ];
        // The first one's file was none.
        let expected = [
            "?playPrompt",
            "!operation",
            "?playPrompt",
            "prompt started",
            "!operation",
            "?playPrompt",
            "prompt started",
            "call terminated",
            "!terminated",
        ];
        assert_eq!(ordered(&lines), expected);
    }

    #[test]
    fn what_brings_nothing_about_comes_last() {
        let lines = ["?get", "call established", "?mute", "!tone"];
        assert_eq!(
            ordered(&lines),
            ["call established", "!tone", "?get", "?mute"]
        );
        assert_eq!(ordered(&[]), [""; 0]);
    }
}
