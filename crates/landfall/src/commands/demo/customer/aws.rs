//! An AWS customer in a browser: opens the quick-create link, acknowledges,
//! creates the stack; deletes it.

use super::{Asked, Customer, customer, text};
use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: &str = "/console/cloudformation/stacks";
const DELETE: &str = "/console/cloudformation/stacks/delete";

/// Who administrates an account, by either method.
pub struct Account {
    pub account_id: String,
}

impl Account {
    /// The customer at this place in what the sandbox printed.
    pub fn of(ready: &Value, place: usize) -> anyhow::Result<Self> {
        let account = customer(&ready["aws"]["accounts"], place, "account")?;
        Ok(Self {
            account_id: text(account, "id")?,
        })
    }
}

#[async_trait]
impl Customer for Account {
    async fn begin(&self) -> anyhow::Result<Value> {
        Ok(json!({ "account_id": self.account_id }))
    }

    /// The quick-create link asks for nothing back.
    async fn grant(&self, asked: &Asked) -> anyhow::Result<Option<Value>> {
        create_stack(link(asked)?, &self.account_id).await?;
        Ok(None)
    }

    async fn revoke(&self, asked: &Asked) -> anyhow::Result<()> {
        let stack = asked.fact("stack")?;
        delete_stack(link(asked)?, stack, &self.account_id).await
    }
}

fn link(asked: &Asked) -> anyhow::Result<&str> {
    asked
        .guide
        .link()
        .context("the grant has no quick-create link")
}

/// The pages of the console that a quick-create link leads to, their region,
/// and what the link says about the stack.
fn console(link: &str) -> anyhow::Result<(&str, &str, &str)> {
    let (page, review) = link
        .split_once("#/stacks/create/review?")
        .ok_or_else(|| anyhow!("{link} is not a quick-create link"))?;
    let (base, query) = page.split_once("/home").unwrap_or((page, ""));
    Ok((base, query.trim_start_matches('?'), review))
}

/// Follows a quick-create link on the console, as a browser without script
/// would, signed in to `account_id`.
pub async fn create_stack(link: &str, account_id: &str) -> anyhow::Result<()> {
    let (base, region, review) = console(link)?;
    // Ticking the box is sending it: the page says what it acknowledges.
    let page = format!("{base}/quick-create?{region}&account={account_id}&{review}");
    press(&page, CREATE).await.context("creating the stack")
}

/// Deletes a stack on its page, in the console that `link` leads to.
async fn delete_stack(link: &str, stack: &str, account_id: &str) -> anyhow::Result<()> {
    let (base, region, _) = console(link)?;
    let page = format!("{base}/stack?{region}&account={account_id}&id={stack}");
    press(&page, DELETE).await.context("deleting the stack")
}

/// Opens `page` and sends its form to `action` as it is.
async fn press(page: &str, action: &str) -> anyhow::Result<()> {
    let browser = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?;
    let opened = browser.get(page).send().await?;
    ensure!(
        opened.status().is_success(),
        "the console answers {}",
        opened.status()
    );
    let cookies: Vec<String> = opened
        .headers()
        .get_all(reqwest::header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
        .collect();
    let html = opened.text().await?;
    let fields = fields(form_to(action, &html).context("the console's page has no such form")?);
    let answer = browser
        .post(reqwest::Url::parse(page)?.join(action)?)
        .header(reqwest::header::COOKIE, cookies.join("; "))
        .form(&fields)
        .send()
        .await?;
    let status = answer.status();
    ensure!(
        status.is_success() || status.is_redirection(),
        "the console answers {status}: {}",
        answer.text().await.unwrap_or_default()
    );
    Ok(())
}

/// The form that is sent to `action`.
fn form_to<'a>(action: &str, html: &'a str) -> Option<&'a str> {
    let attribute = format!("action=\"{action}\"");
    html.split("<form")
        .skip(1)
        .find(|form| {
            form.split('>')
                .next()
                .is_some_and(|tag| tag.contains(&attribute))
        })
        .and_then(|form| form.split("</form>").next())
}

/// Name and value of every input.
fn fields(form: &str) -> Vec<(String, String)> {
    form.split("<input")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            Some((
                value_of(tag, "name")?,
                value_of(tag, "value").unwrap_or_default(),
            ))
        })
        .collect()
}

fn value_of(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag.get(start..)?.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#x27;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_the_right_form_are_read() {
        let html = r#"<form action="/x"><input name="other" value="1"></form>
            <form method="post" action="/create">
            <input type="hidden" name="csrf" value="a&amp;b"><input name="p" value="">
            <input type="checkbox" name="capability" value="C"></form>"#;
        assert_eq!(
            fields(form_to("/create", html).unwrap()),
            [
                ("csrf".into(), "a&b".into()),
                ("p".into(), String::new()),
                ("capability".into(), "C".into())
            ]
        );
        assert!(form_to("/absent", html).is_none());
    }
}
