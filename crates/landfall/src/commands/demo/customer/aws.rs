//! An AWS customer in a browser: opens the quick-create link, acknowledges,
//! creates the stack; deletes it.

use super::{Asked, Customer, browser::Browser, customer, text};
use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use serde_json::{Value, json};

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
    let browser = Browser::new()?;
    let form = browser.open(page).await?.form(action, &[])?;
    browser.send(&form).await?;
    Ok(())
}
