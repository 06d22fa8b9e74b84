use crate::session::SignedIn;

/// What surrounds every page.
pub struct Frame {
    pub name: String,
    pub role: &'static str,
    pub csrf: String,
    /// The path of the section that the page is in.
    pub section: &'static str,
}

impl Frame {
    pub fn new(signed_in: &SignedIn, section: &'static str) -> Self {
        Self {
            name: signed_in.actor.name().to_owned(),
            role: signed_in.actor.role().as_str(),
            csrf: signed_in.csrf.clone(),
            section,
        }
    }

    pub fn links(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("/", "Overview"),
            ("/connections", "Connections"),
            ("/applications", "Applications"),
            ("/retained", "Retained"),
            ("/audit", "Audit"),
            ("/settings", "Settings"),
        ]
    }
}
