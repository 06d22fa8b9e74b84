//! Topics, queues and subscriptions.

use super::Rules;
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::types::{Model, TypeInfo, set_default};

const TOPIC: &str = "AWS::SNS::Topic";
const SUBSCRIPTION: &str = "AWS::SNS::Subscription";
const TOPIC_POLICY: &str = "AWS::SNS::TopicInlinePolicy";
const QUEUE: &str = "AWS::SQS::Queue";
const QUEUE_POLICY: &str = "AWS::SQS::QueueInlinePolicy";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        TOPIC => &Topic,
        SUBSCRIPTION => &Subscription,
        QUEUE => &Queue,
        TOPIC_POLICY => &Policy {
            holder: TOPIC,
            property: "TopicArn",
        },
        QUEUE_POLICY => &Policy {
            holder: QUEUE,
            property: "Queue",
        },
        _ => return None,
    })
}

struct Topic;

impl Rules for Topic {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("TopicName") {
            model.insert("TopicName".into(), env.name("topic").into());
        }
        let arn = self.arn(env, model);
        set_default(model, "TopicArn", arn);
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        env.arn("sns", text(model, "TopicName").unwrap_or("*"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(SUBSCRIPTION, "TopicArn"), (TOPIC_POLICY, "TopicArn")]
    }
}

struct Subscription;

impl Rules for Subscription {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let topic = text(model, "TopicArn").unwrap_or_default();
        let arn = format!("{topic}:{}", env.uuid());
        set_default(model, "Arn", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let topic = text(model, "TopicArn").unwrap_or_default();
        if env.exists(TOPIC, topic) {
            return Ok(());
        }
        Err(Failure::not_found(env.service_message(
            "Sns",
            404,
            "Topic does not exist",
        )))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "TopicArn").map_or_else(|| env.arn("sns", "*"), str::to_owned)
    }
}

struct Queue;

impl Rules for Queue {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("QueueName") {
            model.insert("QueueName".into(), env.name("queue").into());
        }
        let name = text(model, "QueueName").unwrap_or_default().to_owned();
        let (account, region) = (&env.place.account, &env.place.region);
        let url = format!("https://sqs.{region}.amazonaws.com/{account}/{name}");
        let arn = self.arn(env, model);
        set_default(model, "QueueUrl", url);
        set_default(model, "Arn", arn);
        set_default(model, "DelaySeconds", 0);
        set_default(model, "MaximumMessageSize", 1_048_576);
        set_default(model, "MessageRetentionPeriod", 345_600);
        set_default(model, "ReceiveMessageWaitTimeSeconds", 0);
        set_default(model, "VisibilityTimeout", 30);
        set_default(model, "SqsManagedSseEnabled", true);
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        env.arn("sqs", text(model, "QueueName").unwrap_or("*"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(QUEUE_POLICY, "Queue")]
    }
}

/// The one policy of a topic or queue.
struct Policy {
    holder: &'static str,
    property: &'static str,
}

impl Rules for Policy {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, _: &mut Model) {}

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let given = text(model, self.property).unwrap_or_default();
        if env.exists(self.holder, given) {
            return Ok(());
        }
        Err(Failure::not_found(format!("{given} does not exist.")))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let given = text(model, self.property).unwrap_or("*");
        env.find(self.holder, given)
            .and_then(|holder| {
                ["Arn", "TopicArn"]
                    .iter()
                    .find_map(|name| text(&holder.properties, name).map(str::to_owned))
            })
            .unwrap_or_else(|| given.to_owned())
    }
}
