//! What waits for what in a tree. Its size is that of the tree: whatever stands side by side meets in one node.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tree, TreeError};
use crate::engine::step::StepId;

/// A step, or a point where branches begin or meet.
type Node = usize;

/// How a node depends on another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// It cannot be tried unless the other is done.
    Needs(Node),
    /// It only comes later.
    Follows(Node),
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    /// What each node depends on.
    edges: Vec<Vec<Edge>>,
    /// The steps among the nodes.
    steps: BTreeMap<StepId, Node>,
    names: BTreeMap<Node, StepId>,
    /// Gates, whose steps may come later in the tree.
    gates: Vec<(Node, StepId, bool)>,
}

impl Graph {
    /// What a tree means.
    ///
    /// # Errors
    /// When two steps have one path, or a gate names none.
    pub(super) fn of(tree: &Tree) -> Result<Self, TreeError> {
        let mut graph = Self::default();
        let root = graph.node(Vec::new());
        graph.add(tree, root)?;
        for (gate, step, is_needed) in std::mem::take(&mut graph.gates) {
            let node = *graph.steps.get(&step).ok_or(TreeError::UnknownGate(step))?;
            graph.edges[gate].push(if is_needed { Edge::Needs(node) } else { Edge::Follows(node) });
        }
        Ok(graph)
    }

    fn node(&mut self, edges: Vec<Edge>) -> Node {
        self.edges.push(edges);
        self.edges.len() - 1
    }

    /// Adds a part that begins at `entry`; returns where it ends.
    fn add(&mut self, tree: &Tree, entry: Node) -> Result<Node, TreeError> {
        match tree {
            Tree::Step(step) => {
                let (id, node) = (step.0.id(), self.node(vec![Edge::Needs(entry)]));
                self.names.insert(node, id.clone());
                match self.steps.insert(id.clone(), node) {
                    Some(_) => Err(TreeError::Duplicate(id)),
                    None => Ok(node),
                }
            }
            Tree::Gate { step, is_needed } => {
                let node = self.node(vec![Edge::Needs(entry)]);
                self.gates.push((node, step.clone(), *is_needed));
                Ok(node)
            }
            Tree::Seq(parts) => parts.iter().try_fold(entry, |before, part| self.add(part, before)),
            Tree::Par(parts) => self.meet(parts, entry, Edge::Needs),
            Tree::Each(parts) => self.meet(parts, entry, Edge::Follows),
            Tree::Guarded { body, cleanup, .. } => {
                let body = self.add(body, entry)?;
                let begin = self.node(vec![Edge::Needs(entry), Edge::Follows(body)]);
                let cleanup = self.add(cleanup, begin)?;
                Ok(self.node(vec![Edge::Needs(body), Edge::Needs(cleanup)]))
            }
        }
    }

    fn meet(&mut self, parts: &[Tree], entry: Node, edge: impl Fn(Node) -> Edge) -> Result<Node, TreeError> {
        let mut edges = vec![Edge::Needs(entry)];
        for part in parts {
            edges.push(edge(self.add(part, entry)?));
        }
        Ok(self.node(edges))
    }

    /// Checks that nothing waits for itself.
    ///
    /// # Errors
    /// A step that does.
    pub(super) fn check(&self) -> Result<(), TreeError> {
        let mut state = vec![State::New; self.edges.len()];
        match (0..self.edges.len()).find_map(|node| self.cycle(node, &mut state)) {
            Some(step) => Err(TreeError::Cycle(step)),
            None => Ok(()),
        }
    }

    /// Goes through everything that a node depends on; returns the first step, by its path, of a
    /// cycle. Not recursive: a branch may be long.
    fn cycle(&self, start: Node, state: &mut [State]) -> Option<StepId> {
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if *next == 0 {
                if state[node] == State::Done {
                    path.pop();
                    continue;
                }
                state[node] = State::Open;
            }
            let Some(edge) = self.edges[node].get(*next) else {
                state[node] = State::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let (Edge::Needs(before) | Edge::Follows(before)) = *edge;
            match state[before] {
                State::Open => {
                    let cycle = path.iter().map(|(node, _)| node).skip_while(|node| **node != before);
                    return cycle.filter_map(|node| self.names.get(node)).min().cloned();
                }
                State::New => path.push((before, 0)),
                State::Done => {}
            }
        }
        None
    }

    /// Each step with those that come right before it: what stands side by side meets, and is no step.
    pub(super) fn order(&self) -> Vec<(StepId, BTreeSet<StepId>)> {
        self.names.iter().map(|(node, name)| (name.clone(), self.before(*node))).collect()
    }

    fn before(&self, node: Node) -> BTreeSet<StepId> {
        let (mut open, mut seen, mut found) = (vec![node], BTreeSet::new(), BTreeSet::new());
        while let Some(node) = open.pop() {
            for edge in &self.edges[node] {
                let (Edge::Needs(before) | Edge::Follows(before)) = *edge;
                match self.names.get(&before) {
                    Some(name) => drop(found.insert(name.clone())),
                    None if seen.insert(before) => open.push(before),
                    None => {}
                }
            }
        }
        found
    }

    /// Steps with everything that they need.
    pub(super) fn closure(&self, wanted: impl Iterator<Item = StepId>) -> BTreeSet<StepId> {
        let mut open: Vec<_> = wanted.filter_map(|step| self.steps.get(&step).copied()).collect();
        let mut seen = vec![false; self.edges.len()];
        let mut needed = BTreeSet::new();
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            needed.extend(self.names.get(&node).cloned());
            let needs = self.edges[node].iter().filter_map(|edge| match edge {
                Edge::Needs(before) => Some(*before),
                Edge::Follows(_) => None,
            });
            open.extend(needs);
        }
        needed
    }
}

/// How far the search for cycles is with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}
