//! Escaping and the frame of every page.

use std::fmt::{self, Display, Write};

/// Text that is safe between tags and inside quoted attributes.
pub(crate) struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escaper<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    match c {
                        '&' => self.0.write_str("&amp;")?,
                        '<' => self.0.write_str("&lt;")?,
                        '>' => self.0.write_str("&gt;")?,
                        '"' => self.0.write_str("&quot;")?,
                        '\'' => self.0.write_str("&#39;")?,
                        c => self.0.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
        write!(Escaper(out), "{}", self.0)
    }
}

/// Escapes text for HTML.
pub(crate) fn e<T: Display>(text: T) -> Escaped<T> {
    Escaped(text)
}

/// Colours and spacing; one sheet for all pages, light and dark.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:light-dark(#1b2530,#e6e9ec);--soft:light-dark(#5a6672,#9aa6b2);\
--page:light-dark(#f4f5f7,#14181d);--card:light-dark(#fff,#1d232a);--line:light-dark(#d9dee3,#323b45);\
--accent:light-dark(#0b62c4,#6db3ff);--good:light-dark(#17733a,#63d08d);--bad:light-dark(#b3261e,#ff8a80);\
--warn:light-dark(#8a5a00,#f2c14e)}\
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}\
.simulated{background:light-dark(#fff4d6,#3a2f10);color:var(--warn);padding:.4rem 1rem;font-size:.9rem;\
border-bottom:1px solid var(--line)}\
main{max-width:56rem;margin:0 auto;padding:1.5rem 1rem 4rem}\
h1{font-size:1.5rem;margin:.2rem 0 1rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}\
.card>h2:first-child{margin-top:0}th:first-child,td:first-child{padding-left:0}form.bar label{margin:0}.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:0 0 1rem}\
.bar{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;justify-content:space-between}\
label{display:block;font-weight:600;margin:.75rem 0 .2rem}\
input[type=text],input[type=password],select{width:100%;padding:.5rem;border:1px solid var(--line);\
border-radius:.4rem;background:var(--page);color:var(--ink);font:inherit}\
select{width:auto}.hint{color:var(--soft);font-size:.9rem;margin:.2rem 0}main>.hint{margin-bottom:1rem}\
.check{display:flex;gap:.6rem;align-items:flex-start;font-weight:400}\
button,.button{background:var(--accent);color:light-dark(#fff,#0b1420);border:0;border-radius:.4rem;\
padding:.55rem 1.1rem;font:inherit;font-weight:600;cursor:pointer;text-decoration:none;display:inline-block}\
button.quiet{background:none;color:var(--bad);border:1px solid currentColor}\
a{color:var(--accent)}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}\
th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;\
overflow-wrap:anywhere}th{color:var(--soft);font-weight:600;white-space:nowrap}\
.status{font-weight:700;color:var(--warn)}.status.good{color:var(--good)}.status.bad{color:var(--bad)}\
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}\
.error{border-color:var(--bad);color:var(--bad)}";

/// A page. `body` is HTML already; `title` is text. `refresh` reloads it after
/// that many seconds.
pub(crate) fn page(title: &str, refresh: Option<u32>, body: &str) -> String {
    let refresh = refresh.map_or_else(String::new, |seconds| {
        format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")
    });
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">{refresh}\
         <title>{}</title><style>{STYLE}</style></head><body>\
         <div class=\"simulated\" role=\"note\">Simulated cloud. Nothing here is real, costs money \
         or leaves this machine.</div><main>{body}</main></body></html>",
        e(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        assert_eq!(
            e("<script>\"&'").to_string(),
            "&lt;script&gt;&quot;&amp;&#39;"
        );
        assert!(page("<b>", None, "").contains("<title>&lt;b&gt;</title>"));
    }
}
