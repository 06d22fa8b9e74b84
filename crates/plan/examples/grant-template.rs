//! Prints a grant as JSON on stdout, for reviewers and for tools that test it.
//!
//!     cargo run -p landfall-plan --example grant-template -- \
//!         --account 123456789012 --principal arn:aws:iam::210987654321:role/landfall \
//!         [--external-id ID] [--region REGION]... [--partition aws] \
//!         [--connection ID] [--without-reaper] [--spec | --session TYPE IDENTIFIER]
//!
//! It prints the CloudFormation template; with `--spec` everything: template,
//! roles, boundary and the questions that the checks ask; with `--session` the
//! policy that narrows the reaper to one resource (in the first region).

use landfall_model::{
    Timestamp,
    connection::{Aws, AwsAccess, Connection, Partition, State, Target},
    grant::ServerPrincipal,
    graph::Address,
    retained::{self, Reason, Retained},
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
    session: Option<(String, String)>,
}

/// A made-up id of some noun, the same every time.
fn id<T: std::str::FromStr<Err: std::fmt::Display>>(prefix: &str) -> Result<T, String> {
    parse(&format!("{prefix}_{:0>32}", "1"))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{error}"))
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
        session: None,
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
            "--session" => options.session = Some((value()?, value()?)),
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if options.account.is_empty() || options.principal.is_empty() {
        return Err("--account and --principal are needed".to_owned());
    }
    Ok(options)
}

fn connection(options: &Options) -> Result<Connection, String> {
    let never = Timestamp::from_millis(0);
    Ok(Connection {
        id: parse(&options.connection)?,
        organization_id: id("org")?,
        name: "example".to_owned(),
        target: Target::Aws(Aws {
            account_id: parse(&options.account)?,
            partition: options
                .partition
                .parse::<Partition>()
                .map_err(|()| format!("there is no partition {}", options.partition))?,
            access: AwsAccess::AssumeRole,
        }),
        migration: None,
        left_behind: None,
        rotation: None,
        external_id: options.external_id.clone(),
        default_region: options.regions.first().cloned(),
        regions: options.regions.clone(),
        with_reaper: options.with_reaper,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: never },
        created_at: never,
        updated_at: never,
        version: 1,
    })
}

fn retained(
    connection: &Connection,
    type_name: &str,
    identifier: &str,
) -> Result<Retained, String> {
    Ok(Retained {
        id: id("ret")?,
        organization_id: connection.organization_id.clone(),
        connection_id: connection.id.clone(),
        environment_id: id("env")?,
        environment_name: "example".to_owned(),
        address: Address::new("example"),
        type_name: type_name.to_owned(),
        title: "example".to_owned(),
        identifier: identifier.to_owned(),
        account_id: connection.scope().to_owned(),
        region: connection
            .default_region
            .clone()
            .unwrap_or_else(|| "us-east-1".to_owned()),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since: connection.created_at,
        monthly_cents: None,
        state: retained::State::Retained,
        version: 1,
    })
}

fn run() -> Result<String, String> {
    let options = options()?;
    let connection = connection(&options)?;
    let principal = ServerPrincipal::Aws {
        arn: options.principal,
    };
    let account = connection.aws().map_err(|error| error.to_string())?;
    let grant = aws::grant(account, &principal).map_err(|error| error.to_string())?;
    let printed = if let Some((type_name, identifier)) = &options.session {
        let retained = retained(&connection, type_name, identifier)?;
        let policy = aws::reaper_session_policy(&retained, account.partition())
            .map_err(|error| error.to_string())?;
        serde_json::to_string(&policy)
    } else if options.spec {
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
