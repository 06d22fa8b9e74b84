//! One customer's journey, with every command of a client in both forms.

use crate::{
    harness::{
        PATIENCE,
        cloud::{Cloud, Weather},
        customer,
        postgres::Database,
        process::{Process, landfall},
        server::{Launch, Server, Started, admin_token},
    },
    help,
    run::{Cli, Form},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, time::Duration};

const SCORE: &str = include_str!("../../../../examples/shop/web.score.yaml");
const SHOP: &str = "shop/production";

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

async fn server(folder: &Path, cloud: &Cloud) -> Box<Server> {
    let started = Server::start(folder, cloud, &Database::Sqlite, &Launch::default()).await;
    match started.unwrap() {
        Started::Answering(server) => server,
        Started::Killed => panic!("nobody killed it"),
    }
}

#[tokio::test]
async fn a_customer_gets_everything_done_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path(), Weather::default())
        .await
        .unwrap();
    let server = server(folder.path(), &cloud).await;
    says_where_it_is(&server, folder.path());

    let token_file = folder.path().join("data/admin-token");
    let cli = Cli::new(&server.url, token_file, folder.path().to_owned());
    connect(&cli, &cloud).await;
    describe(&cli).await;
    let plan = plan_and_approve(&cli).await;
    roll_out(&cli, &plan).await;
    fail_and_resume(&cli, &cloud).await;
    retain(&cli).await;
    people(&cli).await;
    refusals(&cli, &cloud).await;
    leave(&cli).await;
    nothing_was_left_out(&cli).await;
}

/// One JSON object; where the token is, and not the token.
fn says_where_it_is(server: &Server, folder: &Path) {
    let ready = &server.ready;
    assert!(text(ready, "/url").starts_with("http://127.0.0.1:"));
    let file = Path::new(text(ready, "/admin_token_file"));
    assert_eq!(file, folder.join("data/admin-token"));
    assert!(file.starts_with(text(ready, "/data_dir")));
    let token = admin_token(folder).unwrap();
    assert!(!ready.to_string().contains(&token));
}

async fn connect(cli: &Cli, cloud: &Cloud) {
    let accounts = cloud.ready["aws"]["accounts"].as_array().unwrap();
    let customers: Vec<&str> = accounts
        .iter()
        .filter(|one| one["role"] == "customer")
        .map(|one| text(one, "/id"))
        .collect();

    let args = ["--account", customers[0], "--name", "main", "--no-wait"];
    let created = cli.json("connect aws", &args).await;
    let link = text(&created, "/grant/ways/0/url");
    let args = ["--account", customers[1], "--name", "spare", "--no-wait"];
    let said = cli.human("connect aws", &args).await;
    assert!(said.contains("create the stack"), "{said}");

    // A second one in the same account is a conflict.
    let args = ["--account", customers[0], "--name", "again"];
    let refused = cli.run(Form::Json, "connect aws", &args).await.exits(5);
    assert_eq!(refused.stdout, "");

    customer::aws::create_stack(link, customers[0])
        .await
        .unwrap();
    wait_until(cli, "connections show", &["main"], |shown| {
        shown["connection"]["state"]["status"] == "connected"
    })
    .await;
    // This server has no issuer: the keyless methods are refused, and why.
    const SOME: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    for form in [Form::Json, Form::Human] {
        for (command, args) in [
            ("connect gcp", &["--project", "my-project-123"][..]),
            (
                "connect azure",
                &["--tenant", SOME, "--subscription", SOME][..],
            ),
            ("connections migrate", &["main", "--method", "oidc"][..]),
        ] {
            let refused = cli.run(form, command, args).await.exits(2);
            let said = &refused.stderr;
            assert!(said.contains("connection-method-unavailable"), "{said}");
        }
        let refused = cli
            .run(form, "connections rotate", &["main"])
            .await
            .exits(5);
        assert!(
            refused.stderr.contains("has no secret"),
            "{}",
            refused.stderr
        );
    }
    let (shown, said) = cli.both("connections show", &["main", "--grant"]).await;
    assert!(shown["checks"]["checks"].as_array().unwrap().len() >= 15);
    assert!(said.contains("aws.external-id-enforced"), "{said}");
    let (listed, said) = cli.both("connections list", &[]).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(said.contains("spare"), "{said}");
    cli.both("connections verify", &["main"]).await;
    let (_, said) = cli.both("connections regions", &["main"]).await;
    assert!(said.contains("eu-central-1"), "{said}");
    let args = ["main", "--default-region", "eu-central-1"];
    let (updated, _) = cli.both("connections update", &args).await;
    assert_eq!(text(&updated, "/default_region"), "eu-central-1");
}

async fn describe(cli: &Cli) {
    std::fs::write(cli.folder.join("web.yaml"), SCORE).unwrap();
    cli.json("apps create", &["shop"]).await;
    let said = cli.human("apps create", &["blog"]).await;
    assert!(said.contains("landfall apps push blog"), "{said}");
    let (pushed, _) = cli.both("apps push", &["shop", "web.yaml"]).await;
    assert!(pushed["workloads"]["web"].is_object(), "{pushed}");
    cli.json("apps push", &["blog", "web.yaml"]).await;
    cli.both("apps list", &[]).await;
    let (_, said) = cli.both("apps show", &["shop"]).await;
    assert!(said.contains("score.dev/v1b1"), "{said}");
    cli.json("apps remove", &["blog", "web"]).await;
    cli.json("apps push", &["blog", "web.yaml"]).await;
    cli.human("apps remove", &["blog", "web"]).await;

    // A mistake is said with its line.
    std::fs::write(
        cli.folder.join("bad.yaml"),
        SCORE.replace("image:", "picture:"),
    )
    .unwrap();
    cli.run(Form::Human, "apps push", &["shop", "bad.yaml"])
        .await
        .exits(2)
        .says("line ");

    let args = [SHOP, "--connection", "main", "--approval", "manual"];
    let made = cli.json("environments create", &args).await;
    assert_eq!(text(&made, "/name"), "production");
    for (form, name) in [(Form::Human, "shop/one"), (Form::Json, "shop/two")] {
        let args = [name, "--connection", "main", "--kind", "development"];
        cli.run(form, "environments create", &args).await.exits(0);
    }
    cli.both("environments list", &[]).await;
    cli.both("environments show", &[SHOP]).await;
    cli.both("environments update", &[SHOP, "--replicas", "2"])
        .await;
    let (_, said) = cli.both("environments resources", &[SHOP]).await;
    assert!(said.contains("Nothing is in the account yet"), "{said}");
    cli.human("environments delete", &["shop/one"]).await;
    cli.json("environments delete", &["shop/two"]).await;
    cli.human("apps delete", &["blog"]).await;
    cli.json("apps create", &["gone"]).await;
    cli.json("apps delete", &["gone"]).await;
}

/// Returns the approved plan's id.
async fn plan_and_approve(cli: &Cli) -> String {
    let (_, said) = cli.both("plan", &[SHOP]).await;
    for part in ["48 to create", "a month", "Next: landfall approve"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    // Without a person at the terminal a deploy ends where one is needed; what
    // that person needs is the result.
    let stopped = cli.run(Form::Json, "deploy", &[SHOP]).await.exits(6);
    let plan = stopped.json();
    let (id, digest) = (text(&plan, "/id"), text(&plan, "/digest"));
    assert!(stopped.stderr.contains(digest), "{}", stopped.stderr);
    cli.run(Form::Human, "deploy", &[SHOP])
        .await
        .exits(6)
        .says("48 to create");

    cli.run(Form::Human, "approve", &[id])
        .await
        .exits(2)
        .says(digest);
    let wrong = ["--digest", "sha256:0"];
    cli.run(Form::Human, "approve", &[id, wrong[0], wrong[1]])
        .await
        .exits(5)
        .says("plan-digest-mismatch");
    let said = cli.human("approve", &[id, "--digest", digest]).await;
    assert!(said.contains(&format!("landfall approve {id} --deploy")));
    assert!(!said.contains("deploy the environment"), "{said}");

    // Once more changes nothing, and an approval is still of one digest.
    let again = cli.json("approve", &[id]).await;
    assert_eq!(text(&again, "/state/status"), "approved");
    cli.run(Form::Human, "approve", &[id, wrong[0], wrong[1]])
        .await
        .exits(5)
        .says("plan-digest-mismatch");
    id.to_owned()
}

/// The advice is followed; then the rollout is canceled twice, and goes on.
async fn roll_out(cli: &Cli, plan: &str) {
    let canceled = cancel(cli, Form::Json, &["approve", plan, "--deploy"]).await;
    let id = text(&canceled, "/rollout/id");
    cli.human("rollouts list", &[]).await;
    cancel(cli, Form::Human, &["rollouts", "resume", id]).await;
    for form in [Form::Human, Form::Json] {
        cli.run(form, "rollouts watch", &[id])
            .await
            .exits(6)
            .says("the rollout canceled");
    }

    let done = cli.json("rollouts resume", &[id]).await;
    assert_eq!(text(&done, "/rollout/state/status"), "succeeded");
    let (shown, said) = cli.both("rollouts show", &[id]).await;
    assert_eq!(shown["done"], shown["total"]);
    assert!(said.contains(text(&shown, "/endpoints/web")), "{said}");
    let (there, _) = cli.both("environments resources", &[SHOP]).await;
    assert!(there.as_array().unwrap().len() >= 35);

    // What is over cannot be canceled any more.
    cli.run(Form::Human, "rollouts cancel", &[id])
        .await
        .exits(5)
        .says("rollout-state");
    let said = cli.human("deploy", &[SHOP]).await;
    assert!(said.contains("Nothing to do"), "{said}");
}

/// Cancels the rollout that `starting` follows; returns what that printed.
async fn cancel(cli: &Cli, form: Form, starting: &[&str]) -> Value {
    let mut command = landfall();
    command
        .args(["--server", &cli.server, "--token-file"])
        .arg(&cli.token_file)
        .args(starting)
        .args(["--output", "json"]);
    let mut following = Process::start(command, &cli.folder, "following").unwrap();
    let rollouts = wait_until(cli, "rollouts list", &["--environment", SHOP], |listed| {
        listed[0]["state"]["status"] == "running"
    })
    .await;
    cli.run(form, "rollouts cancel", &[text(&rollouts, "/0/id")])
        .await
        .exits(0);
    let status = following.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(6), "{}", following.log().unwrap());
    let ended: Value = serde_json::from_str(&following.output().unwrap()).unwrap();
    assert_eq!(text(&ended, "/rollout/state/status"), "canceled");
    ended
}

/// An update that the cloud fails once, of what a plan says is changed.
async fn fail_and_resume(cli: &Cli, cloud: &Cloud) {
    let args = [SHOP, "--replicas", "3", "--approval", "automatic"];
    cli.json("environments update", &args).await;
    let said = cli.human("plan", &[SHOP]).await;
    for part in ["/DesiredCount: 2 → 3", "--deploy"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let fault = json!({
        "kind": "fail", "code": "InvalidRequest",
        "match": { "operation": "UpdateResource", "type": "AWS::ECS::Service" },
    });
    cloud.post("faults", fault).await.unwrap();
    let failed = cli.run(Form::Json, "deploy", &[SHOP]).await.exits(6);
    let progress = failed.json();
    assert_eq!(text(&progress, "/rollout/state/status"), "failed");
    let id = text(&progress, "/rollout/id");
    let said = cli.human("rollouts show", &[id]).await;
    assert!(said.contains("landfall rollouts resume"), "{said}");
    let said = cli.human("rollouts resume", &[id]).await;
    assert!(said.contains("succeeded"), "{said}");
    let (watched, _) = cli.both("rollouts watch", &[id]).await;
    assert_eq!(text(&watched, "/rollout/state/status"), "succeeded");
}

/// Deleted in Landfall, still in the account; then two are destroyed by name.
async fn retain(cli: &Cli) {
    cli.json("environments delete", &[SHOP]).await;
    let (listed, _) = cli.both("retained list", &["--all"]).await;
    let id_of = |type_name: &str| {
        let items = listed.as_array().unwrap().iter();
        let found = items.clone().find(|one| one["type_name"] == type_name);
        let found = found.unwrap_or_else(|| panic!("no {type_name}"));
        let identifier = text(found, "/identifier").to_owned();
        (text(found, "/id").to_owned(), identifier)
    };
    let (bucket, name) = id_of("AWS::S3::Bucket");
    cli.run(Form::Human, "retained destroy", &[&bucket])
        .await
        .exits(2)
        .says("--confirm");
    cli.run(
        Form::Human,
        "retained destroy",
        &[&bucket, "--confirm", "x"],
    )
    .await
    .exits(2)
    .says("retained-name-mismatch");
    let args = [bucket.as_str(), "--confirm", &name];
    let gone = cli.json("retained destroy", &args).await;
    assert_eq!(text(&gone, "/state/status"), "destroyed");
    let (repository, name) = id_of("AWS::ECR::Repository");
    let args = [repository.as_str(), "--confirm", &name];
    let said = cli.human("retained destroy", &args).await;
    assert!(said.contains("destroyed"), "{said}");

    let (group, name) = id_of("AWS::Logs::LogGroup");
    let args = [group.as_str(), "--confirm", &name];
    cli.json("retained forget", &args).await;
    let (role, name) = id_of("AWS::IAM::Role");
    let args = [role.as_str(), "--confirm", &name];
    cli.human("retained forget", &args).await;
}

async fn people(cli: &Cli) {
    let one = cli.json("members add", &["Ada", "--role", "viewer"]).await;
    let id = text(&one, "/id");
    cli.human("members add", &["Bob"]).await;
    let (members, _) = cli.both("members list", &[]).await;
    let bob = members
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "Bob")
        .unwrap();
    cli.both("members set-role", &[id, "member"]).await;
    cli.json("members remove", &[id]).await;
    cli.human("members remove", &[text(bob, "/id")]).await;

    let made = cli.json("tokens create", &["ci", "--role", "viewer"]).await;
    let secret = text(&made, "/secret");
    let viewer = cli.folder.join("viewer-token");
    std::fs::write(&viewer, secret).unwrap();
    let said = cli.human("tokens create", &["other"]).await;
    assert!(said.trim().starts_with("lf_"), "{said}");
    let (tokens, said) = cli.both("tokens list", &[]).await;
    assert!(!said.contains(secret) && !tokens.to_string().contains(secret));
    let id_of = |name: &str| -> String {
        let tokens = tokens.as_array().unwrap().iter();
        let found = tokens.clone().find(|one| one["name"] == name);
        text(found.unwrap(), "/id").to_owned()
    };

    // A Viewer reads, and changes nothing.
    let theirs = Cli::new(&cli.server, viewer, cli.folder.clone());
    theirs.human("apps list", &[]).await;
    theirs
        .run(Form::Json, "apps create", &["theirs"])
        .await
        .exits(4)
        .says("forbidden");
    cli.json("tokens revoke", &[&id_of("ci")]).await;
    cli.human("tokens revoke", &[&id_of("other")]).await;
    theirs
        .run(Form::Human, "apps list", &[])
        .await
        .exits(4)
        .says("more: landfall explain");

    let (entries, _) = cli.both("audit list", &["--limit", "500"]).await;
    assert!(entries.as_array().unwrap().len() > 20);
    cli.both("audit verify", &[]).await;
    cli.both("explain", &["forbidden"]).await;
}

/// The codes that scripts go by, beyond those met on the way.
async fn refusals(cli: &Cli, cloud: &Cloud) {
    // Something answers there, and is not Landfall.
    let elsewhere = Cli::new(cloud.endpoint(), cli.token_file.clone(), cli.folder.clone());
    let table: [(&Cli, i32, &str, &[&str]); 8] = [
        (&elsewhere, 1, "apps list", &[]),
        (cli, 2, "apps list", &["--no-such-option"]),
        (cli, 2, "apps create", &["Not A Name"]),
        (cli, 2, "apps push", &["shop", "no-such-file.yaml"]),
        (
            cli,
            2,
            "environments create",
            &["nothing", "--connection", "main"],
        ),
        (cli, 3, "apps show", &["no-such-app"]),
        (cli, 3, "approve", &["pln_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"]),
        (cli, 5, "apps create", &["shop"]),
    ];
    for (cli, code, command, args) in table {
        for form in [Form::Human, Form::Json] {
            let refused = cli.run(form, command, args).await.exits(code);
            assert_eq!(refused.stdout, "", "{command}: a refusal is no data");
            assert!(refused.stderr.starts_with("error"), "{}", refused.stderr);
        }
    }
}

async fn leave(cli: &Cli) {
    let left = cli.json("connections disconnect", &["main"]).await;
    assert!(left["remaining"].as_array().unwrap().len() >= 35);
    let said = cli.human("connections disconnect", &["spare"]).await;
    assert!(said.contains("delete the stack"), "{said}");
}

async fn wait_until(
    cli: &Cli,
    command: &str,
    args: &[&str],
    done: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..600 {
        let value = cli.json(command, args).await;
        if done(&value) {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{command} {args:?} never came to that");
}

/// Every command that talks to a server was called in both forms.
async fn nothing_was_left_out(cli: &Cli) {
    const LOCAL: [&str; 8] = [
        "demo",
        "server",
        "sandbox",
        "organizations",
        "issuer",
        "vault",
        "doctor",
        "completions",
    ];
    let wanted: BTreeSet<(String, Form)> = help::all()
        .await
        .into_iter()
        .filter(|(path, help)| !path.is_empty() && help::below(help).is_empty())
        .filter(|(path, _)| !LOCAL.contains(&path.split(' ').next().unwrap_or_default()))
        .flat_map(|(path, _)| [(path.clone(), Form::Human), (path, Form::Json)])
        .collect();
    assert!(wanted.len() > 60, "{wanted:?}");
    let called = cli.called();
    let left_out: Vec<_> = wanted.difference(&called).collect();
    assert!(left_out.is_empty(), "nobody called {left_out:?}");
}
