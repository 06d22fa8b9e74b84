//! What the preflight simulates: everything that is allowed, asked as the
//! handlers will ask it, and what must be refused.

use super::{
    place::Place,
    statement::scopes_of,
    tables::{self, Scope},
};
use landfall_model::grant::{Identity, PermissionGroup, PermissionQuestion};
use std::collections::{BTreeMap, BTreeSet};

/// Questions of one group that differ in actions only are one question.
type Questions = BTreeMap<(String, BTreeMap<String, Vec<String>>), BTreeSet<String>>;

pub(super) fn groups(place: &Place, with_reaper: bool) -> Vec<PermissionGroup> {
    let mut groups = allowed(place, Identity::Provisioner, "");
    ask_in_every_region(place, &mut groups);
    if with_reaper {
        groups.extend(allowed(place, Identity::Reaper, "destruction-"));
    }
    groups.extend(refused(place, with_reaper));
    groups
}

fn allowed(place: &Place, identity: Identity, prefix: &str) -> Vec<PermissionGroup> {
    let overlay = tables::overlay();
    let mut asked: BTreeMap<&str, Questions> = BTreeMap::new();
    for (group, action) in tables::base_actions(identity) {
        ask(place, identity, group, action, &mut asked);
    }
    for group in &overlay.groups {
        for type_name in &group.types {
            for action in tables::actions_of_type(type_name, identity).unwrap_or_default() {
                ask(place, identity, &group.id, action, &mut asked);
            }
        }
    }
    overlay
        .groups
        .iter()
        .filter_map(|group| {
            let questions = asked.remove(group.id.as_str())?;
            Some(PermissionGroup {
                id: format!("{prefix}{}", group.id),
                title: match identity {
                    Identity::Provisioner => group.title.clone(),
                    Identity::Reaper => format!("Approved destruction: {}", group.title),
                },
                questions: questions
                    .into_iter()
                    .map(|((resource, context), actions)| PermissionQuestion {
                        identity,
                        actions: actions.into_iter().collect(),
                        resource,
                        context,
                        expect_allowed: true,
                    })
                    .collect(),
            })
        })
        .collect()
}

/// Asks for Cloud Control in the other regions too: a region that was chosen
/// after the roles were made is denied by them, and a plan must not be the first
/// to find out.
fn ask_in_every_region(place: &Place, groups: &mut [PermissionGroup]) {
    let Some(group) = groups.iter_mut().find(|group| group.id == "cloud-control") else {
        return;
    };
    let asked = group.questions.clone();
    for region in place.other_regions() {
        group.questions.extend(asked.iter().map(|question| {
            let mut question = question.clone();
            question
                .context
                .insert(REGION.to_owned(), vec![region.to_owned()]);
            question
        }));
    }
}

const REGION: &str = "aws:RequestedRegion";

fn ask<'a>(
    place: &Place,
    identity: Identity,
    group: &'a str,
    action: &str,
    asked: &mut BTreeMap<&'a str, Questions>,
) {
    let overlay = tables::overlay();
    let scopes: Vec<&'a Scope> = scopes_of(action, identity)
        .iter()
        .filter_map(|index| overlay.scopes.get(*index))
        .collect();
    for scope in scopes {
        let group = scope.group.as_deref().unwrap_or(group);
        for example in scope.examples_of(action) {
            let context = context(place, &scope.context);
            asked
                .entry(group)
                .or_default()
                .entry((place.fill(example), context))
                .or_default()
                .insert(action.to_owned());
        }
    }
}

/// Every real call carries its region.
fn context(place: &Place, keys: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let mut context: BTreeMap<String, Vec<String>> = keys
        .iter()
        .map(|(key, values)| (key.clone(), place.fill_all(values)))
        .collect();
    context
        .entry(REGION.to_owned())
        .or_insert_with(|| vec![place.region().to_owned()]);
    context
}

fn refused(place: &Place, with_reaper: bool) -> Vec<PermissionGroup> {
    tables::refusals()
        .groups
        .iter()
        .filter(|group| with_reaper || group.identity == Identity::Provisioner)
        .map(|group| PermissionGroup {
            id: group.id.clone(),
            title: group.title.clone(),
            questions: group
                .questions
                .iter()
                .map(|question| PermissionQuestion {
                    identity: group.identity,
                    actions: question.actions.clone(),
                    resource: place.fill(&question.resource),
                    context: context(place, &question.context),
                    expect_allowed: false,
                })
                .collect(),
        })
        .collect()
}
