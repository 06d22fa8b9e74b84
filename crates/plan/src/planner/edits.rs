//! What a change does, property by property, for the person who approves it.

use landfall_model::{
    driver::PatchOperation,
    graph::Node,
    owned::{alike, covers, masked},
    plan::{
        Edit,
        items::{bare, name},
    },
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Of an update or an adoption: what each operation makes of what is there.
pub(super) fn of_patch(node: &Node, patch: &[PatchOperation], observed: &Value) -> Vec<Edit> {
    let mut edits = Edits::new(node);
    for operation in patch {
        match operation {
            PatchOperation::Add { path, value } => match (path.strip_suffix("/-"), name(value)) {
                (Some(list), Some((key, _))) => {
                    edits.add(&Place::new(path, &child(list, key)), value);
                }
                _ => edits.add(&Place::new(path, path), value),
            },
            PatchOperation::Replace { path, value } => {
                let place = Place::new(path, &said(path, observed));
                match observed.pointer(path) {
                    Some(before) => edits.whole(&place, before, value),
                    None => edits.add(&place, value),
                }
            }
            PatchOperation::Remove { path } => {
                edits.remove(
                    &Place::new(path, &said(path, observed)),
                    observed.pointer(path),
                );
            }
        }
    }
    edits.found
}

/// Of a replacement: how the new one differs from the old in what cannot be
/// changed in place. `wanted` has its references resolved where they can be.
pub(super) fn of_pointers(
    node: &Node,
    because: &[String],
    wanted: &Value,
    observed: &Value,
) -> Vec<Edit> {
    let mut edits = Edits::new(node);
    for path in because {
        let place = Place::new(path, path);
        match (observed.pointer(path), wanted.pointer(path)) {
            (Some(before), Some(after)) => edits.whole(&place, before, after),
            (None, Some(after)) => edits.add(&place, after),
            (before, None) => edits.remove(&place, before),
        }
    }
    edits.found
}

/// Where a property is, and how that is put for people.
#[derive(Clone)]
struct Place {
    pointer: String,
    said: String,
}

impl Place {
    fn new(pointer: &str, said: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            said: said.to_owned(),
        }
    }

    fn child(&self, pointer: &str, said: &str) -> Self {
        Self {
            pointer: child(&self.pointer, pointer),
            said: child(&self.said, said),
        }
    }
}

struct Edits<'a> {
    /// Never returned by the cloud, and therefore possibly secret.
    hidden: &'a BTreeSet<String>,
    found: Vec<Edit>,
}

impl<'a> Edits<'a> {
    fn new(node: &'a Node) -> Self {
        Self {
            hidden: &node.write_only,
            found: Vec::new(),
        }
    }

    fn push(&mut self, place: &Place, before: Option<&Value>, after: Option<&Value>) {
        let hidden = covers(self.hidden, &place.pointer);
        let shown = |value: Option<&Value>| {
            let value = value.filter(|_| !hidden)?;
            let value = masked(value, &place.pointer, self.hidden);
            Some(bare(&value).map_or(value.clone(), |(_, bare)| bare.clone()))
        };
        self.found.push(Edit {
            path: place.said.clone(),
            before: shown(before),
            after: shown(after),
            hidden,
        });
    }

    fn add(&mut self, place: &Place, after: &Value) {
        self.push(place, None, Some(after));
    }

    fn remove(&mut self, place: &Place, before: Option<&Value>) {
        self.push(place, before, None);
    }

    /// The differences inside; all of it when they cannot be told apart.
    fn whole(&mut self, place: &Place, before: &Value, after: &Value) {
        let count = self.found.len();
        self.inside(place, before, after);
        if self.found.len() == count {
            self.push(place, Some(before), Some(after));
        }
    }

    fn inside(&mut self, place: &Place, before: &Value, after: &Value) {
        if alike(after, before) {
            return;
        }
        match (before, after) {
            (Value::Object(have), Value::Object(want)) if !is_reference(want) => {
                for (key, item) in want.iter().collect::<BTreeMap<_, _>>() {
                    let place = place.child(key, key);
                    match have.get(key).filter(|it| !it.is_null()) {
                        Some(before) => self.inside(&place, before, item),
                        // Clouds leave out what is empty.
                        None if alike(&Value::Object(Map::new()), item) => {}
                        None => self.add(&place, item),
                    }
                }
            }
            (Value::Array(have), Value::Array(want)) => match (named(have), named(want)) {
                (Some(have), Some(want)) => self.items(place, &have, &want),
                _ => self.rest(place, have, want),
            },
            // Policies are returned as text.
            (Value::String(text), Value::Object(_)) => match serde_json::from_str(text) {
                Ok(before @ Value::Object(_)) => self.inside(place, &before, after),
                _ => self.push(place, Some(before), Some(after)),
            },
            _ => self.push(place, Some(before), Some(after)),
        }
    }

    /// Items that have names are compared by name: clouds return them in any
    /// order.
    fn items(&mut self, place: &Place, have: &Named<'_>, want: &Named<'_>) {
        for (key, (index, item)) in want {
            let place = place.child(&index.to_string(), key);
            match have.get(key) {
                Some((_, before)) => match (bare(before), bare(item)) {
                    (Some((_, before)), Some((property, item))) => {
                        let pointer = child(&place.pointer, property);
                        self.inside(&Place::new(&pointer, &place.said), before, item);
                    }
                    _ => self.inside(&place, before, item),
                },
                None => self.add(&place, item),
            }
        }
        for (key, (index, item)) in have {
            if !want.contains_key(key) {
                self.remove(&place.child(&index.to_string(), key), Some(item));
            }
        }
    }

    /// Items without names: those that are on one side only, and the
    /// differences inside when there is one on each.
    fn rest(&mut self, place: &Place, have: &[Value], want: &[Value]) {
        let mut gone: Vec<(usize, &Value)> = have.iter().enumerate().collect();
        let mut new: Vec<(usize, &Value)> = Vec::new();
        for (index, item) in want.iter().enumerate() {
            match gone.iter().position(|(_, other)| alike(item, other)) {
                Some(partner) => drop(gone.remove(partner)),
                None => new.push((index, item)),
            }
        }
        let at = |index: usize| place.child(&index.to_string(), &index.to_string());
        if let ([(_, before)], [(index, after)]) = (gone.as_slice(), new.as_slice()) {
            return self.inside(&at(*index), before, after);
        }
        for (index, item) in gone {
            self.remove(&at(index), Some(item));
        }
        for (index, item) in new {
            self.add(&at(index), item);
        }
    }
}

type Named<'a> = BTreeMap<&'a str, (usize, &'a Value)>;

/// The items by their names, when each has one of its own.
fn named(items: &[Value]) -> Option<Named<'_>> {
    let mut found = Named::new();
    for (index, item) in items.iter().enumerate() {
        let (key, _) = name(item)?;
        if found.insert(key, (index, item)).is_some() {
            return None;
        }
    }
    Some(found)
}

/// A pointer into `observed` with the names of items instead of their places;
/// the value of a tag stands by the tag itself.
fn said(pointer: &str, observed: &Value) -> String {
    let mut at = Some(observed);
    let mut text = String::new();
    let mut is_tag = false;
    for part in pointer.split('/').skip(1) {
        let list = at.is_some_and(Value::is_array);
        at = at.and_then(|value| value.pointer(&format!("/{part}")));
        match at.filter(|_| list).and_then(name) {
            Some((key, property)) => {
                text = child(&text, key);
                is_tag = property == "Key";
            }
            None if is_tag && part == "Value" => {}
            None => {
                text.push('/');
                text.push_str(part);
                is_tag = false;
            }
        }
    }
    text
}

fn child(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn is_reference(object: &Map<String, Value>) -> bool {
    object.contains_key("$ref") || object.contains_key("$concat")
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::graph::{Address, Lookup, Replacement};
    use serde_json::json;

    fn node(write_only: &[&str]) -> Node {
        Node {
            address: Address::new("a"),
            type_name: "AWS::ECS::TaskDefinition".into(),
            title: String::new(),
            properties: json!({}),
            needs: BTreeSet::new(),
            stateful: false,
            lookup: Lookup::Tags {
                scope: None,
                name_pointer: None,
            },
            replacement: Replacement::Guarded,
            create_only: BTreeSet::new(),
            write_only: write_only.iter().map(|it| (*it).to_owned()).collect(),
            monthly_cents: None,
        }
    }

    fn edit(path: &str, before: Option<Value>, after: Option<Value>) -> Edit {
        Edit {
            path: path.into(),
            before,
            after,
            hidden: false,
        }
    }

    #[test]
    fn a_patch_is_said_with_what_was_there_and_tags_by_name() {
        let observed = json!({
            "Count": 9,
            "Tags": [{"Key": "theirs", "Value": "x"}, {"Key": "team", "Value": "red"}, {"Key": "old", "Value": "1"}],
        });
        let patch = [
            PatchOperation::Replace {
                path: "/Count".into(),
                value: json!(2),
            },
            PatchOperation::Replace {
                path: "/Tags/1/Value".into(),
                value: json!("blue"),
            },
            PatchOperation::Add {
                path: "/Tags/-".into(),
                value: json!({"Key": "a/b", "Value": "new"}),
            },
            PatchOperation::Remove {
                path: "/Tags/2".into(),
            },
        ];
        assert_eq!(
            of_patch(&node(&[]), &patch, &observed),
            [
                edit("/Count", Some(json!(9)), Some(json!(2))),
                edit("/Tags/team", Some(json!("red")), Some(json!("blue"))),
                edit("/Tags/a~1b", None, Some(json!("new"))),
                edit("/Tags/old", Some(json!("1")), None),
            ]
        );
    }

    #[test]
    fn only_what_differs_inside_is_said_and_items_are_found_by_name() {
        let observed = json!({"Containers": [{
            "Name": "web", "Image": "shop:1.0", "Essential": true, "Links": [],
            "Environment": [{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "0"}],
        }]});
        let wanted = json!({"Containers": [{
            "Name": "web", "Image": "shop:1.1",
            "Environment": [{"Name": "A", "Value": "1"}, {"Name": "C", "Value": "3"}],
        }]});
        assert_eq!(
            of_pointers(&node(&[]), &["/Containers".into()], &wanted, &observed),
            [
                edit(
                    "/Containers/web/Environment/A",
                    Some(json!("0")),
                    Some(json!("1"))
                ),
                edit("/Containers/web/Environment/C", None, Some(json!("3"))),
                edit("/Containers/web/Environment/B", Some(json!("2")), None),
                edit(
                    "/Containers/web/Image",
                    Some(json!("shop:1.0")),
                    Some(json!("shop:1.1"))
                ),
            ]
        );
    }

    #[test]
    fn a_policy_is_compared_statement_by_statement() {
        let statement = |action: &str, resource: &str| json!({"Effect": "Allow", "Action": [action], "Resource": resource});
        let before = json!({"Version": "1", "Statement": [statement("a:Read", "*"), statement("b:Put", "arn:old")]});
        let after = json!({"Version": "1", "Statement": [statement("a:Read", "*"), statement("b:Put", "arn:new")]});
        let patch = [PatchOperation::Replace {
            path: "/Policy".into(),
            value: after,
        }];
        assert_eq!(
            of_patch(&node(&[]), &patch, &json!({"Policy": before.to_string()})),
            [edit(
                "/Policy/Statement/1/Resource",
                Some(json!("arn:old")),
                Some(json!("arn:new"))
            )]
        );
    }

    #[test]
    fn what_a_cloud_never_returns_is_never_said() {
        let node = node(&["/SecretString", "/Actions/*/Config/ClientSecret"]);
        let patch = [
            PatchOperation::Add {
                path: "/SecretString".into(),
                value: json!("canary"),
            },
            PatchOperation::Replace {
                path: "/Actions".into(),
                value: json!([{"Config": {"ClientSecret": "canary", "ClientId": "c"}}]),
            },
        ];
        let observed = json!({"Actions": [{"Config": {"ClientId": "b"}}]});
        let edits = of_patch(&node, &patch, &observed);
        assert!(edits[0].hidden);
        assert_eq!((&edits[0].before, &edits[0].after), (&None, &None));
        assert!(!format!("{edits:?}").contains("canary"), "{edits:?}");
        assert!(format!("{edits:?}").contains("ClientId"), "{edits:?}");
    }
}
