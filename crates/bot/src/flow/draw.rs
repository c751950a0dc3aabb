//! Pictures of a flow.

use std::fmt::Write;

use super::plan::{Flow, Node, NodeId, Step};

/// The flow in Graphviz' language.
pub fn dot(flow: &Flow) -> String {
    let mut text = String::from("digraph flow {\n  node [shape=box, style=rounded];\n");
    for (index, node) in flow.nodes.iter().enumerate() {
        let bold = if NodeId(index) == flow.start {
            ", penwidth=2"
        } else {
            ""
        };
        let label = quoted(&format!("{}\n{}", node.name, describe(node)));
        // Writing to a string can't fail.
        let _ = writeln!(text, "  n{index} [label={label}{bold}];");
    }
    for (from, label, to) in edges(flow) {
        let _ = writeln!(text, "  n{from} -> n{to} [label={}];", quoted(&label));
    }
    text.push_str("}\n");
    text
}

/// The flow in Mermaid's language.
pub fn mermaid(flow: &Flow) -> String {
    let mut text = String::from("flowchart TD\n");
    for (index, node) in flow.nodes.iter().enumerate() {
        let label = escaped(&format!("{}: {}", node.name, describe(node)));
        let (open, close) = if NodeId(index) == flow.start {
            ("([", "])")
        } else {
            ("[", "]")
        };
        let _ = writeln!(text, "  n{index}{open}\"{label}\"{close}");
    }
    for (from, label, to) in edges(flow) {
        let _ = match label.is_empty() {
            true => writeln!(text, "  n{from} --> n{to}"),
            false => writeln!(text, "  n{from} -->|\"{}\"| n{to}", escaped(&label)),
        };
    }
    text
}

/// Edges with the labels of parallel ones joined.
fn edges(flow: &Flow) -> Vec<(usize, String, usize)> {
    let mut edges: Vec<(usize, String, usize)> = Vec::new();
    for (from, node) in flow.nodes.iter().enumerate() {
        for (label, NodeId(to)) in node.step.exits() {
            match edges.iter_mut().find(|edge| (edge.0, edge.2) == (from, to)) {
                Some((_, labels, _)) => *labels = format!("{labels}, {label}"),
                None => edges.push((from, label, to)),
            }
        }
    }
    edges
}

fn describe(node: &Node) -> String {
    let step = match &node.step {
        Step::Next(_) => "go on".to_owned(),
        Step::Listen(_) => "listen".to_owned(),
        Step::Collect(collect) if collect.secret => format!("collect {} (secret)", collect.into),
        Step::Collect(collect) => format!("collect {}", collect.into),
        Step::Branch(..) => "decide".to_owned(),
        Step::Transfer { to, .. } => format!("transfer to {to}"),
        Step::Redirect { to } => format!("redirect to {to}"),
        Step::Reject(_) => "reject".to_owned(),
        Step::Invite { who, .. } => format!("invite {}", who.join(", ")),
        Step::Open { room, .. } => format!("go on in {room}"),
        Step::Summon { on_call, .. } => format!("call {on_call}"),
        Step::Join { .. } => "join".to_owned(),
        Step::Attend(_) => "stay".to_owned(),
        Step::Mute { who, .. } => format!("mute {}", who.as_deref().unwrap_or("all")),
        Step::Hold { who, .. } => format!("hold {who}"),
        Step::Resume { who, .. } => format!("resume {who}"),
        Step::Record { .. } => "record".to_owned(),
        Step::Stream(stream) => format!("agent {}", stream.to),
        Step::Keep { .. } => "record and keep".to_owned(),
        Step::PlayBack { .. } => "play back".to_owned(),
        Step::Deliver(_) => "deliver".to_owned(),
        Step::Webhook(_) => "web hook".to_owned(),
        Step::HangUp => "hang up".to_owned(),
    };
    match &node.say {
        Some(say) => format!("say {say}, {step}"),
        None => step,
    }
}

fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"")
}

/// Mermaid has entities instead of escapes.
fn escaped(text: &str) -> String {
    text.replace('&', "#amp;")
        .replace('"', "#quot;")
        .replace('<', "#lt;")
        .replace('>', "#gt;")
}
