//! Whether a page can be read: in the light, in the dark, and on a phone.

use super::browser::Browser;

const PHONE: (u32, u32) = (390, 844);

/// Every text against what is behind it, by WCAG's formula: level AA asks for
/// 4.5, and for 3 where the text is large.
const CONTRAST: &str = r#"
const channels = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return { r, g, b, a };
};
const over = (top, below) => ({
  r: top.r * top.a + below.r * (1 - top.a),
  g: top.g * top.a + below.g * (1 - top.a),
  b: top.b * top.a + below.b * (1 - top.a),
  a: 1,
});
const luminance = ({ r, g, b }) => {
  const [x, y, z] = [r, g, b].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  const layers = [];
  for (let one = element; one; one = one.parentElement) {
    const box = one.tagName === "g" && one.querySelector("rect");
    const style = getComputedStyle(box || one);
    layers.push(channels(box ? style.fill : style.backgroundColor));
    if (layers.at(-1).a === 1) break;
  }
  return layers.reduceRight((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
};
const found = new Set();
for (const element of document.querySelectorAll("body *")) {
  const text = [...element.childNodes]
    .filter((node) => node.nodeType === Node.TEXT_NODE)
    .map((node) => node.textContent.trim())
    .join("");
  if (!text || !element.getClientRects().length || element.matches("title, option, .skip, :disabled")) continue;
  const style = getComputedStyle(element);
  const back = behind(element);
  const front = over(channels(element.tagName === "text" ? style.fill : style.color), back);
  const [light, dark] = [luminance(front), luminance(back)].sort((one, other) => other - one);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) {
    found.add(`${element.tagName}.${element.className.baseVal ?? element.className} ${ratio.toFixed(2)} "${text.slice(0, 30)}"`);
  }
}
return [...found];
"#;

/// How light the page behind everything is, 0 to 255.
const BACKGROUND: &str = "return Math.max(...getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))";

impl Browser {
    /// Looks at the page in all its looks. Leaves it light and wide.
    pub async fn looks_right(&self, page: &str) {
        for (scheme, is_dark) in [("dark", true), ("light", false)] {
            self.prefers(scheme).await;
            let background: u32 = self.run(BACKGROUND).await;
            assert_eq!(background < 60, is_dark, "{page}, {scheme}: {background}");
            self.can_be_read(&format!("{page}, {scheme}")).await;
            self.picture(&format!("{page}-{scheme}")).await;
        }
        self.screen(Some(PHONE)).await;
        self.fits(page).await;
        self.picture(&format!("{page}-phone")).await;
        self.screen(None).await;
    }

    async fn can_be_read(&self, page: &str) {
        let found: Vec<String> = self.run(CONTRAST).await;
        assert!(found.is_empty(), "{page}: too little contrast: {found:#?}");
    }

    /// Nothing sticks out to the right.
    async fn fits(&self, page: &str) {
        let width: u32 = self.run("return window.innerWidth").await;
        assert_eq!(width, PHONE.0, "{page}");
        let over: i64 = self
            .run("return document.documentElement.scrollWidth - window.innerWidth")
            .await;
        assert!(over <= 0, "{page} is {over} pixels too wide");
    }
}
