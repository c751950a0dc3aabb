//! Whether every node is reached, and leads to an end.

use std::collections::BTreeSet;

use crate::flow::model::FlowModel;
use crate::flow::plan::{Flow, NodeId, Step};
use crate::flow::problem::Report;

pub(super) fn check(flow: &Flow, model: &FlowModel, report: &mut Report<'_>) {
    let mut problem = |id: NodeId, message: String, suggestion: &str| {
        let place = model
            .nodes
            .get(&flow.node(id).name)
            .map_or(0..0, toml::Spanned::span);
        report.add(place, message, Some(suggestion.to_owned()));
    };
    let reached = reachable(flow, entries(flow));
    let endless = endless(flow);
    let answered = answered(flow);
    for id in (0..flow.nodes.len()).map(NodeId) {
        let node = flow.node(id);
        if !reached.contains(&id) {
            problem(
                id,
                format!("no way leads to the node \"{}\"", node.name),
                "lead to it, or remove it",
            );
        } else if endless.contains(&id) {
            let message = format!("from the node \"{}\" no way leads to an end", node.name);
            problem(id, message, "let some way lead to hang_up or transfer");
        }
        if node.say.is_none() && returns_at_once(flow, id) {
            let message = format!("the node \"{}\" leads back to itself at once", node.name);
            problem(id, message, "say or wait for something on the way");
        }
        if matches!(node.step, Step::Redirect { .. } | Step::Reject(_)) && answered.contains(&id) {
            let message = format!(
                "the node \"{}\" comes after the call was answered",
                node.name
            );
            problem(id, message, "use transfer or hang_up");
        }
    }
}

/// Where calls begin, or go when a node doesn't say where.
fn entries(flow: &Flow) -> impl Iterator<Item = NodeId> {
    let rooms = flow.rooms.values().map(|room| room.start);
    [flow.start, flow.otherwise, flow.fallback]
        .into_iter()
        .chain(rooms)
}

fn reachable(flow: &Flow, from: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<NodeId> = from.into_iter().collect();
    while let Some(id) = ahead.pop() {
        if reached.insert(id) {
            ahead.extend(flow.node(id).step.exits().into_iter().map(|(_, to)| to));
        }
    }
    reached
}

/// Nodes from which no call can end.
fn endless(flow: &Flow) -> BTreeSet<NodeId> {
    let ids = (0..flow.nodes.len()).map(NodeId);
    let ends = |id: &NodeId| flow.node(*id).step.is_end();
    ids.filter(|id| !reachable(flow, [*id]).iter().any(ends))
        .collect()
}

/// Whether there is a way back to `start` through nodes that neither say nor wait
/// for anything.
fn returns_at_once(flow: &Flow, start: NodeId) -> bool {
    let at_once = |id: NodeId| {
        let node = flow.node(id);
        let goes_on = node.say.is_none() && node.step.is_instant();
        let exits = if goes_on {
            node.step.exits()
        } else {
            Vec::new()
        };
        exits.into_iter().map(|(_, to)| to)
    };
    let mut seen = BTreeSet::new();
    let mut ahead: Vec<NodeId> = at_once(start).collect();
    while let Some(id) = ahead.pop() {
        if id == start {
            return true;
        }
        if seen.insert(id) {
            ahead.extend(at_once(id));
        }
    }
    false
}

/// Nodes a call may come to after it was answered: whatever follows a node that
/// says or waits for something.
fn answered(flow: &Flow) -> BTreeSet<NodeId> {
    let silent = |id: &NodeId| {
        let node = flow.node(*id);
        node.say.is_none()
            && (node.step.is_instant()
                || matches!(
                    node.step,
                    Step::Redirect { .. } | Step::Reject(_) | Step::Webhook(_)
                ))
    };
    let reached = reachable(flow, entries(flow));
    let rooms = flow.rooms.values().map(|room| room.start);
    reachable(
        flow,
        reached.into_iter().filter(|id| !silent(id)).chain(rooms),
    )
}
