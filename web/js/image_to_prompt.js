// Shows on a node what it wrote: one read-only text widget, filled when the node has run (or its result was cached).
import { app } from "../../../scripts/app.js";
import { ComfyWidgets } from "../../../scripts/widgets.js";

// node id to what it writes
const NODES = {
  Img2Prompt_ImageToPrompt: "prompt",
  Img2Prompt_ImageToText: "text",
  Img2Prompt_MixPrompt: "prompt",
  Img2Prompt_MultiImageStory: "story",
  Img2Prompt_ReadPrompt: "found prompt",
  Img2Prompt_RenderPrompt: "prompt",
  Img2Prompt_SavePrompt: "saved prompt",
};
const WIDGET = "shown_prompt";
/** The least height of what is long to read: in pixels, and for Nodes 2.0 in rows of text. */
const TALL = {
  story: { pixels: 220, rows: 12 },
  "found prompt": { pixels: 220, rows: 14 },
  "saved prompt": { pixels: 150, rows: 10 },
};

/** The least width of a node that shows what is long to read. */
const WIDE = 380;

/** First the notes, each once: below a long text nobody would see them. One picture: its text. Several: numbered, so that
 * they can be told apart. */
function asText(texts, notes = []) {
  const shown = texts.length === 1 ? texts : texts.map((text, i) => `${i + 1}. ${text}`);
  return [...new Set(notes.map((note) => `(${note})`)), shown.join("\n\n")].join("\n");
}

function addWidget(node, written) {
  const { widget } = ComfyWidgets.STRING(node, WIDGET, ["STRING", { multiline: true }], app);
  widget.label = written;
  widget.options.read_only = true;
  const tall = TALL[written];
  if (tall) Object.assign(widget.options, { getMinHeight: () => tall.pixels, rows: tall.rows });
  // what is shown is a result: kept out of the workflow file and out of what is sent to the server
  widget.serialize = false;
  widget.options.serialize = false;
  if (widget.inputEl) {
    widget.inputEl.readOnly = true;
    widget.inputEl.placeholder = `The ${written} appears here when the node has run.`;
  }
}

/** A seed that changes by itself would ask the model again at every run; the front end offers no other default. */
function keepSeed(node) {
  const control = node.widgets?.find((w) => w.name === "seed")?.linkedWidgets?.[0];
  if (control) control.value = "fixed";
}

/** Nodes 2.0 shows what a run gave in the place of the chosen file's picture; the front end's own callback of the file's
 * widget shows that again. */
function keepPicture(node) {
  if (!node.widgets?.some((w) => w.name === "upload")) return;
  const file = node.widgets.find((w) => w.name === "image");
  file?.callback?.(file.value);
}

app.registerExtension({
  name: "img2prompt.shown_text",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    const written = NODES[nodeData.name];
    if (!written) return;
    const { onNodeCreated, onExecuted } = nodeType.prototype;
    // made at once, not when the first result comes: Nodes 2.0 does not show a widget that is added later
    nodeType.prototype.onNodeCreated = function (...args) {
      onNodeCreated?.apply(this, args);
      keepSeed(this);
      addWidget(this, written);
      if (TALL[written]) this.setSize([Math.max(WIDE, this.size[0]), this.size[1]]);
    };
    nodeType.prototype.onExecuted = function (message) {
      onExecuted?.call(this, message);
      const widget = this.widgets?.find((w) => w.name === WIDGET);
      if (widget && message?.text) widget.value = asText(message.text, message.note);
      keepPicture(this);
    };
  },
});
