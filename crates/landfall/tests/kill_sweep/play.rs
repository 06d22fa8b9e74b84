//! What happens to the server and its cloud in one scenario, before both are
//! compared.

use crate::harness::{
    Dice,
    server::{Boundary, LEASE_SECONDS},
};
use crate::scenario::{Life, Scenario, Subject};
use anyhow::ensure;
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Play {
    /// The first life dies here; the second one recovers and ends the work.
    Once(Boundary),
    /// Every life dies here, counted from its own first commit.
    Chain(Boundary),
    /// Kills at random instants, at most so many; now and then the cloud dies
    /// with the server, or alone.
    Random { seed: u64, kills: u32 },
    /// The cloud does what it was asked and closes the connection without an
    /// answer, so many times for each of these calls.
    AnswersLost { times: u32 },
    /// Creations end as FAILED and leave what they made.
    FailedWithIdentifier,
    /// Every life dies at this boundary, and the next begins 37 hours later.
    DaysLater(Boundary),
}

impl std::fmt::Display for Play {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Once(boundary) => write!(f, "killed {boundary}"),
            Self::Chain(boundary) => write!(f, "killed {boundary}, again and again"),
            Self::Random { seed, .. } => write!(f, "killed at random, seed {seed}"),
            Self::AnswersLost { times } => write!(f, "answers lost {times} times"),
            Self::FailedWithIdentifier => f.write_str("failed with an identifier"),
            Self::DaysLater(boundary) => write!(f, "killed {boundary}, resumed 37 hours later"),
        }
    }
}

/// How often the server was killed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kills {
    pub boundaries: u32,
    pub random: u32,
}

/// Longer than AWS remembers a token (36 hours).
const LATER: u64 = 37 * 3600;

/// One of each kind: found again by name, by tags, by parent and properties.
const TYPES: &[&str] = &[
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::IAM::Role",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

/// The calls of the work that change the account.
fn mutations(subject: &Subject) -> Vec<(&'static str, Option<&'static str>)> {
    match subject {
        Subject::Rollout => {
            let creations = TYPES.iter().map(|name| ("CreateResource", Some(*name)));
            creations.chain([("UpdateResource", None)]).collect()
        }
        // The protection of the database first, then itself.
        Subject::Destruction { .. } => vec![("UpdateResource", None), ("DeleteResource", None)],
    }
}

/// Plays it and lets the work end.
pub async fn play(play: &Play, scenario: &mut Scenario) -> anyhow::Result<Kills> {
    let mut kills = Kills::default();
    match *play {
        Play::Once(boundary) => {
            if scenario.live_until(boundary).await? == Life::Killed {
                kills.boundaries += 1;
            }
        }
        Play::Chain(boundary) => {
            while scenario.live_until(boundary).await? == Life::Killed {
                kills.boundaries += 1;
                ensure!(kills.boundaries < 1000, "the work does not come nearer");
            }
        }
        Play::Random { seed, kills: most } => kills.random = random(scenario, seed, most).await?,
        Play::AnswersLost { times } => {
            for (operation, type_name) in mutations(scenario.subject()) {
                let cloud = &scenario.cloud;
                cloud
                    .fault("lost_answer", operation, type_name, times)
                    .await?;
            }
            let cloud = &scenario.cloud;
            cloud
                .fault("lost_answer", "GetResourceRequestStatus", None, times)
                .await?;
            scenario.live_to_the_end().await?;
            if let Subject::Destruction { .. } = scenario.subject() {
                // The update may have been over before the faults were made,
                // and how often it polls depends on the machine.
                let left = scenario.cloud.pending_faults().await?;
                ensure!(
                    !left.iter().any(|operation| operation == "DeleteResource"),
                    "no answer of DeleteResource was lost"
                );
            }
        }
        Play::FailedWithIdentifier => {
            for type_name in TYPES {
                let cloud = &scenario.cloud;
                cloud
                    .fault("fail_with_identifier", "CreateResource", Some(type_name), 1)
                    .await?;
            }
            scenario.resume_until_done(5).await?;
            let left = scenario.cloud.pending_faults().await?;
            ensure!(left.is_empty(), "faults that met nobody: {left:?}");
        }
        Play::DaysLater(boundary) => {
            while scenario.live_until(boundary).await? == Life::Killed {
                kills.boundaries += 1;
                ensure!(kills.boundaries < 1000, "the work does not come nearer");
                scenario.sleep_through(LATER).await?;
            }
            // What was given up after many such nights, a person resumes.
            scenario.resume_until_done(10).await?;
        }
    }
    scenario.live_to_the_end().await?;
    Ok(kills)
}

async fn random(scenario: &mut Scenario, seed: u64, most: u32) -> anyhow::Result<u32> {
    let mut dice = Dice::new(seed);
    // The lease of the life before must run out first; a third of the kills
    // falls into that silence, the others into work.
    let longest = Duration::from_secs_f64(LEASE_SECONDS * 3.0).as_millis();
    let longest = u64::try_from(longest)?;
    let mut kills = 0;
    while kills < most {
        let delay = Duration::from_millis(dice.below(longest));
        match dice.below(8) {
            // The cloud cannot be reached for a while, and forgets nothing.
            0 => {
                scenario.cloud.kill().await?;
                let life = scenario.live_for(delay / 2).await;
                scenario.cloud.restart().await?;
                if life? == Life::Done {
                    return Ok(kills);
                }
            }
            // Both die, as with the machine that they run on.
            1 => {
                let life = scenario.live_for(delay).await?;
                scenario.cloud.kill().await?;
                scenario.cloud.restart().await?;
                if life == Life::Done {
                    return Ok(kills);
                }
            }
            _ => {
                if scenario.live_for(delay).await? == Life::Done {
                    return Ok(kills);
                }
            }
        }
        kills += 1;
    }
    Ok(kills)
}
