//! Prints a grant as JSON on stdout, for reviewers and for tools that test it.
//!
//!     cargo run -p landfall-plan --example grant-template -- \
//!         --account 123456789012 --principal arn:aws:iam::210987654321:role/landfall \
//!         [--external-id ID] [--region REGION]... [--partition aws] \
//!         [--connection ID] [--without-reaper] [--spec]
//!
//! Without `--spec` it prints the CloudFormation template, with it everything:
//! template, roles, boundary and the questions that the checks ask.

use landfall_model::{
    Timestamp,
    connection::{Cloud, Connection, Method, Partition, State},
    grant::ServerPrincipal,
};
use landfall_plan::policy::aws;
use std::process::ExitCode;

struct Options {
    account: String,
    principal: String,
    external_id: String,
    regions: Vec<String>,
    partition: String,
    connection: String,
    with_reaper: bool,
    spec: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        account: String::new(),
        principal: String::new(),
        external_id: "landfall-example".to_owned(),
        regions: Vec::new(),
        partition: "aws".to_owned(),
        connection: format!("con_{:0>32}", "1a2b3c4d"),
        with_reaper: true,
        spec: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--account" => options.account = value()?,
            "--principal" => options.principal = value()?,
            "--external-id" => options.external_id = value()?,
            "--region" => options.regions.push(value()?),
            "--partition" => options.partition = value()?,
            "--connection" => options.connection = value()?,
            "--without-reaper" => options.with_reaper = false,
            "--spec" => options.spec = true,
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if options.account.is_empty() || options.principal.is_empty() {
        return Err("--account and --principal are needed".to_owned());
    }
    Ok(options)
}

fn run() -> Result<String, String> {
    let options = options()?;
    let partition = |text: &str| {
        text.parse::<Partition>()
            .map_err(|()| format!("there is no partition {text}"))
    };
    let connection = Connection {
        id: options
            .connection
            .parse()
            .map_err(|error| format!("{error}"))?,
        organization_id: format!("org_{:0>32}", "1")
            .parse()
            .map_err(|error| format!("{error}"))?,
        name: "example".to_owned(),
        cloud: Cloud::Aws,
        method: Method::AssumeRole,
        account_id: options
            .account
            .parse()
            .map_err(|error| format!("{error}"))?,
        partition: partition(&options.partition)?,
        external_id: options.external_id,
        default_region: options.regions.first().cloned(),
        regions: options.regions,
        with_reaper: options.with_reaper,
        grant_version: None,
        grant_digest: None,
        state: State::Pending {
            since: Timestamp::from_millis(0),
        },
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        version: 1,
    };
    let principal = ServerPrincipal {
        arn: options.principal,
    };
    let grant = aws::grant(&connection, &principal).map_err(|error| error.to_string())?;
    let printed = if options.spec {
        serde_json::to_string_pretty(&grant)
    } else {
        serde_json::to_string_pretty(&grant.template)
    };
    printed.map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("grant-template: {error}");
            ExitCode::from(2)
        }
    }
}
