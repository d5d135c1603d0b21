//! `[a:b:0.5]` and `[a|b]`: a prompt that changes from step to step.
//!
//! The rules are those of A1111's prompt editing; its own list of examples is among the tests. Brackets that mean
//! something else, such as `(a:1.2)` or `[a]`, are left in the text for `attention.rs`.

/// A text, and the last step that uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The last step of this text, counted from 1.
    pub until: usize,
    /// The prompt with its changes applied.
    pub text: String,
}

/// Deeper brackets are treated as text: they do not occur in practice, and each level uses stack.
const DEEPEST: usize = 100;

/// The texts of a prompt over `steps` steps: at least one, ascending, the last one until the last step.
///
/// In `[before:after:when]`, `when` is a fraction of all steps if it has a dot, otherwise a step; `before` is used up to
/// that step, rounded down. `[a|b]` begins with `a` and changes after each step. A vertical bar outside brackets, or a
/// backslash at the end, makes the whole prompt plain text, as in A1111.
pub fn schedule(prompt: &str, steps: usize) -> Vec<Stage> {
    let Some(nodes) = parse(prompt) else {
        return vec![Stage { until: steps, text: prompt.to_owned() }];
    };
    let mut ends = vec![steps];
    changes(&nodes, steps, &mut ends);
    ends.sort_unstable();
    ends.dedup();
    let text = |step| {
        let mut text = String::with_capacity(prompt.len());
        at_step(&nodes, step, steps, &mut text);
        text
    };
    ends.into_iter().map(|until| Stage { until, text: text(until) }).collect()
}

/// Whether a prompt has the syntax of a change but cannot be parsed, so that all of it is text.
pub fn is_refused(prompt: &str) -> bool {
    prompt.contains('[') && parse(prompt).is_none()
}

#[derive(Debug, Clone, PartialEq)]
enum Node<'a> {
    Text(&'a str),
    Switch { before: Vec<Node<'a>>, after: Vec<Node<'a>>, when: &'a str },
    Alternate(Vec<Vec<Node<'a>>>),
}

/// The last step of a switch's first text, from 0 to `steps`.
fn last_step(when: &str, steps: usize) -> usize {
    let value: f64 = when.parse().unwrap_or(0.0);
    let value = if when.contains('.') { value * steps as f64 } else { value };
    // The conversion truncates and saturates.
    (value as usize).min(steps)
}

fn changes(nodes: &[Node], steps: usize, ends: &mut Vec<usize>) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Switch { before, after, when } => {
                ends.extend(Some(last_step(when, steps)).filter(|&step| step > 0));
                changes(before, steps, ends);
                changes(after, steps, ends);
            }
            Node::Alternate(options) => {
                ends.extend(1..=steps);
                options.iter().for_each(|option| changes(option, steps, ends));
            }
        }
    }
}

fn at_step(nodes: &[Node], step: usize, steps: usize, text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(part) => text.push_str(part),
            Node::Switch { before, after, when } => {
                let active = if step <= last_step(when, steps) { before } else { after };
                at_step(active, step, steps, text);
            }
            Node::Alternate(options) => {
                at_step(&options[step.saturating_sub(1) % options.len()], step, steps, text);
            }
        }
    }
}

/// `None` if A1111's grammar does not accept the prompt.
fn parse(prompt: &str) -> Option<Vec<Node<'_>>> {
    let mut nodes = Vec::new();
    let mut at = 0;
    while at < prompt.len() {
        let group = match prompt.as_bytes()[at] {
            b'[' | b'(' => group(prompt, at, 0),
            _ => None,
        };
        if let Some((mut group, end)) = group {
            nodes.append(&mut group);
            at = end;
        } else if prompt[at..].starts_with(['[', ']', '(', ')', ':']) {
            nodes.push(Node::Text(&prompt[at..at + 1]));
            at += 1;
        } else {
            let end = plain(prompt, at)?;
            nodes.push(Node::Text(&prompt[at..end]));
            at = end;
        }
    }
    Some(nodes)
}

/// The end of the text without special characters that begins here.
fn plain(prompt: &str, begin: usize) -> Option<usize> {
    let mut characters = prompt[begin..].char_indices();
    let mut end = begin;
    while let Some((at, character)) = characters.next() {
        match character {
            '[' | ']' | '(' | ')' | ':' | '|' => break,
            '\\' => match characters.next() {
                None | Some((_, '\n')) => break,
                Some((next, escaped)) => end = begin + next + escaped.len_utf8(),
            },
            _ => end = begin + at + character.len_utf8(),
        }
    }
    (end > begin).then_some(end)
}

/// The nodes of the bracket at `open`, and where it ends.
fn group(prompt: &str, open: usize, depth: usize) -> Option<(Vec<Node<'_>>, usize)> {
    if depth == DEEPEST {
        return None;
    }
    let round = prompt.as_bytes()[open] == b'(';
    // The parts between the separators of this level, and the separators with their positions: `:` or `|`, and finally
    // the closing bracket.
    let mut parts = Vec::new();
    let mut signs: Vec<(u8, usize)> = Vec::new();
    let mut at = open + 1;
    loop {
        let (part, end) = sequence(prompt, at, depth)?;
        let sign = *prompt.as_bytes().get(end)?;
        parts.push(part);
        signs.push((sign, end));
        at = end + 1;
        match sign {
            b':' | b'|' => {}
            b')' if round => break,
            b']' if !round => break,
            _ => return None,
        }
    }
    let (colons, bars) = signs.iter().fold((0, 0), |(colons, bars), (sign, _)| {
        (colons + usize::from(*sign == b':'), bars + usize::from(*sign == b'|'))
    });
    let nodes = match (round, colons, bars) {
        // Attention is not handled here: the brackets stay in the text, with the changes inside them applied.
        (true, 0 | 1, 0) | (false, 0, 0) => {
            let mut nodes = vec![Node::Text(&prompt[open..open + 1])];
            for (part, (_, end)) in parts.into_iter().zip(signs) {
                nodes.extend(part);
                nodes.push(Node::Text(&prompt[end..end + 1]));
            }
            nodes
        }
        (false, 1 | 2, 0) => {
            let when = prompt[signs[colons - 1].1 + 1..at - 1].trim();
            if !is_number(when) {
                return None;
            }
            parts.pop();
            let after = parts.pop()?;
            vec![Node::Switch { before: parts.pop().unwrap_or_default(), after, when }]
        }
        (false, 0, _) => vec![Node::Alternate(parts)],
        _ => return None,
    };
    Some((nodes, at))
}

/// Text and complete brackets up to a separator of the level above.
fn sequence(prompt: &str, begin: usize, depth: usize) -> Option<(Vec<Node<'_>>, usize)> {
    let mut nodes = Vec::new();
    let mut at = begin;
    while let Some(&sign) = prompt.as_bytes().get(at) {
        match sign {
            b':' | b'|' | b')' | b']' => break,
            b'[' | b'(' => {
                let (mut group, end) = group(prompt, at, depth + 1)?;
                nodes.append(&mut group);
                at = end;
            }
            _ => {
                let end = plain(prompt, at)?;
                nodes.push(Node::Text(&prompt[at..end]));
                at = end;
            }
        }
    }
    Some((nodes, at))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) && text.parse::<f64>().is_ok()
}
