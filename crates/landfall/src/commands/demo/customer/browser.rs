//! A browser without script, as far as forms need one.

use anyhow::{Context as _, ensure};
use reqwest::{
    Response, Url,
    header::{COOKIE, LOCATION, SET_COOKIE},
    redirect::Policy,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// One window: all that it opens is of one site, so all share the cookies.
pub struct Browser {
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A page as it was shown.
pub struct Page {
    pub url: Url,
    pub html: String,
}

/// A filled form.
pub struct Form {
    target: Url,
    fields: Vec<(String, String)>,
}

/// What a form was answered with.
pub struct Sent {
    /// Where it leads on to.
    pub location: Option<Url>,
    /// Otherwise the page, or a file.
    pub page: Page,
}

impl Browser {
    pub fn new() -> anyhow::Result<Self> {
        Self::build(reqwest::Client::builder())
    }

    /// One that trusts this authority and no other.
    pub fn trusting(authority: reqwest::Certificate) -> anyhow::Result<Self> {
        Self::build(reqwest::Client::builder().tls_certs_only([authority]))
    }

    fn build(client: reqwest::ClientBuilder) -> anyhow::Result<Self> {
        Ok(Self {
            http: client
                .redirect(Policy::none())
                .timeout(Duration::from_secs(30))
                .build()?,
            cookies: Mutex::default(),
        })
    }

    fn cookies(&self) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn keep(&self, answer: &Response) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Sent> {
        let answer = request.header(COOKIE, self.cookies()).send().await?;
        self.keep(&answer);
        let url = answer.url().clone();
        let location = answer
            .headers()
            .get(LOCATION)
            .map(|to| url.join(to.to_str()?).context("an address"))
            .transpose()?;
        let status = answer.status();
        let html = answer.text().await.unwrap_or_default();
        ensure!(
            status.is_success() || status.is_redirection(),
            "{} answers {status}: {html}",
            url.path()
        );
        Ok(Sent {
            location,
            page: Page { url, html },
        })
    }

    pub async fn open(&self, url: &str) -> anyhow::Result<Page> {
        Ok(self.answer(self.http.get(url)).await?.page)
    }

    pub async fn send(&self, form: &Form) -> anyhow::Result<Sent> {
        let request = self.http.post(form.target.clone()).form(&form.fields);
        self.answer(request).await
    }
}

impl Page {
    /// The first form that is sent to `action` (empty: to the page itself) and
    /// holds the fields `of`, with these values.
    pub fn form(&self, action: &str, of: &[(&str, &str)]) -> anyhow::Result<Form> {
        let found = forms(action, &self.html)
            .map(fields)
            .find(|fields| {
                of.iter()
                    .all(|(name, value)| fields.iter().any(|(is, has)| is == name && has == value))
            })
            .with_context(|| format!("{} has no such form", self.url.path()))?;
        let mut target = self.url.join(action)?;
        if action.is_empty() {
            target.set_query(None);
        }
        Ok(Form {
            target,
            fields: found,
        })
    }

    /// The value of the first button whose words begin so.
    pub fn button(&self, words: &str) -> anyhow::Result<String> {
        self.html
            .split("<button")
            .skip(1)
            .find_map(|rest| {
                let (tag, shown) = rest.split_once('>')?;
                shown.starts_with(words).then(|| value_of(tag, "value"))?
            })
            .with_context(|| format!("{} has no button '{words}'", self.url.path()))
    }

    /// Where the link with this id leads.
    pub fn link(&self, id: &str) -> anyhow::Result<String> {
        let attribute = format!("id=\"{id}\"");
        self.html
            .split("<a")
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
            .find(|tag| tag.contains(&attribute))
            .and_then(|tag| value_of(tag, "href"))
            .with_context(|| format!("{} has no link '{id}'", self.url.path()))
    }
}

impl Form {
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(is, _)| is != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The forms that are sent to `action`.
fn forms<'a>(action: &str, html: &'a str) -> impl Iterator<Item = &'a str> {
    let wanted = action.to_owned();
    html.split("<form")
        .skip(1)
        .filter(move |form| {
            let tag = form.split('>').next().unwrap_or_default();
            value_of(tag, "action").unwrap_or_default() == wanted
        })
        .filter_map(|form| form.split("</form>").next())
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
    // The ampersand last: what it makes is no entity any more.
    Some(
        [
            ("&quot;", "\""),
            ("&#34;", "\""),
            ("&#39;", "'"),
            ("&#x27;", "'"),
            ("&lt;", "<"),
            ("&#60;", "<"),
            ("&gt;", ">"),
            ("&#62;", ">"),
            ("&amp;", "&"),
            ("&#38;", "&"),
        ]
        .into_iter()
        .fold(value.to_owned(), |text, (entity, sign)| {
            text.replace(entity, sign)
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        Page {
            url: "http://127.0.0.1/a/b?c=d".parse().unwrap(),
            html: html.to_owned(),
        }
    }

    #[test]
    fn the_fields_of_the_right_form_are_read() {
        let page = page(
            r#"<form action="/x"><input name="other" value="1"></form>
            <form method="post" action="/create"><input name="p" value="1"></form>
            <form method="post" action="/create">
            <input type="hidden" name="csrf" value="a&amp;b"><input name="p" value="">
            <input type="checkbox" name="capability" value="C"></form>
            <form method="post"><input name="here" value="x"></form>"#,
        );
        let form = page.form("/create", &[("p", "")]).unwrap();
        assert_eq!(form.target.as_str(), "http://127.0.0.1/create");
        assert_eq!(
            form.with("p", "2").fields,
            [
                ("csrf".into(), "a&b".into()),
                ("capability".into(), "C".into()),
                ("p".into(), "2".into())
            ]
        );
        let here = page.form("", &[]).unwrap();
        assert_eq!(here.target.as_str(), "http://127.0.0.1/a/b");
        assert!(page.form("/absent", &[]).is_err());
        assert!(page.form("/create", &[("p", "3")]).is_err());
    }

    #[test]
    fn buttons_and_links_are_found_by_what_they_say() {
        let page = page(
            r#"<button name="user" value="1">Accept as reader</button>
            <button name="user" value="2">Accept as admin</button>
            <a href="/x">x</a><a class="b" id="on" href="https://y/?a=1&amp;b=2" rel="z">on</a>"#,
        );
        assert_eq!(page.button("Accept as admin").unwrap(), "2");
        assert_eq!(page.link("on").unwrap(), "https://y/?a=1&b=2");
        assert!(page.button("Cancel").is_err() && page.link("off").is_err());
    }
}
