// Elements for what the pack shows on nodes, in the colours of ComfyUI's theme. Everything comes in as text, never as
// HTML: what a model wrote can do nothing in the page.
import { text } from "./texts.js";

const SHOWN_MS = 1500;
document.head.append(make("link", { rel: "stylesheet", href: new URL("../css/img2prompt.css", import.meta.url).href }));

/** An element with these properties and children; a text stays a text, and what is empty is left out. */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter(Boolean));
  return element;
}

export const button = (label, onclick, properties) => make("button", { type: "button", onclick, ...properties }, label);

async function copyNew(words) {
  await navigator.clipboard.writeText(words);
  return true;
}

/** The way of pages that have no clipboard: those that come by http from another machine. */
function copyOld(words) {
  const area = make("textarea", { value: words, readOnly: true });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus?.();
  return copied;
}

/** A button that copies what `words` gives, and says whether it has. */
export function copyButton(label, words) {
  const copy = async () => {
    const copied = await copyNew(words()).catch(() => copyOld(words()));
    made.textContent = copied ? text("Copied") : text("Not copied");
    setTimeout(() => (made.textContent = label), SHOWN_MS);
  };
  const made = button(label, copy, { ariaLive: "polite" });
  return made;
}
