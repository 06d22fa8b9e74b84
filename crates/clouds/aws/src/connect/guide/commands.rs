//! The grant as shell commands: POSIX sh with the AWS CLI, as CloudShell has
//! it. Running them again updates what is there.

use super::{Context, EXISTING_BOUNDARY, EXISTING_PROVIDER};
use landfall_model::{
    grant::{AWS_AUDIENCE as AUDIENCE, PolicyDocument, RoleSpec},
    quote::shell,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write};

/// CloudFormation takes templates of up to 51,200 bytes in the request, larger
/// ones from S3 only (AWS docs: "Understand CloudFormation quotas").
const LARGEST_BODY: usize = 51_200;

/// Everything runs in a subshell: pasted into a terminal, a failure then ends
/// the commands and not the terminal.
fn script(context: &Context<'_>, body: &str) -> String {
    let account = &context.connection.account_id();
    format!(
        "(
set -eu
export AWS_PAGER=\"\"
account=$(aws sts get-caller-identity --query Account --output text)
if [ \"$account\" != {account} ]; then
  echo \"these commands are for account {account}, but you are signed in to $account\" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf \"$work\"' EXIT
{body})
"
    )
}

/// A file with a JSON document. The quoted delimiter keeps the shell away from
/// policy variables such as `${aws:username}`; no line of pretty JSON can be
/// the delimiter itself.
fn heredoc(file: &str, document: &Value, pretty: bool) -> String {
    let document = sorted(document);
    let text = if pretty {
        format!("{document:#}")
    } else {
        document.to_string()
    };
    format!("cat > \"$work/{file}\" <<'LANDFALL'\n{text}\nLANDFALL\n")
}

/// The same with its keys in order: whether `serde_json` sorts by itself depends
/// on features that other crates switch on, and people compare these texts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().collect();
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}

pub(super) fn cloudformation(context: &Context<'_>) -> String {
    let stack = context.connection.stack_name();
    let template = &context.grant.template;
    let pretty = format!("{template:#}").len() < LARGEST_BODY;
    let fits = pretty || template.to_string().len() < LARGEST_BODY;
    let mut body = String::new();
    let source = match &context.template_url {
        _ if fits => {
            body.push_str(&heredoc("template.json", template, pretty));
            "--template-body \"file://$work/template.json\"".to_owned()
        }
        Some(url) => format!("--template-url {}", shell(url)),
        None => {
            return format!(
                "# The template has more than {LARGEST_BODY} bytes, which CloudFormation takes from S3 only, \
                 and the operator of this server has not named a bucket. Use the IAM commands.\n"
            );
        }
    };
    let stack = shell(&stack);
    let region = shell(context.region);
    let boundary = &context.grant.boundary;
    let mut arguments = format!(
        "--region {region} --stack-name {stack} \\\n    {source} \\\n    \
         --capabilities CAPABILITY_NAMED_IAM \\\n    \
         --parameters \"ParameterKey={EXISTING_BOUNDARY},ParameterValue=$existing\""
    );
    let provider = Provider::of(context);
    if provider.is_some() {
        write!(
            arguments,
            " \"ParameterKey={EXISTING_PROVIDER},ParameterValue=$provider\""
        )
        .expect("writing to a String");
    }
    for (name, value) in context.parameters() {
        if name != EXISTING_BOUNDARY && name != EXISTING_PROVIDER {
            let pair = format!("ParameterKey={name},ParameterValue={value}");
            write!(arguments, " {}", shell(&pair)).expect("writing to a String");
        }
    }
    write!(
        body,
        "{PUT_POLICY}stack() {{ # what to ask of it
  aws cloudformation describe-stacks --region {region} --stack-name {stack} --query \"$1\" --output text 2>/dev/null
}}
status=$(stack 'Stacks[0].StackStatus' || true)
if [ \"$status\" = ROLLBACK_COMPLETE ]; then
  # What is left of a failed creation can only be deleted.
  aws cloudformation delete-stack --region {region} --stack-name {stack}
  aws cloudformation wait stack-delete-complete --region {region} --stack-name {stack}
  status=
fi
{look}if [ -n \"$status\" ]; then
  existing=$(stack \"Stacks[0].Parameters[?ParameterKey=='{EXISTING_BOUNDARY}'].ParameterValue\")
  existing=${{existing:-no}}
  if said=$(aws cloudformation update-stack {arguments} 2>&1); then
    aws cloudformation wait stack-update-complete --region {region} --stack-name {stack}
  else
    case $said in
      *'No updates are to be performed'*) ;;
      *) echo \"$said\" >&2; exit 1 ;;
    esac
  fi
else
  existing=no
  if aws iam get-policy --policy-arn {arn} >/dev/null 2>&1; then
    existing=yes
  fi
  aws cloudformation create-stack {arguments}
  aws cloudformation wait stack-create-complete --region {region} --stack-name {stack}
fi
if [ \"$existing\" = yes ]; then
  # Left by an earlier stack, so this one does not keep it up to date.
  put_policy {name} {arn} {purpose}
fi
{listen}echo \"The stack \"{stack}\" is complete.\"
",
        look = provider.as_ref().map(Provider::look).unwrap_or_default(),
        listen = provider.as_ref().map(Provider::listen).unwrap_or_default(),
        arn = shell(&context.connection.boundary_policy_arn()),
        name = shell(&boundary.name),
        purpose = shell(&boundary.purpose),
    )
    .expect("writing to a String");
    body.insert_str(
        0,
        &heredoc(&format!("{}.json", boundary.name), &boundary.document, true),
    );
    script(context, &body)
}

/// The account's provider for this server's issuer.
struct Provider {
    arn: String,
    url: String,
}

impl Provider {
    fn of(context: &Context<'_>) -> Option<Self> {
        context.issuer().map(|url| Self {
            arn: shell(&context.connection.oidc_provider_arn(url)),
            url: shell(url),
        })
    }

    /// Sets `provider` to whether somebody else than this stack has made it: an
    /// account has one per URL, and a stack that made it must go on saying so.
    fn look(&self) -> String {
        let arn = &self.arn;
        format!(
            "provider=
if [ -n \"$status\" ]; then
  provider=$(stack \"Stacks[0].Parameters[?ParameterKey=='{EXISTING_PROVIDER}'].ParameterValue\")
fi
if [ -z \"$provider\" ]; then
  provider=no
  if aws iam get-open-id-connect-provider --open-id-connect-provider-arn {arn} >/dev/null 2>&1; then
    provider=yes
  fi
fi
"
        )
    }

    /// Adds the audience to a provider that another stack made.
    fn listen(&self) -> String {
        format!(
            "if [ \"$provider\" = yes ]; then
  aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {AUDIENCE}
fi
",
            self.arn
        )
    }

    fn put(&self) -> String {
        let (arn, url) = (&self.arn, &self.url);
        format!(
            "
# The issuer of this server's tokens. An account has one provider per URL.
if aws iam get-open-id-connect-provider --open-id-connect-provider-arn {arn} >/dev/null 2>&1; then
  aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id {AUDIENCE}
else
  aws iam create-open-id-connect-provider --url {url} --client-id-list {AUDIENCE} >/dev/null
fi
echo \"OpenID Connect provider \"{url}
"
        )
    }
}

const PUT_POLICY: &str = r#"put_policy() { # name, ARN, description
  if aws iam get-policy --policy-arn "$2" >/dev/null 2>&1; then
    # IAM keeps five versions of a policy and refuses a sixth.
    for old in $(aws iam list-policy-versions --policy-arn "$2" --query 'Versions[?!IsDefaultVersion].VersionId' --output text); do
      aws iam delete-policy-version --policy-arn "$2" --version-id "$old"
    done
    aws iam create-policy-version --policy-arn "$2" --set-as-default \
      --policy-document "file://$work/$1.json" >/dev/null
  else
    aws iam create-policy --policy-name "$1" --description "$3" \
      --policy-document "file://$work/$1.json" >/dev/null
  fi
  echo "policy $1"
}
"#;

const PUT_ROLE: &str = r#"put_role() { # name, seconds, description
  if aws iam get-role --role-name "$1" >/dev/null 2>&1; then
    aws iam update-assume-role-policy --role-name "$1" \
      --policy-document "file://$work/$1.trust.json"
    aws iam update-role --role-name "$1" --max-session-duration "$2" --description "$3" >/dev/null
    aws iam tag-role --role-name "$1" --tags "file://$work/$1.tags.json"
  else
    aws iam create-role --role-name "$1" --max-session-duration "$2" --description "$3" \
      --assume-role-policy-document "file://$work/$1.trust.json" \
      --tags "file://$work/$1.tags.json" >/dev/null
  fi
  echo "role $1"
}
only_policies() { # role, then the ARNs of all that it should have
  role=$1
  shift
  for arn in $(aws iam list-attached-role-policies --role-name "$role" --query 'AttachedPolicies[].PolicyArn' --output text); do
    case " $* " in
      *" $arn "*) continue ;;
    esac
    case $arn in
      *:policy/landfall-*)
        # Of an earlier version of this grant.
        aws iam detach-role-policy --role-name "$role" --policy-arn "$arn"
        echo "no longer $arn"
        ;;
    esac
  done
}
"#;

pub(super) fn iam(context: &Context<'_>) -> String {
    let mut body = format!("{PUT_POLICY}{PUT_ROLE}");
    body.push_str(&policy(context, &context.grant.boundary));
    if let Some(provider) = Provider::of(context) {
        body.push_str(&provider.put());
    }
    for role in &context.grant.roles {
        for document in &role.policies {
            body.push_str(&policy(context, document));
        }
        body.push_str(&role_commands(context, role));
    }
    script(context, &body)
}

fn policy(context: &Context<'_>, policy: &PolicyDocument) -> String {
    format!(
        "\n# {}\n{}put_policy {} {} {}\n",
        policy.purpose.replace('\n', " "),
        heredoc(&format!("{}.json", policy.name), &policy.document, true),
        shell(&policy.name),
        shell(&context.connection.policy_arn(&policy.name)),
        shell(&policy.purpose),
    )
}

fn role_commands(context: &Context<'_>, role: &RoleSpec) -> String {
    let tags: Vec<Value> = role
        .tags
        .iter()
        .map(|(key, value)| serde_json::json!({"Key": key, "Value": value}))
        .collect();
    let name = shell(&role.name);
    let mut text = format!(
        "\n# The {}\n{}{}put_role {name} {} {}\n",
        role.identity.as_str(),
        heredoc(&format!("{}.trust.json", role.name), &role.trust, true),
        heredoc(
            &format!("{}.tags.json", role.name),
            &Value::Array(tags),
            true
        ),
        role.max_session,
        shell(&role.description),
    );
    let mut all = format!("only_policies {name}");
    for policy in &role.policies {
        let arn = shell(&context.connection.policy_arn(&policy.name));
        writeln!(
            text,
            "aws iam attach-role-policy --role-name {name} --policy-arn {arn}"
        )
        .expect("writing to a String");
        write!(all, " {arn}").expect("writing to a String");
    }
    text + &all + "\n"
}
