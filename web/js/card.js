// What one picture's result looks like. It knows the parts of `ui.shown` (nodes/shown.py), and nothing of nodes.
import { copyButton, make } from "./dom.js";
import { named, text } from "./texts.js";

const MOST_CHUNKS = 24;
/** [label, value] a line. */
export function rowsOf(pairs) {
  const cells = pairs.flatMap(([name, value]) => [make("dt", {}, named(name)), make("dd", {}, value)]);
  return make("dl", { className: "i2p-rows" }, ...cells);
}

/** A part that folds; `open` has the names of those that are unfolded. */
function folding(name, open, words, ...content) {
  const details = make("details", { open: open.has(name) }, make("summary", {}, named(name)), ...content);
  details.addEventListener("toggle", () => (details.open ? open.add(name) : open.delete(name)));
  return make("div", { className: "i2p-part" }, details, copyButton(text("Copy"), () => words));
}

function swatch([name, color]) {
  const square = make("span", { className: color ? "i2p-swatch" : "i2p-swatch i2p-none" });
  square.style.backgroundColor = color;
  return make("span", {}, square, name);
}

export const ART_STYLE = text("Art style");

function styleCard({ style = [], swatches = [] }, open) {
  if (!style.length && !swatches.length) return null;
  const lines = style.map(([name, value]) => `${name}: ${value}`).join("\n");
  const colors = swatches.length && make("div", { className: "i2p-colors" }, ...swatches.map(swatch));
  return folding(ART_STYLE, open, lines, colors, rowsOf(style));
}

/** Notes first: below a long text nobody would see them. */
export function bodyOf(shown, open) {
  return [
    ...(shown.notes ?? []).map((note) => make("div", { className: "i2p-note i2p-text i2p-dim" }, note)),
    make("div", { className: "i2p-text i2p-main" }, shown.text),
    ...(shown.more ?? []).map(([name, words]) =>
      folding(name, open, words, make("div", { className: "i2p-text" }, words)),
    ),
    styleCard(shown, open),
  ].filter(Boolean);
}

/** How full the budget is: a bar for each chunk that the text encoder reads at a time, or one where it reads all. */
function meter({ tokens, budget, chunk }) {
  const most = Math.max(tokens, budget);
  const step = chunk && most / chunk <= MOST_CHUNKS ? chunk : most;
  const bars = [];
  for (let start = 0; start < most; start += step) {
    const fill = make("div");
    fill.style.width = `${Math.min(1, Math.max(0, (tokens - start) / step)) * 100}%`;
    bars.push(make("div", { className: start >= budget || (tokens > budget && !chunk) ? "i2p-over" : "" }, fill));
  }
  const about = { role: "meter", ariaLabel: text("Tokens"), ariaValueMin: 0, ariaValueMax: most, ariaValueNow: tokens };
  return make("span", { className: "i2p-meter", ...about }, ...bars);
}

function tokensOf(shown) {
  const { tokens, budget } = shown;
  if (!tokens) return null;
  if (!budget) return make("span", {}, text("{tokens} tokens", { tokens }));
  const over = tokens > budget;
  const numbers = text("{tokens} / {budget} tokens", { tokens, budget });
  const title = over ? text("over the budget") : shown.family ?? "";
  return make("span", { className: over ? "i2p-over" : "", title }, meter(shown), numbers);
}

export function footOf(shown) {
  const { engine, seconds, cached } = shown;
  const time = seconds > 0.05 && text("{seconds} s", { seconds: seconds.toFixed(seconds < 10 ? 1 : 0) });
  const by = [engine, time, cached && text("from the cache")].filter(Boolean).join(" · ");
  return [tokensOf(shown), by && make("span", {}, by)].filter(Boolean);
}
