//! A project's console page, as a browser without scripts uses it.

mod google;

use google::{Google, Place};
use landfall_sandbox::Config;
use serde_json::{Value, json};

/// A browser: the cookies of the page, and its form's token.
struct Browser<'g> {
    google: &'g Google,
    http: reqwest::Client,
    cookies: String,
    page: String,
}

impl<'g> Browser<'g> {
    fn new(google: &'g Google) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            google,
            http,
            cookies: String::new(),
            page: String::new(),
        }
    }

    fn url(&self, path: &str) -> String {
        let url = self.google.running.ready["gcp"]["console_url"].as_str();
        format!("{}{path}", url.unwrap())
    }

    async fn open(&mut self, place: &Place) {
        let url = self.url(&format!("?project={}", place.id));
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies: Vec<&str> = cookies
            .map(|value| value.to_str().unwrap().split(';').next().unwrap())
            .collect();
        self.cookies = cookies.join("; ");
        self.page = answer.text().await.unwrap();
    }

    fn csrf(&self) -> String {
        let rest = self.page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn post(&self, what: &str, place: &Place, id: &str, csrf: &str) -> reqwest::Response {
        let form = [("csrf", csrf), ("project", place.id.as_str()), ("id", id)];
        self.http
            .post(self.url(what))
            .header("cookie", &self.cookies)
            .form(&form)
            .send()
            .await
            .unwrap()
    }
}

/// A customer's project with an account and a pool.
async fn set_up() -> (Google, Place, String) {
    let google = Google::new(Config::default()).await;
    let place = google.place(1);
    google.bootstrap(&place).await;
    let email = google.service_account(&place, "landfall-boot").await;
    let path = format!(
        "v1/projects/{}/locations/global/workloadIdentityPools?workloadIdentityPoolId=landfall",
        place.id
    );
    google
        .post(&place.token, "iam", &path, json!({}))
        .await
        .ok();
    (google, place, email)
}

#[tokio::test]
async fn a_customer_makes_a_key_and_takes_the_access_away() {
    let (google, place, email) = set_up().await;
    let mut browser = Browser::new(&google);
    browser.open(&place).await;
    for shown in [&place.id, &place.number, &email, "landfall"] {
        assert!(browser.page.contains(shown), "{shown}");
    }
    let csrf = browser.csrf();
    let made = browser.post("/keys/create", &place, &email, &csrf).await;
    assert_eq!(made.status(), 200);
    let attachment = made.headers()["content-disposition"].to_str().unwrap();
    assert!(attachment.starts_with(&format!("attachment; filename=\"{}-", place.id)));
    let file: Value = made.json().await.unwrap();
    assert_eq!(file["client_email"], email.as_str());
    let key = file["private_key_id"].as_str().unwrap();
    browser.open(&place).await;
    assert!(browser.page.contains(key));
    assert!(!browser.page.contains("PRIVATE KEY"));

    let csrf = browser.csrf();
    let gone = browser
        .post("/accounts/delete", &place, &email, &csrf)
        .await;
    assert_eq!(gone.status(), 303);
    let gone = browser
        .post("/pools/delete", &place, "landfall", &csrf)
        .await;
    assert_eq!(gone.status(), 303);
    browser.open(&place).await;
    assert!(!browser.page.contains(&email));
    let pool = format!(
        "v1/projects/{}/locations/global/workloadIdentityPools/landfall",
        place.id
    );
    let seen = google.get(&place.token, "iam", &pool).await.ok();
    assert_eq!(seen["state"], "DELETED");
}

#[tokio::test]
async fn the_page_does_nothing_for_others_and_nothing_that_is_forbidden() {
    let (google, place, email) = set_up().await;
    let mut browser = Browser::new(&google);
    browser.open(&place).await;
    for csrf in ["", &"0".repeat(64)] {
        for what in ["/keys/create", "/accounts/delete", "/pools/delete"] {
            let answer = browser.post(what, &place, &email, csrf).await;
            assert_eq!(answer.status(), 403, "{what}");
        }
    }
    let csrf = browser.csrf();
    // Another customer's administrator may not, by way of their own project.
    let other = google.place(2);
    let answer = browser
        .post("/accounts/delete", &other, &email, &csrf)
        .await;
    assert_eq!(answer.status(), 400);
    let constraint = json!({
        "resource": place.organization,
        "constraint": "iam.disableServiceAccountKeyCreation",
        "spec": { "rules": [{ "enforce": true }] },
    });
    google.admin("gcp/org-policy", constraint).await;
    let answer = browser.post("/keys/create", &place, &email, &csrf).await;
    assert_eq!(answer.status(), 400);
    let text = answer.text().await.unwrap();
    assert!(text.contains("Key creation is not allowed"), "{text}");
    let account = format!("v1/projects/{}/serviceAccounts/{email}", place.id);
    google.get(&place.token, "iam", &account).await.ok();
}
