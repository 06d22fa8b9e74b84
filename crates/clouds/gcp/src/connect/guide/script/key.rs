//! The script for a key: an account that may administer the project's IAM, and
//! nothing else. Landfall makes the rest with it.

use super::{
    enable, line,
    parts::{HEAD, SHARING_OWN, helpers},
    variables,
};

/// A key is made once: each is one more that can be stolen.
const KEY: &str = r#"
# gcloud may want it for what follows; Landfall switches it on in any case.
must gcloud services enable --project="$project" iam.googleapis.com

case $account in
  *@*) email=$account ;;
  *) email=$account@$project.iam.gserviceaccount.com ;;
esac
if ! gcloud iam service-accounts describe "$email" --project="$project" >/dev/null 2>&1; then
  must gcloud iam service-accounts create "${account%%@*}" --project="$project" \
    --display-name='Landfall setup' --description='Its key sets Landfall up'
fi
settled gcloud iam service-accounts enable "$email" --project="$project"
echo "service account $email"

# All that it gets. Landfall takes it away again when everything is made.
settled gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$email" \
  --role=roles/resourcemanager.projectIamAdmin --condition=None
echo 'bound Project IAM Admin'

file=landfall-key-$project.json
if [ -n "$known_key" ] && gcloud iam service-accounts keys describe "$known_key" \
  --iam-account="$email" --project="$project" >/dev/null 2>&1; then
  echo
  echo "Done. Landfall has the key $known_key already, and checks by itself."
elif [ -e "$file" ]; then
  echo
  echo "Done. The key is in $file already: upload it to Landfall, then delete the file."
else
  umask 077
  settled gcloud iam service-accounts keys create "$file" --iam-account="$email" \
    --project="$project"
  echo
  echo "Done. Upload $file to Landfall, then delete the file."
fi
)
"#;

/// What the script for a key begins with; what is not known is left to it.
pub(in crate::connect::guide) struct Key<'a> {
    pub(in crate::connect::guide) project: Option<&'a str>,
    /// An address.
    pub(in crate::connect::guide) account: Option<&'a str>,
    /// The id of the key that Landfall has.
    pub(in crate::connect::guide) known: Option<&'a str>,
    pub(in crate::connect::guide) apis: &'a [String],
}

pub(in crate::connect::guide) fn for_a_key(key: &Key<'_>) -> String {
    let mut text = HEAD.to_owned();
    if key.project.is_none() {
        line(&mut text, "# Empty: the project that gcloud is set to.");
    }
    variables(
        &mut text,
        &[
            ("project", key.project.unwrap_or_default()),
            ("account", key.account.unwrap_or("landfall-setup")),
            ("known_key", key.known.unwrap_or_default()),
        ],
    );
    line(
        &mut text,
        r#"[ -n "$project" ] || project=$(gcloud config get-value project 2>/dev/null)"#,
    );
    helpers(&mut text, SHARING_OWN, None);
    enable(&mut text, key.apis);
    text.push_str(KEY);
    text
}
