//! What the customer does in a browser: opens the quick-create link,
//! acknowledges, creates the stack.

use anyhow::{Context as _, anyhow, ensure};
use std::time::Duration;

/// Follows a quick-create link on the console, as a browser without script
/// would, signed in to `account_id`.
pub async fn create_stack(link: &str, account_id: &str) -> anyhow::Result<()> {
    let (page, review) = link
        .split_once("#/stacks/create/review?")
        .ok_or_else(|| anyhow!("{link} is not a quick-create link"))?;
    let (base, query) = page.split_once("/home").unwrap_or((page, ""));
    let region = query.trim_start_matches('?');
    let form = format!("{base}/quick-create?{region}&account={account_id}&{review}");

    let browser = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?;
    let opened = browser.get(&form).send().await?;
    ensure!(opened.status().is_success(), "the console answers {}", opened.status());
    let cookies: Vec<String> = opened
        .headers()
        .get_all(reqwest::header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
        .collect();
    let html = opened.text().await?;
    let mut fields = hidden_and_text_fields(&html);
    fields.push(("capabilities".into(), "CAPABILITY_NAMED_IAM".into()));
    let action = attribute(&html, "<form", "id=\"create-stack-form\"", "action")
        .context("the console's page has no form")?;
    let target = reqwest::Url::parse(&form)?.join(&action)?;
    let answer = browser
        .post(target)
        .header(reqwest::header::COOKIE, cookies.join("; "))
        .form(&fields)
        .send()
        .await?;
    let status = answer.status();
    ensure!(
        status.is_success() || status.is_redirection(),
        "creating the stack was answered {status}: {}",
        answer.text().await.unwrap_or_default()
    );
    Ok(())
}

/// Name and value of every input but checkboxes.
fn hidden_and_text_fields(html: &str) -> Vec<(String, String)> {
    html.split("<input")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            if value_of(tag, "type").as_deref() == Some("checkbox") {
                return None;
            }
            Some((value_of(tag, "name")?, value_of(tag, "value").unwrap_or_default()))
        })
        .collect()
}

fn attribute(html: &str, element: &str, having: &str, name: &str) -> Option<String> {
    html.split(element)
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .find(|tag| tag.contains(having))
        .and_then(|tag| value_of(tag, name))
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
    fn fields_and_the_forms_action_are_read() {
        let html = r#"<form id="other" action="/x"></form>
            <form method="post" id="create-stack-form" action="/create">
            <input type="hidden" name="csrf" value="a&amp;b"><input name="p" value="">
            <input type="checkbox" name="capabilities" value="C"></form>"#;
        assert_eq!(
            hidden_and_text_fields(html),
            [("csrf".into(), "a&b".into()), ("p".into(), String::new())]
        );
        let action = attribute(html, "<form", "id=\"create-stack-form\"", "action");
        assert_eq!(action.as_deref(), Some("/create"));
    }
}
