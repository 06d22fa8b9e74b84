//! The console page, as a browser without scripts uses it.

mod cloud;
mod support;

use cloud::{Cloud, ROLE, still};
use std::time::Duration;
use support::Sandbox;

const TEMPLATE: &str = r#"{
  "Description": "Access for <b>Landfall</b>",
  "Parameters": {
    "ExternalId": {"Type": "String", "Description": "Made by \"Landfall\""},
    "Secret": {"Type": "String", "NoEcho": true, "Default": "d"}
  },
  "Resources": {
    "Role": {"Type": "AWS::IAM::Role", "Properties": {
      "RoleName": "landfall-provisioner",
      "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}}]}}}
  }
}"#;

/// A browser: cookies, no scripts, no following of redirects.
struct Browser<'s> {
    sandbox: &'s Sandbox,
    http: reqwest::Client,
    cookies: String,
}

impl<'s> Browser<'s> {
    fn new(sandbox: &'s Sandbox) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            sandbox,
            http,
            cookies: String::new(),
        }
    }

    async fn get(&mut self, path: &str) -> (u16, String) {
        let response = self
            .http
            .get(self.sandbox.url(path))
            .header("cookie", &self.cookies)
            .send()
            .await
            .unwrap();
        let cookies: Vec<String> = response
            .headers()
            .get_all("set-cookie")
            .iter()
            .map(|value| {
                let value = value.to_str().unwrap();
                value.split(';').next().unwrap().to_owned()
            })
            .collect();
        if !cookies.is_empty() {
            self.cookies = cookies.join("; ");
        }
        assert!(response.headers().contains_key("content-security-policy"));
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let response = self
            .http
            .post(self.sandbox.url(path))
            .header("cookie", &self.cookies)
            .form(fields)
            .send()
            .await
            .unwrap();
        let location = response.headers().get("location");
        let location = location
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        (
            response.status().as_u16(),
            location,
            response.text().await.unwrap(),
        )
    }
}

fn value_of(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let rest = page
        .split(&marker)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn status_of(page: &str) -> String {
    let rest = page.split("id=\"stack-status\"").nth(1).unwrap();
    rest.split('>')
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_quick_create_link_leads_to_a_stack() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let account = cloud.who.keys.account.clone();
    let url = sandbox
        .template("/templates/landfall/t.json", TEMPLATE)
        .await;
    let mut browser = Browser::new(&sandbox);

    // The fragment never reaches the server: the page's script carries it over.
    let (status, page) = browser
        .get("/console/cloudformation/home?region=eu-west-1")
        .await;
    assert_eq!(status, 200);
    assert!(page.contains("/console/console.js"), "{page}");
    let (_, script) = browser.get("/console/console.js").await;
    assert!(script.contains("#/stacks/create/review"));

    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("region", "eu-west-1")
        .append_pair("account", &account)
        .append_pair("templateURL", &url)
        .append_pair("stackName", "landfall")
        .append_pair("param_ExternalId", "lf-1\"><script>alert(1)</script>")
        .append_pair("param_Secret", "from-the-link")
        .finish();
    let review = format!("/console/cloudformation/quick-create?{query}");
    let (status, page) = browser.get(&review).await;
    assert_eq!(status, 200);
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("Access for &lt;b&gt;Landfall&lt;/b&gt;"));
    assert!(page.contains("id=\"create-stack\"") && page.contains("id=\"ack-capabilities\""));
    assert_eq!(value_of(&page, "stackName"), "landfall");
    assert!(
        page.contains("id=\"param-Secret\" name=\"param_Secret\" value=\"d\""),
        "values of NoEcho parameters are ignored in links"
    );

    let csrf = value_of(&page, "csrf");
    let mut fields = vec![
        ("csrf", csrf.as_str()),
        ("account", &account),
        ("region", "eu-west-1"),
        ("templateURL", &url),
        ("stackName", "landfall"),
        ("param_ExternalId", "lf-1"),
        ("param_Secret", "d"),
    ];
    let create = "/console/cloudformation/stacks";
    let (status, _, page) = browser.post(create, &fields).await;
    assert_eq!(status, 400, "not acknowledged");
    assert!(page.contains("Requires capabilities"), "{page}");
    fields.push(("capability", "CAPABILITY_NAMED_IAM"));
    let (status, location, page) = browser.post(create, &fields).await;
    assert_eq!(status, 303, "{page}");

    let (_, page) = browser.get(&location).await;
    assert_eq!(status_of(&page), "CREATE_IN_PROGRESS");
    assert!(page.contains("http-equiv=\"refresh\""));
    sandbox.advance(Duration::from_secs(60)).await;
    let (_, page) = browser.get(&location).await;
    assert_eq!(status_of(&page), "CREATE_COMPLETE");
    assert!(!page.contains("http-equiv=\"refresh\""));
    assert!(cloud.exists(ROLE, "landfall-provisioner").await);

    let id = value_of(&page, "id");
    let fields = [
        ("csrf", csrf.as_str()),
        ("account", &account),
        ("region", "eu-west-1"),
        ("id", &id),
    ];
    let (status, ..) = browser
        .post("/console/cloudformation/stacks/delete", &fields)
        .await;
    assert_eq!(status, 303);
    sandbox.advance(Duration::from_secs(60)).await;
    let (_, page) = browser.get(&location).await;
    assert_eq!(status_of(&page), "DELETE_COMPLETE");
    assert!(!cloud.exists(ROLE, "landfall-provisioner").await);
}

#[tokio::test]
async fn another_sites_form_does_nothing() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let url = sandbox
        .template("/templates/landfall/t.json", TEMPLATE)
        .await;
    let mut browser = Browser::new(&sandbox);
    let (_, page) = browser
        .get("/console/cloudformation/home?region=eu-west-1")
        .await;
    assert!(page.contains("No stacks"));
    let forged = "0".repeat(64);
    for csrf in ["", forged.as_str()] {
        let fields = [
            ("csrf", csrf),
            ("account", cloud.who.keys.account.as_str()),
            ("region", "eu-west-1"),
            ("templateURL", &url),
            ("stackName", "landfall"),
            ("param_ExternalId", "lf-1"),
            ("capability", "CAPABILITY_NAMED_IAM"),
        ];
        let (status, ..) = browser
            .post("/console/cloudformation/stacks", &fields)
            .await;
        assert_eq!(status, 403);
        let (status, ..) = browser
            .post("/console/cloudformation/stacks/delete", &fields)
            .await;
        assert_eq!(status, 403);
    }
    assert!(!cloud.exists(ROLE, "landfall-provisioner").await);
}

#[tokio::test]
async fn a_link_without_a_template_says_so() {
    let sandbox = still().await;
    let mut browser = Browser::new(&sandbox);
    for query in [
        "",
        "templateURL=https%3A%2F%2Fexample.org%2Fx",
        "templateURL=%3Cb%3E",
    ] {
        let (status, page) = browser
            .get(&format!("/console/cloudformation/quick-create?{query}"))
            .await;
        assert_eq!(status, 400);
        assert!(
            page.contains("id=\"error\"") && !page.contains("<b>"),
            "{page}"
        );
    }
    let (status, _) = browser.get("/console/cloudformation/stack?id=absent").await;
    assert_eq!(status, 404);
}
