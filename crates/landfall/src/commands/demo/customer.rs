//! What the customer does in a browser: opens the quick-create link,
//! acknowledges, creates the stack.

use anyhow::{Context as _, anyhow, ensure};
use std::time::Duration;

const CREATE: &str = "/console/cloudformation/stacks";

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
    // Ticking the box is sending it: the page says what it acknowledges.
    let fields = fields(form_to(CREATE, &html).context("the console's page has no form")?);
    let target = reqwest::Url::parse(&form)?.join(CREATE)?;
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
