use super::*;
use landfall_model::digest::Digest;
use landfall_plan::policy::aws::GRANT_VERSION;

/// Each version with the digest of its documents, oldest first. A customer's
/// roles carry the number: when the documents change and the number does not,
/// nobody is told to grant again.
const VERSIONS: &str = include_str!("versions.txt");

fn digest() -> Digest {
    let grants = [connection(), {
        let mut anywhere = connection();
        anywhere.regions.clear();
        anywhere
    }]
    .map(|connection| {
        let grant = aws::grant(&connection, &principal()).unwrap();
        let documents: Vec<Value> = grant
            .roles
            .iter()
            .flat_map(|role| {
                let policies = role.policies.iter().map(|policy| policy.document.clone());
                std::iter::once(role.trust.clone()).chain(policies)
            })
            .chain([grant.boundary.document])
            .collect();
        documents
    });
    Digest::of_json(&grants).unwrap()
}

#[test]
fn the_documents_change_only_with_their_version() {
    let lines: Vec<(u32, &str)> = VERSIONS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (version, digest) = line.split_once(' ').unwrap();
            (version.parse().unwrap(), digest)
        })
        .collect();
    for (line, expected) in lines.iter().zip(1..) {
        assert_eq!(line.0, expected, "versions.txt counts up from 1");
    }
    let current = digest();
    assert_eq!(
        lines.last().copied(),
        Some((GRANT_VERSION, current.as_str())),
        "the grant's documents changed: raise GRANT_VERSION in src/policy/aws/mod.rs, and add \
         the line '{} {current}' to tests/policy/versions.txt. A line of a released version \
         never changes.",
        lines.last().map_or(1, |last| last.0 + 1)
    );
}

/// For reviewing a change: the documents as they stand in the account.
#[test]
fn the_documents_are_as_reviewed() {
    let grant = granted();
    // Whether maps keep their order depends on what else is in the build.
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    settings.bind(|| {
        for role in &grant.roles {
            for (index, policy) in role.policies.iter().enumerate() {
                let name = format!("{}-{}", role.identity.as_str(), index + 1);
                insta::assert_json_snapshot!(name, policy.document);
            }
        }
        insta::assert_json_snapshot!("boundary", grant.boundary.document);
    });
}
