//! Every noun is read back as it was written, by its organization alone.

use crate::{
    fixture::{self, World, at, only, secret},
    harness::{Subject, contract},
};
use landfall_model::{
    connection,
    graph::Address,
    id::*,
    organization::Organization,
    store::{StoreError, Write},
};

contract!(
    all_that_was_written_is_read_back,
    another_organization_sees_none_of_it,
    a_write_needs_the_version_before_its_own,
    a_refused_batch_leaves_nothing,
    histories_are_newest_first_and_limited,
    resources_are_replaced_and_deleted_by_address,
    a_child_cannot_have_another_organizations_parent,
    it_says_which_database_it_is,
    a_second_process_sees_what_the_first_wrote,
);

async fn all_that_was_written_is_read_back(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let org = world.org();

    assert_eq!(
        store.organizations().await.unwrap(),
        only(&world.organization)
    );
    assert_eq!(
        store.organization(org).await.unwrap(),
        Some(world.organization.clone())
    );
    assert_eq!(store.members(org).await.unwrap(), only(&world.member));
    assert_eq!(
        store.member(org, &world.member.id).await.unwrap(),
        Some(world.member.clone())
    );
    assert_eq!(store.tokens(org).await.unwrap(), only(&world.token));
    assert_eq!(
        store.token(org, &world.token.id).await.unwrap(),
        Some(world.token.clone())
    );
    let hash = secret(world.token.id.as_str());
    assert_eq!(
        store.token_by_secret(&hash).await.unwrap(),
        Some(world.token.clone())
    );
    let hash = secret(world.session.id.as_str());
    assert_eq!(
        store.session_by_secret(&hash).await.unwrap(),
        Some(world.session.clone())
    );
    assert_eq!(
        store.connections(org).await.unwrap(),
        only(&world.connection)
    );
    let connection = &world.connection;
    assert_eq!(
        store.connection(org, &connection.id).await.unwrap(),
        Some(connection.clone())
    );
    let runs = store.check_runs(org, &connection.id, 10).await.unwrap();
    assert_eq!(runs, only(&world.check_run));
    assert_eq!(
        store.applications(org).await.unwrap(),
        only(&world.application)
    );
    let application = &world.application;
    assert_eq!(
        store.application(org, &application.id).await.unwrap(),
        Some(application.clone())
    );
    assert_eq!(
        store.environments(org).await.unwrap(),
        only(&world.environment)
    );
    let environment = &world.environment;
    assert_eq!(
        store.environment(org, &environment.id).await.unwrap(),
        Some(environment.clone())
    );
    assert_eq!(
        store.resources(&environment.id).await.unwrap(),
        only(&world.resource)
    );
    assert_eq!(
        store.plan(org, &world.plan.id).await.unwrap(),
        Some(world.plan.clone())
    );
    assert_eq!(
        store.plans(org, &environment.id, 10).await.unwrap(),
        only(&world.plan)
    );
    let rollout = &world.rollout;
    assert_eq!(
        store.rollout(org, &rollout.id).await.unwrap(),
        Some(rollout.clone())
    );
    assert_eq!(store.rollouts(org, None, 10).await.unwrap(), only(rollout));
    let of_environment = store
        .rollouts(org, Some(&environment.id), 10)
        .await
        .unwrap();
    assert_eq!(of_environment, only(rollout));
    assert_eq!(
        store.retained_list(org).await.unwrap(),
        only(&world.retained)
    );
    let retained = &world.retained;
    assert_eq!(
        store.retained(org, &retained.id).await.unwrap(),
        Some(retained.clone())
    );
}

async fn another_organization_sees_none_of_it(subject: &Subject) {
    let store = &*subject.store;
    let theirs = World::stored(store).await;
    let ours = World::stored(store).await;
    let org = ours.org();

    assert_eq!(store.members(org).await.unwrap(), only(&ours.member));
    assert_eq!(store.member(org, &theirs.member.id).await.unwrap(), None);
    assert_eq!(store.tokens(org).await.unwrap(), only(&ours.token));
    assert_eq!(store.token(org, &theirs.token.id).await.unwrap(), None);
    assert_eq!(
        store.connections(org).await.unwrap(),
        only(&ours.connection)
    );
    assert_eq!(
        store.connection(org, &theirs.connection.id).await.unwrap(),
        None
    );
    assert_eq!(
        store
            .check_runs(org, &theirs.connection.id, 9)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        store.applications(org).await.unwrap(),
        only(&ours.application)
    );
    assert_eq!(
        store
            .application(org, &theirs.application.id)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store.environments(org).await.unwrap(),
        only(&ours.environment)
    );
    assert_eq!(
        store
            .environment(org, &theirs.environment.id)
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.plan(org, &theirs.plan.id).await.unwrap(), None);
    assert_eq!(
        store.plans(org, &theirs.environment.id, 9).await.unwrap(),
        []
    );
    assert_eq!(store.rollout(org, &theirs.rollout.id).await.unwrap(), None);
    assert_eq!(
        store.rollouts(org, None, 9).await.unwrap(),
        only(&ours.rollout)
    );
    let theirs_by_environment = store.rollouts(org, Some(&theirs.environment.id), 9).await;
    assert_eq!(theirs_by_environment.unwrap(), []);
    assert_eq!(
        store.retained_list(org).await.unwrap(),
        only(&ours.retained)
    );
    assert_eq!(
        store.retained(org, &theirs.retained.id).await.unwrap(),
        None
    );

    // Nor can it write over it: the row that it names does not exist for it.
    let mut stolen = theirs.connection.clone();
    stolen.organization_id = org.clone();
    stolen.version = 2;
    let error = store
        .commit(vec![Write::PutConnection(stolen)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "connection",
                ..
            }
        ),
        "{error:?}"
    );
}

async fn a_write_needs_the_version_before_its_own(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let put = async |version: u64| {
        let mut connection = world.connection.clone();
        connection.version = version;
        connection.state = connection::State::Connected { since: at(5) };
        store.commit(vec![Write::PutConnection(connection)]).await
    };
    for wrong in [0, 1, 3, u64::MAX] {
        let error = put(wrong).await.unwrap_err();
        let StoreError::Conflict { noun, id } = error else {
            panic!("version {wrong}: {error:?}");
        };
        assert_eq!(
            (noun, id.as_str()),
            ("connection", world.connection.id.as_str())
        );
    }
    put(2).await.unwrap();
    put(2).await.unwrap_err();
    put(3).await.unwrap();
    let stored = store
        .connection(world.org(), &world.connection.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.version, 3);
    assert_eq!(stored.state, connection::State::Connected { since: at(5) });

    // Every noun with a version has the same rule.
    let mut next = world.clone();
    next.member.version = 2;
    next.application.version = 2;
    next.environment.version = 2;
    next.plan.version = 2;
    next.rollout.version = 2;
    next.retained.version = 2;
    let writes = [
        Write::PutMember(next.member),
        Write::PutApplication(next.application),
        Write::PutEnvironment(next.environment),
        Write::PutPlan(next.plan),
        Write::PutRollout(next.rollout),
        Write::PutRetained(next.retained),
    ];
    for write in writes {
        store.commit(vec![write.clone()]).await.unwrap();
        let error = store.commit(vec![write.clone()]).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Conflict { .. }),
            "{write:?}: {error:?}"
        );
    }
}

async fn a_refused_batch_leaves_nothing(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let other = fixture::connection(world.org(), "other");
    let mut stale = world.application.clone();
    stale.version = 7;
    let error = store
        .commit(vec![
            Write::PutConnection(other.clone()),
            world.append(1),
            Write::Audit(world.audit("batch")),
            Write::Enqueue(world.work(
                landfall_model::work::Job::Verify {
                    connection_id: world.connection.id.clone(),
                },
                at(0),
            )),
            Write::PutApplication(stale),
        ])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "application",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        store.connection(world.org(), &other.id).await.unwrap(),
        None
    );
    assert_eq!(store.events(&world.stream(), 0, 10).await.unwrap(), []);
    assert_eq!(store.audit(world.org(), 0, 10).await.unwrap(), []);
    assert_eq!(store.claim(&["verify"], at(1), at(2)).await.unwrap(), None);
}

async fn histories_are_newest_first_and_limited(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let (org, environment) = (world.org(), &world.environment);
    let mut writes = Vec::new();
    // Two at the same instant: then the greater id is the newer one.
    let instants = [at(30), at(10), at(20), at(20)];
    let runs = instants.map(|at| fixture::check_run(&world.connection, at));
    let plans = instants.map(|at| fixture::plan(environment, at));
    let rollouts = instants.map(|at| fixture::rollout(&world.plan, at));
    let retained = instants.map(|at| fixture::retained(environment, at));
    for index in 0..instants.len() {
        writes.push(Write::InsertCheckRun(runs[index].clone()));
        writes.push(Write::PutPlan(plans[index].clone()));
        writes.push(Write::PutRollout(rollouts[index].clone()));
        writes.push(Write::PutRetained(retained[index].clone()));
    }
    store.commit(writes).await.unwrap();

    let newest_first = [0, 3, 2];
    let found = store
        .check_runs(org, &world.connection.id, 3)
        .await
        .unwrap();
    assert_eq!(found, newest_first.map(|index| runs[index].clone()));
    let found = store.plans(org, &environment.id, 3).await.unwrap();
    assert_eq!(found, newest_first.map(|index| plans[index].clone()));
    let found = store.rollouts(org, None, 3).await.unwrap();
    assert_eq!(found, newest_first.map(|index| rollouts[index].clone()));
    let found = store.rollouts(org, Some(&environment.id), 3).await.unwrap();
    assert_eq!(found, newest_first.map(|index| rollouts[index].clone()));
    let found = store.retained_list(org).await.unwrap();
    assert_eq!(
        found[..3],
        newest_first.map(|index| retained[index].clone())
    );
    assert_eq!(found.len(), 5);
}

async fn resources_are_replaced_and_deleted_by_address(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let id = &world.environment.id;
    let bucket = fixture::resource(&world.environment, "bucket.files");
    let mut moved = world.resource.clone();
    moved.identifier = "vpc-1".into();
    moved.generation = 2;
    store
        .commit(vec![
            Write::PutResource(moved.clone()),
            Write::PutResource(bucket.clone()),
        ])
        .await
        .unwrap();
    assert_eq!(store.resources(id).await.unwrap(), [bucket, moved.clone()]);

    let delete = Write::DeleteResource {
        environment_id: id.clone(),
        address: Address::new("bucket.files"),
    };
    store.commit(vec![delete.clone()]).await.unwrap();
    assert_eq!(store.resources(id).await.unwrap(), [moved]);
    // Recovery may repeat it.
    store.commit(vec![delete]).await.unwrap();
}

async fn a_child_cannot_have_another_organizations_parent(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;

    let strays = [
        Write::PutEnvironment(fixture::environment(
            &ours.application,
            &theirs.connection,
            "x",
        )),
        Write::PutEnvironment(fixture::environment(
            &theirs.application,
            &ours.connection,
            "x",
        )),
        Write::InsertCheckRun({
            let mut run = fixture::check_run(&theirs.connection, at(1));
            run.organization_id = ours.org().clone();
            run
        }),
        Write::PutRollout({
            let mut rollout = fixture::rollout(&theirs.plan, at(1));
            rollout.organization_id = ours.org().clone();
            rollout.environment_id = ours.environment.id.clone();
            rollout
        }),
        Write::InsertToken {
            secret_hash: secret("stray"),
            token: {
                let mut token = fixture::token(&theirs.member);
                token.organization_id = ours.org().clone();
                token
            },
        },
        Write::PutMember({
            let mut member = ours.member.clone();
            member.id = fixture::fresh!(MemberId);
            member.organization_id = fixture::fresh!(OrganizationId);
            member
        }),
    ];
    for stray in strays {
        let error = store.commit(vec![stray.clone()]).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Database { .. }),
            "{stray:?}: {error:?}"
        );
    }
}

async fn it_says_which_database_it_is(subject: &Subject) {
    let description = subject.store.describe().await.unwrap();
    let (name, version) = description.split_once(' ').unwrap();
    let expected = if subject.is_postgres() {
        "postgresql"
    } else {
        "sqlite"
    };
    assert_eq!(name, expected);
    assert!(
        version.starts_with(|first: char| first.is_ascii_digit()),
        "{version}"
    );
}

async fn a_second_process_sees_what_the_first_wrote(subject: &Subject) {
    let world = World::stored(&*subject.store).await;
    let second = subject.reopen().await;
    assert_eq!(
        second.organizations().await.unwrap(),
        only(&world.organization)
    );
    let newer = Organization {
        id: fixture::fresh!(OrganizationId),
        name: "Second".into(),
        created_at: at(1),
    };
    second
        .commit(vec![Write::InsertOrganization(newer.clone())])
        .await
        .unwrap();
    let all = subject.store.organizations().await.unwrap();
    assert_eq!(all, [world.organization, newer]);
}
