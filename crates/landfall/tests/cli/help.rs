//! What the help says is a promise; changing it shows in review.

use crate::{harness::process::landfall, run::Ran};
use std::collections::BTreeMap;

/// The help of the binary and of every command below it, by its path.
pub async fn all() -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut todo = vec![String::new()];
    while let Some(path) = todo.pop() {
        let mut command = landfall();
        command.args(path.split_whitespace()).arg("--help");
        let help = Ran::of(command, format!("{path} --help")).await.exits(0);
        assert_eq!(help.stderr, "");
        for name in below(&help.stdout) {
            todo.push(format!("{path} {name}").trim().to_owned());
        }
        texts.insert(path, help.stdout);
    }
    texts
}

/// The names in the list of commands.
pub fn below(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[tokio::test]
async fn every_command_says_what_it_does() {
    let text: String = all()
        .await
        .into_iter()
        .map(|(path, help)| format!("=== landfall {path}\n{help}\n"))
        .collect();
    insta::assert_snapshot!(text);
}
