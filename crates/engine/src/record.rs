//! Making the nouns that a run writes.

use crate::world::World;
use landfall_model::{
    graph::{Address, Node},
    id::RetainedId,
    resource::Resource,
    retained::{Reason, Retained, State},
};
use serde_json::Value;

pub(crate) fn resource(
    world: &World<'_>,
    address: &Address,
    node: &Node,
    identifier: &str,
    generation: u32,
    applied: Value,
    outputs: Value,
) -> Resource {
    Resource {
        environment_id: world.plan.environment_id.clone(),
        address: address.clone(),
        type_name: node.type_name.clone(),
        title: node.title.clone(),
        identifier: identifier.to_owned(),
        account_id: world.site.account_id.clone(),
        region: world.site.region.clone(),
        applied,
        outputs,
        stateful: node.stateful,
        generation,
        monthly_cents: node.monthly_cents,
        updated_at: world.engine.now(),
    }
}

pub(crate) fn retained(world: &World<'_>, record: &Resource, reason: Reason) -> Retained {
    let engine = world.engine;
    Retained {
        id: RetainedId::generate(engine.clock.as_ref(), engine.entropy.as_ref()),
        organization_id: world.plan.organization_id.clone(),
        connection_id: world.site.connection_id.clone(),
        environment_id: record.environment_id.clone(),
        environment_name: world.site.environment_name.clone(),
        address: record.address.clone(),
        type_name: record.type_name.clone(),
        title: record.title.clone(),
        identifier: record.identifier.clone(),
        account_id: record.account_id.clone(),
        region: record.region.clone(),
        stateful: record.stateful,
        reason,
        since: engine.now(),
        monthly_cents: record.monthly_cents,
        state: State::Retained,
        version: 1,
    }
}
