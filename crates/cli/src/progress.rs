//! Following a rollout: a bar and the resources at work on a terminal, a line
//! for each finished resource elsewhere.

use crate::{
    Context,
    error::{CliError, Result},
    views::human,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use landfall_model::{
    graph::Address,
    id::RolloutId,
    rollout::{NodeState, RolloutProgress, State},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    time::Duration,
};

/// More lines than these would scroll the bar away.
const LINES: usize = 8;

/// Follows a rollout to its end, prints it, and fails if it did.
pub async fn follow(cx: &Context, id: &RolloutId) -> Result<()> {
    let mut display = Display::new(std::io::stderr().is_terminal());
    let progress = loop {
        let progress: RolloutProgress = cx.client.get(&format!("/rollouts/{id}")).await?;
        display.show(&progress);
        if progress.rollout.state.is_over() {
            break progress;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    display.finish();
    cx.output.print(&progress, human::rollout)?;
    match &progress.rollout.state {
        State::Succeeded { .. } => Ok(()),
        other => Err(CliError::Outcome(format!("the rollout {}", other.as_str()))),
    }
}

struct Display {
    bars: Option<(MultiProgress, ProgressBar)>,
    lines: BTreeMap<Address, ProgressBar>,
    reported: BTreeSet<Address>,
    /// Nothing was looked at yet.
    fresh: bool,
}

impl Display {
    fn new(terminal: bool) -> Self {
        let bars = terminal.then(|| {
            let all = MultiProgress::new();
            let total = all.add(ProgressBar::new(0));
            if let Ok(style) =
                ProgressStyle::with_template("{bar:32} {pos}/{len} resources  {elapsed}  {msg}")
            {
                total.set_style(style);
            }
            total.enable_steady_tick(Duration::from_millis(250));
            (all, total)
        });
        Self {
            bars,
            lines: BTreeMap::new(),
            reported: BTreeSet::new(),
            fresh: true,
        }
    }

    fn show(&mut self, progress: &RolloutProgress) {
        if let Some((all, total)) = &self.bars {
            total.set_length(u64::from(progress.total));
            total.set_position(u64::from(progress.done));
            total.set_message(progress.rollout.state.as_str());
            for (address, node) in &progress.nodes {
                let running = matches!(node, NodeState::Running { .. });
                if running && !self.lines.contains_key(address) && self.lines.len() < LINES {
                    let line = all.add(ProgressBar::new_spinner());
                    line.set_message(address.to_string());
                    line.enable_steady_tick(Duration::from_millis(120));
                    self.lines.insert(address.clone(), line);
                } else if !running && let Some(line) = self.lines.remove(address) {
                    line.finish_and_clear();
                }
            }
        }
        for (address, node) in &progress.nodes {
            let line = match node {
                NodeState::Done { identifier, .. } => format!("✓ {address}  {identifier}"),
                NodeState::Retained { identifier, .. } => {
                    format!("… {address}  {identifier} is retained")
                }
                NodeState::Failed { failure, .. } => {
                    format!("✗ {address}  {}", human::failure(failure))
                }
                NodeState::Blocked { by } => format!("- {address}  blocked by {by}"),
                NodeState::Waiting | NodeState::Running { .. } => continue,
            };
            // What was done before anybody followed is no news: an update of one
            // resource would be lost among all that stay.
            let old = self.fresh && matches!(node, NodeState::Done { .. });
            if self.reported.insert(address.clone()) && !old {
                match &self.bars {
                    Some((all, _)) => {
                        // A closed terminal must not end the following.
                        let _ = all.println(line);
                    }
                    None => eprintln!("{line}"),
                }
            }
        }
        self.fresh = false;
    }

    fn finish(&mut self) {
        for line in std::mem::take(&mut self.lines).into_values() {
            line.finish_and_clear();
        }
        if let Some((_, total)) = &self.bars {
            total.finish_and_clear();
        }
    }
}
