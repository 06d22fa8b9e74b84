//! What differs in the scripts where a folder or an organization is granted.

use super::line;
use landfall_model::connection::Parent;

/// `doing` says which of the three the script was at. No value below but
/// numbers, which the shell puts in.
const DENIED_ABOVE: &str = r#"      case $doing in
        roles)
          cat >&2 <<LANDFALL

You may not make custom roles in organizations/$organization. It takes Organization Role
Administrator (roles/iam.organizationRoleAdmin) on the organization, which owners of a project do
not have. An organization administrator grants it to you, with the organization selected at the
top: IAM & Admin > IAM > Grant access. Then run this script again.
LANDFALL
          ;;
        bindings)
          cat >&2 <<LANDFALL

@BINDER@
A project's owner does not have it. An organization administrator grants it to you: IAM & Admin >
IAM > Grant access. Then run this script again.
LANDFALL
          ;;
        *)
          cat >&2 <<'LANDFALL'

You may not do this in the project, or are signed in with another Google account than you think
(gcloud auth list shows which). In the project, the script needs its owner, or somebody with
Service Usage Admin, Service Account Admin and IAM Workload Identity Pool Admin.
LANDFALL
          ;;
      esac
"#;

const BINDER_FOLDER: &str = r"You may not change who has which role in folders/$folder. It takes Folder IAM Admin
(roles/resourcemanager.folderIamAdmin) on the folder, or Organization Administrator.";

const BINDER_ORGANIZATION: &str = r"You may not change who has which role in organizations/$organization. It takes Organization
Administrator (roles/resourcemanager.organizationAdmin) on the organization.";

/// What a refusal means.
pub(super) fn denied(parent: &Parent) -> String {
    let binder = if parent.is_folder() {
        BINDER_FOLDER
    } else {
        BINDER_ORGANIZATION
    };
    DENIED_ABOVE.replace("@BINDER@", binder)
}

/// Before anything is made: a grant on what is not above the project would be
/// of no use, and would be one on something that nobody meant.
const BELOW_FOLDER: &str = r#"
must gcloud projects get-ancestors "$project" --format='csv[no-heading](type,id)'
if ! printf '%s
' "$said" | grep -qxF "folder,$folder" ||
  ! printf '%s
' "$said" | grep -qxF "organization,$organization"; then
  cat >&2 <<LANDFALL
$project is not below folders/$folder of organizations/$organization. Above it are:
$said

Nothing was made. Connect anew with a project below that folder, or with a folder above the project.
LANDFALL
  exit 1
fi
"#;

const BELOW_ORGANIZATION: &str = r#"
must gcloud projects get-ancestors "$project" --format='csv[no-heading](type,id)'
if ! printf '%s
' "$said" | grep -qxF "organization,$organization"; then
  cat >&2 <<LANDFALL
$project is not in organizations/$organization. Above it are:
$said

Nothing was made. Connect anew with a project of that organization, or with the project's own.
LANDFALL
  exit 1
fi
"#;

/// The parts in which roles are made and bound.
pub(super) fn at(parent: Option<&Parent>, part: &str) -> String {
    let (at, roles, bind) = match parent {
        None => (
            ["", ""],
            r#"--project="$project""#,
            r#"projects add-iam-policy-binding "$project""#,
        ),
        Some(parent) => (
            [
                "  doing=roles
",
                "  doing=bindings
",
            ],
            r#"--organization="$organization""#,
            if parent.is_folder() {
                r#"resource-manager folders add-iam-policy-binding "$folder""#
            } else {
                r#"organizations add-iam-policy-binding "$organization""#
            },
        ),
    };
    let [making, binding] = at;
    part.replace("@MAKING@", making)
        .replace("@BINDING@", binding)
        .replace("@ROLES@", roles)
        .replace("@BIND@", bind)
}

/// Where the roles may be out of Landfall's sight, their accounts say of which
/// version the setup was.
pub(super) const WRITTEN: &str = r#"
doing=project
written() { # address, what it does
  must gcloud iam service-accounts update "$1" --project="$project" --description="$2"
}
"#;

/// The variables of what is above the project.
pub(super) fn variables(text: &mut String, parent: Option<&Parent>) {
    let Some(parent) = parent else {
        return;
    };
    let number = |resource: &str| resource.rsplit('/').next().unwrap_or_default().to_owned();
    let organization = number(&parent.organization());
    super::variables(text, &[("organization", &organization)]);
    if parent.is_folder() {
        super::variables(text, &[("folder", &number(&parent.resource()))]);
    }
    line(text, "doing=project");
}

pub(super) fn below(text: &mut String, parent: Option<&Parent>) {
    match parent {
        None => {}
        Some(parent) if parent.is_folder() => text.push_str(BELOW_FOLDER),
        Some(_) => text.push_str(BELOW_ORGANIZATION),
    }
}
