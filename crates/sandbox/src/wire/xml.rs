//! The little XML that the query protocol needs: nested elements with text.

/// A run of XML elements under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Xml(String);

impl Xml {
    pub fn new() -> Self {
        Self::default()
    }

    /// `<name>value</name>`, the value escaped.
    pub fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        self.open(name);
        escape_into(&mut self.0, value.as_ref());
        self.close(name)
    }

    /// [`Xml::text`] when there is a value, nothing otherwise.
    pub fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// `<name>…</name>` around what `fill` writes.
    pub fn node(&mut self, name: &str, fill: impl FnOnce(&mut Xml)) -> &mut Self {
        self.open(name);
        fill(self);
        self.close(name)
    }

    /// `<name><member>…</member>…</name>`.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Xml, T),
    ) -> &mut Self {
        self.node(name, |xml| {
            for item in items {
                xml.node("member", |xml| fill(xml, item));
            }
        })
    }

    /// `<name><member>text</member>…</name>`.
    pub fn texts<T: AsRef<str>>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.list(name, items, |xml, item| xml.raw_text(item.as_ref()))
    }

    /// Text without an element of its own, escaped.
    pub fn raw_text(&mut self, value: &str) {
        escape_into(&mut self.0, value);
    }

    /// What another run holds, after this one.
    pub fn append(&mut self, other: &Xml) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }
}

fn escape_into(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A carriage return that is not written as a reference is
            // normalised away by every XML parser.
            '\r' => out.push_str("&#xD;"),
            // Not representable in XML 1.0 at all.
            c if c < ' ' && c != '\n' && c != '\t' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_stays_legal_xml() {
        let mut xml = Xml::new();
        xml.text("A", "<&>\"\r\u{1}\n")
            .maybe("B", None::<&str>)
            .texts("C", ["x", "y"]);
        assert_eq!(
            xml.as_str(),
            "<A>&lt;&amp;&gt;&quot;&#xD;\n</A><C><member>x</member><member>y</member></C>"
        );
    }
}
