//! Whether the grant is the current one, and as it was.

use super::{Account, Found, Question, Run, no_session};
use crate::connect::snapshot::{Snapshot, VERSION_TAG, differences, snapshot};
use landfall_model::{check::Check, digest::Digest, driver::Failure, grant::Identity};

pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    pub(super) version: Option<u32>,
    pub(super) digest: Option<Digest>,
}

pub(super) async fn check(run: &Run<'_>, account: Option<&Account>) -> Findings {
    let mut read = None;
    let mut checks = Vec::new();
    let version = Question::new(
        "aws.grant-version",
        "The grant is of the current version",
        format!("the tag {VERSION_TAG} of the granted roles, with iam:GetRole"),
    );
    checks.push(
        run.recorder
            .record(version, async {
                let Some(account) = account else {
                    return no_session();
                };
                let patience = run.recorder.patience();
                let answer = snapshot(&account.iam, patience, run.connection, run.spec).await;
                let found = match &answer {
                    Ok(snapshot) => of_version(run, snapshot),
                    Err(failure) => run.recorder.failed(failure, ""),
                };
                read = Some(answer);
                found
            })
            .await,
    );
    let asked = "trust policy, attached and inline policies, boundary, tags and session limit \
                 of the granted roles";
    let specified = Question::new(
        "aws.grant-as-specified",
        "The granted roles are as the template makes them",
        format!("{asked}, compared with the template"),
    );
    let unchanged = Question::new(
        "aws.grant-unchanged",
        "The granted roles are as they were when they were last verified",
        format!("a digest of {asked}"),
    );
    checks.push(run.recorder.noted(
        specified,
        with(&read, |snapshot| as_specified(run, snapshot)),
    ));
    checks.push(
        run.recorder
            .noted(unchanged, with(&read, |snapshot| as_before(run, snapshot))),
    );
    let snapshot = read.and_then(Result::ok);
    Findings {
        checks,
        version: snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.version(Identity::Provisioner)),
        digest: snapshot.as_ref().map(Snapshot::digest),
    }
}

fn with(read: &Option<Result<Snapshot, Failure>>, judge: impl FnOnce(&Snapshot) -> Found) -> Found {
    match read {
        Some(Ok(snapshot)) => judge(snapshot),
        Some(Err(_)) => Found::skipped("not asked: the roles could not be read"),
        None => no_session(),
    }
}

/// The lowest version on any of the roles; `None` when one has none.
fn lowest(run: &Run<'_>, snapshot: &Snapshot) -> Option<u32> {
    run.spec
        .roles
        .iter()
        .map(|role| snapshot.version(role.identity))
        .min()
        .flatten()
}

fn of_version(run: &Run<'_>, snapshot: &Snapshot) -> Found {
    let current = run.spec.version;
    match lowest(run, snapshot) {
        Some(version) if version == current => Found::pass(format!("version {version}")),
        Some(version) if version < current => Found::warn(
            format!("version {version}; this server's is {current}"),
            "update the stack with the current template, or run the commands again",
        ),
        Some(version) => Found::warn(
            format!("version {version}; this server knows only {current}"),
            "update this Landfall server: a newer one has made or asked for this grant",
        ),
        None => Found::warn(
            format!("a role has no readable tag {VERSION_TAG}"),
            "make the grant again from the current template",
        ),
    }
}

fn as_specified(run: &Run<'_>, snapshot: &Snapshot) -> Found {
    // Another version has other documents: the version's check says so.
    if let Some(version) = lowest(run, snapshot)
        && version != run.spec.version
    {
        return Found::skipped(format!(
            "not compared: the grant is of version {version}, the template of {}",
            run.spec.version
        ));
    }
    let found = differences(run.spec, snapshot);
    if found.is_empty() {
        Found::pass("every document, tag and limit is equal")
    } else if run.connection.grant_digest.as_ref() == Some(&snapshot.digest()) {
        // The account is as it was, so what changed is what is wanted: other
        // regions, or a newer server.
        Found::warn(
            format!(
                "the roles are as they were, and the template is not: {}",
                found.join("; ")
            ),
            "make the grant again from the current template",
        )
    } else {
        Found::warn(
            found.join("; "),
            "if this was not you, somebody else can change IAM in this account; make the grant \
             again to undo it",
        )
    }
}

fn as_before(run: &Run<'_>, snapshot: &Snapshot) -> Found {
    let digest = snapshot.digest();
    match &run.connection.grant_digest {
        None => Found::pass(format!("first look: {}", digest.short())),
        Some(before) if *before == digest => Found::pass(format!("still {}", digest.short())),
        Some(before) => {
            let found = differences(run.spec, snapshot);
            let changed = format!("{} became {}", before.short(), digest.short());
            if found.is_empty() {
                // The customer updated the grant: that is what the template is
                // for.
                Found::pass(format!("{changed}, exactly as the current template says"))
            } else {
                Found::warn(
                    format!("{changed}: {}", found.join("; ")),
                    "compare with your account's CloudTrail who changed the roles; make the \
                     grant again to undo it",
                )
            }
        }
    }
}
