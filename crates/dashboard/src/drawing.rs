//! Where the resource graph's boxes and lines go. Pure: positions in, no text.
//!
//! Layered from left to right: a node stands one column right of the last
//! thing it waits for. Lines that follow from others are left out, else fifty
//! resources are a hairball.

use std::collections::{BTreeMap, BTreeSet};

pub const BOX_WIDTH: i32 = 218;
pub const BOX_HEIGHT: i32 = 42;
const COLUMN: i32 = BOX_WIDTH + 48;
const ROW: i32 = BOX_HEIGHT + 10;
const MARGIN: i32 = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub name: String,
    pub x: i32,
    pub y: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub from: String,
    pub to: String,
    /// An SVG path from the right of `from` to the left of `to`.
    pub path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    pub width: i32,
    pub height: i32,
    pub boxes: Vec<Placed>,
    pub lines: Vec<Line>,
}

/// Places every key of `needs`; names that are only needed are ignored. Cycles
/// do not occur in plans; should one, its nodes stand in the first column.
pub fn draw(needs: &BTreeMap<String, BTreeSet<String>>) -> Drawing {
    let columns = columns(needs);
    let reduced = reduced(needs);
    let ordered = ordered(&columns, &reduced);

    let tallest = ordered.iter().map(Vec::len).max().unwrap_or(0);
    let mut at: BTreeMap<&str, (i32, i32)> = BTreeMap::new();
    for (column, names) in ordered.iter().enumerate() {
        // Short columns are centred on the tallest one.
        let free = length(tallest) - length(names.len());
        for (row, name) in names.iter().enumerate() {
            let x = MARGIN + length(column) * COLUMN;
            let y = MARGIN + length(row) * ROW + free * ROW / 2;
            at.insert(name.as_str(), (x, y));
        }
    }
    let boxes = at
        .iter()
        .map(|(name, (x, y))| Placed {
            name: (*name).to_owned(),
            x: *x,
            y: *y,
        })
        .collect();
    let mut lines = Vec::new();
    for (to, froms) in &reduced {
        for from in froms {
            if let (Some((fx, fy)), Some((tx, ty))) = (at.get(from.as_str()), at.get(to.as_str())) {
                let (x1, y1) = (fx + BOX_WIDTH, fy + BOX_HEIGHT / 2);
                let (x2, y2) = (*tx, ty + BOX_HEIGHT / 2);
                let middle = (x1 + x2) / 2;
                lines.push(Line {
                    from: from.clone(),
                    to: to.clone(),
                    path: format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"),
                });
            }
        }
    }
    Drawing {
        width: MARGIN * 2 + length(ordered.len()) * COLUMN - (COLUMN - BOX_WIDTH),
        height: MARGIN * 2 + length(tallest) * ROW,
        boxes,
        lines,
    }
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1024)
}

/// The column of each node: the longest way from a node that waits for nothing.
fn columns(needs: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, usize> {
    let mut columns: BTreeMap<String, usize> = needs.keys().map(|name| (name.clone(), 0)).collect();
    // As many passes as there are nodes suffice for any acyclic graph, and end
    // for any other.
    for _ in 0..needs.len() {
        let mut changed = false;
        for (name, froms) in needs {
            let column = froms
                .iter()
                .filter_map(|from| columns.get(from))
                .map(|column| column + 1)
                .max()
                .unwrap_or(0);
            if columns.get(name) != Some(&column) && column < needs.len() {
                columns.insert(name.clone(), column);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    columns
}

/// The needs without those that follow from others.
fn reduced(needs: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    needs
        .iter()
        .map(|(name, froms)| {
            let direct = froms
                .iter()
                .filter(|from| needs.contains_key(*from))
                .filter(|from| {
                    !froms
                        .iter()
                        .any(|other| other != *from && waits_for(needs, other, from))
                })
                .cloned()
                .collect();
            (name.clone(), direct)
        })
        .collect()
}

fn waits_for(needs: &BTreeMap<String, BTreeSet<String>>, name: &str, goal: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut todo = vec![name];
    while let Some(name) = todo.pop() {
        for from in needs.get(name).into_iter().flatten() {
            if from == goal {
                return true;
            }
            if seen.insert(from) {
                todo.push(from);
            }
        }
    }
    false
}

/// The names of each column, each near the middle of what it waits for.
fn ordered(
    columns: &BTreeMap<String, usize>,
    reduced: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Vec<String>> {
    let count = columns.values().max().map_or(0, |last| last + 1);
    let mut ordered: Vec<Vec<String>> = vec![Vec::new(); count];
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for column in 0..count {
        let mut names: Vec<(usize, &String)> = columns
            .iter()
            .filter(|(_, at)| **at == column)
            .map(|(name, _)| {
                let froms: Vec<usize> = reduced
                    .get(name)
                    .into_iter()
                    .flatten()
                    .filter_map(|from| rows.get(from).copied())
                    .collect();
                let middle = froms.iter().sum::<usize>() * 16 / froms.len().max(1);
                (middle, name)
            })
            .collect();
        names.sort();
        for (row, (_, name)) in names.into_iter().enumerate() {
            rows.insert(name.clone(), row);
            if let Some(column) = ordered.get_mut(column) {
                column.push(name.clone());
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(edges: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        edges
            .iter()
            .map(|(name, froms)| {
                let froms = froms.iter().map(|from| (*from).to_owned()).collect();
                ((*name).to_owned(), froms)
            })
            .collect()
    }

    #[test]
    fn a_node_stands_right_of_all_it_waits_for() {
        let drawing = draw(&needs(&[
            ("vpc", &[]),
            ("subnet", &["vpc"]),
            ("db", &["subnet", "vpc"]),
        ]));
        let x = |name: &str| drawing.boxes.iter().find(|b| b.name == name).unwrap().x;
        assert!(x("vpc") < x("subnet") && x("subnet") < x("db"));
        assert!(
            drawing
                .boxes
                .iter()
                .all(|b| b.x + BOX_WIDTH <= drawing.width)
        );
        assert!(
            drawing
                .boxes
                .iter()
                .all(|b| b.y + BOX_HEIGHT <= drawing.height)
        );
    }

    #[test]
    fn lines_that_follow_from_others_are_left_out() {
        let drawing = draw(&needs(&[
            ("vpc", &[]),
            ("subnet", &["vpc"]),
            ("db", &["subnet", "vpc"]),
        ]));
        let lines: Vec<_> = drawing
            .lines
            .iter()
            .map(|l| (l.from.as_str(), l.to.as_str()))
            .collect();
        assert_eq!(lines, [("subnet", "db"), ("vpc", "subnet")]);
    }

    #[test]
    fn boxes_never_overlap() {
        let drawing = draw(&needs(&[
            ("a", &[]),
            ("b", &[]),
            ("c", &["a"]),
            ("d", &["a", "b"]),
            ("e", &["d"]),
        ]));
        let mut places: Vec<_> = drawing.boxes.iter().map(|b| (b.x, b.y)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 5);
    }

    #[test]
    fn nothing_and_a_cycle_do_not_hang() {
        assert!(draw(&BTreeMap::new()).boxes.is_empty());
        assert_eq!(draw(&needs(&[("a", &["b"]), ("b", &["a"])])).boxes.len(), 2);
    }
}
