// What htmx does not give. Pages work without it.

// Copy buttons; the text can be selected by hand.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.textContent);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
});

// A part of the page that is replaced because what it shows has changed: what
// is open stays open, what is scrolled stays there, and focus stays where it is.
const places = new WeakMap();

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  const open = new Map();
  for (const one of part.querySelectorAll("details[id]")) {
    open.set(one.id, { open: one.open, byDefault: one.dataset.default });
  }
  const scrolled = new Map();
  for (const one of part.querySelectorAll("[id]")) {
    if (one.scrollLeft || one.scrollTop) scrolled.set(one.id, [one.scrollLeft, one.scrollTop]);
  }
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  places.set(part, { open, scrolled, focused });
});

document.addEventListener("htmx:afterSwap", (event) => {
  const part = event.detail.target;
  const place = places.get(part);
  if (!place) return;
  places.delete(part);
  for (const [id, was] of place.open) {
    const one = document.getElementById(id);
    // What has just failed opens by itself.
    if (one && one.dataset.default === was.byDefault) one.open = was.open;
  }
  for (const [id, [left, top]] of place.scrolled) {
    document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
  }
  if (place.focused) document.getElementById(place.focused)?.focus({ preventScroll: true });
});

// Fields that only some methods need are shown, and sent, with these.
function showFieldsOfMethod(form) {
  const chosen = form.querySelector("input[name=method]:checked")?.value;
  for (const field of form.querySelectorAll("[data-methods]")) {
    field.hidden = Boolean(chosen) && !field.dataset.methods.split(" ").includes(chosen);
    for (const input of field.querySelectorAll("input, textarea")) input.disabled = field.hidden;
  }
}
for (const form of document.querySelectorAll("form")) {
  if (!form.querySelector("[data-methods]")) continue;
  showFieldsOfMethod(form);
  form.addEventListener("change", () => showFieldsOfMethod(form));
}

// A key file that is dropped or chosen is read here; it can be pasted, too.
for (const area of document.querySelectorAll("[data-drop]")) {
  const text = area.querySelector("textarea");
  const read = async (file) => {
    // A real one has 2.4 kB.
    if (file && file.size < 65536) text.value = await file.text();
  };
  const input = area.querySelector("input[type=file]");
  input.hidden = false;
  input.addEventListener("change", () => read(input.files[0]));
  area.addEventListener("dragover", (event) => event.preventDefault());
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
}
