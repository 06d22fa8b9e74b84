//! What a type's rules see of the world.

use super::failure::Failure;
use super::iam_backed;
use super::state::{OperationKind, Region, Resource};
use crate::clock::SimTime;
use crate::rng::Rng;
use crate::types::Model;
use crate::world::{Account, World};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;

/// The region that holds resources without a region.
pub(crate) const GLOBAL: &str = "global";

/// An account and a region of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub account: String,
    pub region: String,
}

impl Place {
    pub(crate) fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            region: region.into(),
        }
    }

    /// Where resources of a type live when asked for from here.
    pub(crate) fn home(&self, type_name: &str) -> Place {
        let global = ["AWS::IAM::", "AWS::Route53::", "AWS::CloudFront::"]
            .iter()
            .any(|prefix| type_name.starts_with(prefix));
        Place {
            account: self.account.clone(),
            region: if global { GLOBAL } else { &self.region }.to_owned(),
        }
    }
}

/// A read-only view from one account and region, with randomness for ids.
pub(crate) struct Env<'a> {
    pub world: &'a World,
    pub place: &'a Place,
    /// The simulated time at which things happen; not always now, since
    /// effects are computed when somebody looks.
    pub at: SimTime,
    rng: RefCell<Rng>,
}

impl<'a> Env<'a> {
    pub(crate) fn new(world: &'a World, place: &'a Place, at: SimTime) -> Self {
        Self {
            world,
            place,
            at,
            rng: RefCell::new(world.rng.clone()),
        }
    }

    /// The randomness as it is after this view drew from it.
    pub(crate) fn into_rng(self) -> Rng {
        self.rng.into_inner()
    }

    pub(crate) fn account(&self) -> Option<&'a Account> {
        self.world.accounts.get(&self.place.account)
    }

    fn region(&self, name: &str) -> Option<&'a Region> {
        self.account()?.cloudcontrol.get(name)
    }

    pub(crate) fn home(&self, type_name: &str) -> Option<&'a Region> {
        self.region(&self.place.home(type_name).region)
    }

    pub(crate) fn find(&self, type_name: &str, identifier: &str) -> Option<Cow<'a, Resource>> {
        if iam_backed::keeps(type_name) {
            return iam_backed::find(self, type_name, identifier).map(Cow::Owned);
        }
        self.home(type_name)?
            .resource(type_name, identifier)
            .map(Cow::Borrowed)
    }

    /// Resources of a type, in order of their identifiers.
    pub(crate) fn all(&self, type_name: &str) -> Vec<Cow<'a, Resource>> {
        if iam_backed::keeps(type_name) {
            return iam_backed::all(self, type_name)
                .into_iter()
                .map(Cow::Owned)
                .collect();
        }
        self.home(type_name)
            .and_then(|region| region.resources.get(type_name))
            .into_iter()
            .flat_map(|by_id| by_id.values())
            .map(Cow::Borrowed)
            .collect()
    }

    /// Whether something can be referred to: it exists and is not on its way out.
    pub(crate) fn exists(&self, type_name: &str, identifier: &str) -> bool {
        self.find(type_name, identifier).is_some()
            && self
                .home(type_name)
                .and_then(|region| region.in_flight(type_name, identifier))
                .is_none_or(|change| change.kind != OperationKind::Delete)
    }

    /// The first resource that names `value` at one of these places.
    pub(crate) fn user_of(&self, value: &str, places: &[(&str, &str)]) -> Option<String> {
        places.iter().find_map(|(type_name, path)| {
            self.all(type_name).into_iter().find_map(|resource| {
                let used = [&resource.properties, &resource.hidden]
                    .into_iter()
                    .any(|model| strings(model, path).contains(&value));
                used.then(|| resource.identifier.clone())
            })
        })
    }

    pub(crate) fn hex(&self, len: usize) -> String {
        self.rng.borrow_mut().hex(len)
    }

    pub(crate) fn uuid(&self) -> String {
        self.rng.borrow_mut().uuid()
    }

    pub(crate) fn text(&self, len: usize, alphabet: &[u8]) -> String {
        self.rng.borrow_mut().text(len, alphabet)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.rng.borrow_mut().below(bound)
    }

    /// A name as CloudFormation makes them up for a resource without one.
    pub(crate) fn name(&self, stem: &str) -> String {
        let suffix = self.text(
            12,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        );
        format!("{stem}-{suffix}")
    }

    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        let Place { account, region } = self.place;
        format!("arn:aws:{service}:{region}:{account}:{rest}")
    }

    pub(crate) fn global_arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}::{}:{rest}", self.place.account)
    }

    /// A message as it comes out of a handler that called another service.
    pub(crate) fn service_message(&self, service: &str, status: u16, message: &str) -> String {
        format!(
            "{message} (Service: {service}, Status Code: {status}, Request ID: {}) \
             (SDK Attempt Count: 1)",
            self.uuid()
        )
    }

    /// EC2 says that something does not exist.
    pub(crate) fn ec2_missing(&self, noun: &str, identifier: &str) -> Failure {
        Failure::not_found(self.service_message(
            "Ec2",
            400,
            &format!("The {noun} '{identifier}' does not exist"),
        ))
    }

    pub(crate) fn ec2_invalid(&self, message: &str) -> Failure {
        Failure::invalid(self.service_message("Ec2", 400, message))
    }
}

/// A string property.
pub(crate) fn text<'m>(model: &'m Model, name: &str) -> Option<&'m str> {
    model.get(name).and_then(Value::as_str)
}

pub(crate) fn flag(model: &Model, name: &str) -> bool {
    match model.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// Every string at a path, through lists.
pub(crate) fn strings<'m>(model: &'m Model, path: &str) -> Vec<&'m str> {
    fn walk<'m>(value: &'m Value, rest: &[&str], found: &mut Vec<&'m str>) {
        match (value, rest.split_first()) {
            (Value::Array(items), Some((first, tail))) => {
                let rest = if *first == "*" { tail } else { rest };
                items.iter().for_each(|item| walk(item, rest, found));
            }
            (Value::Array(items), None) => items.iter().for_each(|item| walk(item, rest, found)),
            (Value::Object(map), Some((first, rest))) => {
                if let Some(inner) = map.get(*first) {
                    walk(inner, rest, found);
                }
            }
            (Value::String(text), None) => found.push(text),
            _ => {}
        }
    }
    let segments: Vec<&str> = path.split('/').collect();
    let mut found = Vec::new();
    if let Some((first, rest)) = segments.split_first()
        && let Some(value) = model.get(*first)
    {
        walk(value, rest, &mut found);
    }
    found
}
