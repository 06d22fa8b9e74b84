//! The second and later resources of one address.

use landfall_model::graph::{Lookup, Node, TAG_GENERATION};
use serde_json::{Value, json};

/// The node as its generation is named: from the second on, with the number at
/// the end of its name and in its tags, so that both can stand beside each
/// other and each is found again.
pub(crate) fn named(node: &Node, generation: u32) -> Node {
    let mut node = node.clone();
    if generation < 2 {
        return node;
    }
    let pointer = match &node.lookup {
        Lookup::Name { name_pointer, .. } | Lookup::Tags { name_pointer, .. } => {
            name_pointer.clone()
        }
        Lookup::Properties { .. } => None,
    };
    if let Some(place) = pointer.and_then(|pointer| node.properties.pointer_mut(&pointer))
        && let Some(name) = place.as_str()
    {
        let old = place.clone();
        let new = json!(format!("{name}-{generation}"));
        *place = new.clone();
        if let Lookup::Name { identifier, .. } = &mut node.lookup
            && *identifier == old
        {
            *identifier = new;
        }
    }
    if let Some(Value::Array(tags)) = node.properties.get_mut("Tags") {
        tags.push(json!({"Key": TAG_GENERATION, "Value": generation.to_string()}));
    }
    node
}
