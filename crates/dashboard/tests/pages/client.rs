//! A browser as far as the pages need one: a cookie and the forms' proof.

use crate::common::{Person, World};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use landfall_dashboard::Options;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tower::ServiceExt;

pub struct Browser {
    router: Router,
    cookie: String,
}

pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Browser {
    pub async fn signed_in(world: &World, person: &Person) -> Self {
        let router = landfall_dashboard::router(
            world.app.clone(),
            Options {
                public_url: "http://127.0.0.1:7070".to_owned(),
            },
        );
        let mut browser = Self {
            router,
            cookie: String::new(),
        };
        let form = format!("token={}", person.secret());
        let request = Request::post("/sign-in").body(Body::from(form)).unwrap();
        let response = browser.send(request).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie
            .split(';')
            .next()
            .unwrap()
            .clone_into(&mut browser.cookie);
        browser
    }

    async fn send(&self, mut request: Request<Body>) -> Response {
        if !self.cookie.is_empty() {
            let cookie = self.cookie.parse().unwrap();
            request.headers_mut().insert(header::COOKIE, cookie);
        }
        let remote = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4711));
        request.extensions_mut().insert(ConnectInfo(remote));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Page {
        let response = self.open(path).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Page {
            status: parts.status,
            headers: parts.headers,
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Without reading the body, which may never end.
    pub async fn open(&self, path: &str) -> Response {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }
}

impl Page {
    /// The attribute's first value.
    pub fn attribute(&self, name: &str) -> String {
        let (_, rest) = self
            .html
            .split_once(&format!("{name}=\""))
            .unwrap_or_else(|| panic!("no {name} in {}", self.html));
        let (value, _) = rest.split_once('"').unwrap();
        value.replace("&#38;", "&")
    }
}

pub struct Stream {
    body: Body,
    pub read: String,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        Self {
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// Reads until `text` came; false when the stream ended first.
    pub async fn until(&mut self, text: &str) -> bool {
        let reading = async {
            while !self.read.contains(text) {
                let Some(frame) = self.body.frame().await else {
                    return false;
                };
                let data = frame.unwrap().into_data().unwrap();
                self.read.push_str(std::str::from_utf8(&data).unwrap());
            }
            true
        };
        tokio::time::timeout(Duration::from_secs(20), reading)
            .await
            .unwrap_or_else(|_| panic!("'{text}' never came"))
    }
}
