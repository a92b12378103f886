// Shows on a node what the model is writing, and what it wrote. This is a result: kept out of the workflow file and of
// what the server gets.
import { app } from "../../../scripts/app.js";
import { ART_STYLE, bodyOf, footOf, rowsOf } from "./card.js";
import { button, copyButton, make } from "./dom.js";
import { named, text } from "./texts.js";

// node id to what it writes, and the widget's least height in pixels
const NODES = {
  Img2Prompt_ImageToPrompt: ["prompt", 200],
  Img2Prompt_ImageToText: ["text", 180],
  Img2Prompt_MixPrompt: ["prompt", 200],
  Img2Prompt_MultiImageStory: ["story", 260],
  Img2Prompt_ReadPrompt: ["found prompt", 240],
  Img2Prompt_RenderPrompt: ["prompt", 200],
  Img2Prompt_SavePrompt: ["saved prompt", 200],
  Img2Prompt_StartPromptEngine: ["engine", 110],
};
const WIDE = 380; // a node's least width
const MARGIN = 10; // of a DOM widget in the classic view
const AT_END_PX = 24;

class ShownText {
  constructor(written) {
    Object.assign(this, { written, value: "", pictures: [], at: 0, live: null, open: new Set([ART_STYLE]) });
    this.frame = make("div", { className: "i2p-frame" });
    this.element = make("div", { className: "i2p" }, this.frame);
    this.draw();
  }

  /** `texts`: of all pictures, of which a long list shows some. */
  show(pictures, value, texts) {
    Object.assign(this, { pictures, value, texts, at: 0, live: null });
    this.draw();
  }

  /** `‹ 2 / 8 ›`: after the last picture the first. */
  pager() {
    const [n, all] = [this.at + 1, this.pictures.length];
    const step = (name, by, ariaLabel) => {
      const turn = () => {
        this.at = (this.at + by + all) % all;
        this.draw();
        this.frame.querySelector(`[name="${name}"]`).focus(); // the button drawn anew
      };
      return button(name, turn, { name, ariaLabel });
    };
    const group = { role: "group", ariaLabel: text("Picture {n} of {all}", { n, all }) };
    const next = step("›", 1, text("Next picture"));
    return make("span", group, step("‹", -1, text("Previous picture")), ` ${n} / ${all} `, next);
  }

  draw() {
    const { pictures } = this;
    const shown = pictures[this.at];
    const placeholder = () => text("The {what} appears here when the node has run.", { what: named(this.written) });
    if (!shown) return this.fill(null, [make("div", { className: "i2p-dim" }, placeholder())]);
    const several = pictures.length > 1;
    const bar = [
      several ? this.pager() : make("span", {}, named(shown.title ?? this.written)),
      copyButton(text("Copy"), () => shown.text),
      several && copyButton(text("Copy all"), () => this.texts.join("\n\n")),
    ];
    this.fill(bar, bodyOf(shown, this.open), footOf(shown));
  }

  fill(bar, body, foot) {
    this.body = make("div", { className: "i2p-body", tabIndex: 0 }, ...body);
    const part = (name, content) => (content?.length ? make("div", { className: `i2p-${name}` }, ...content) : "");
    this.frame.replaceChildren(part("bar", bar), this.body, part("foot", foot));
  }

  /** What the model has written so far; it takes the place of what was shown until `endLive` or `show`. */
  showLive({ picture, of, done, fields }) {
    if (!this.live) {
      this.live = make("span");
      this.fill([this.live], []);
      this.body.classList.add("i2p-live");
    }
    const { body } = this;
    const follows = body.scrollTop + body.clientHeight > body.scrollHeight - AT_END_PX;
    const count = [text("Picture {n} of {all}", { n: picture, all: of }), text("{done} done", { done })];
    this.live.textContent = [text("Writing …"), ...(of > 1 ? count : [])].join(" · ");
    body.replaceChildren(rowsOf(fields));
    if (follows) body.scrollTop = body.scrollHeight;
  }

  endLive() {
    this.live = null;
    this.draw();
  }
}

/** The wheel scrolls a text that is longer than its place, else it is the canvas's, as the middle button is. A drag
 * selects text; Ctrl+C copies it. */
function keepInput(shown) {
  const { element } = shown;
  const keep = (event) => {
    event.stopPropagation();
    const { scrollHeight, clientHeight } = shown.body;
    const scrolls = scrollHeight > clientHeight;
    element.dataset.captureWheel = scrolls; // Nodes 2.0 else takes the wheel before we hear of it
    if (event.type === "pointerdown" && event.button === 1) app.canvas.processMouseDown(event);
    if (event.type !== "wheel") return;
    if (scrolls && !event.ctrlKey && Math.abs(event.deltaY) >= Math.abs(event.deltaX)) return;
    event.preventDefault();
    app.canvas.processMouseWheel(event);
  };
  for (const type of ["pointerdown", "pointermove", "pointerup", "dblclick", "contextmenu", "copy", "wheel"])
    element.addEventListener(type, keep, { passive: false });
}

const shownOn = new WeakMap(); // node to its ShownText

function addWidget(node, [written, height]) {
  const shown = new ShownText(written);
  shownOn.set(node, shown);
  shown.element.style.minHeight = `${height - 2 * MARGIN}px`;
  shown.element.classList.add("widget-expands"); // Nodes 2.0: takes what height the node has left
  keepInput(shown);
  const widget = node.addDOMWidget("shown", "img2prompt_shown", shown.element, {
    getValue: () => shown.value,
    getMinHeight: () => height,
    serialize: false,
  });
  widget.serialize = false;
  widget.label = named(written);
}

/** As plain text, the notes first, each once. One picture: its text. Several: numbered. */
function asText(texts, notes) {
  const shown = texts.length === 1 ? texts : texts.map((words, i) => `${i + 1}. ${words}`);
  return [...new Set(notes.map((note) => `(${note})`)), shown.join("\n\n")].join("\n");
}

/** What a run gave: pictures to show, and all of it as plain text. Nothing where it says nothing of either. */
function resultOf({ shown, text: texts = shown?.map((picture) => picture.text), note: notes = [] }) {
  return texts && [shown ?? texts.map((words) => ({ text: words, notes })), asText(texts, notes), texts];
}

/** A seed that changes by itself would ask the model again at every run; the front end offers no other default. */
function keepSeed(node) {
  const control = node.widgets?.find((w) => w.name === "seed")?.linkedWidgets?.[0];
  if (control) control.value = "fixed";
}

/** Nodes 2.0 shows what a run gave in the place of the chosen file's picture; this shows that again. */
function keepPicture(node) {
  const [file, upload] = ["image", "upload"].map((name) => node.widgets.find((w) => w.name === name));
  if (upload) file?.callback?.(file.value);
}

/** A node by the id that it has while it runs, such as 12, or 7:3 in the subgraph that is node 7. */
function running(id) {
  const top = { subgraph: app.rootGraph ?? app.graph };
  return id.split(":").reduce((node, part) => node?.subgraph?.getNodeById(part), top);
}

const writing = new Set(); // the ShownTexts that show live text
let ended = false; // what comes late is not shown

app.registerExtension({
  name: "img2prompt.shown_text",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    const about = NODES[nodeData.name];
    if (!about) return;
    const { onNodeCreated, onExecuted } = nodeType.prototype;
    // made at once, not when the first result comes: Nodes 2.0 does not show a widget that is added later
    nodeType.prototype.onNodeCreated = function (...args) {
      onNodeCreated?.apply(this, args);
      keepSeed(this);
      addWidget(this, about);
      const [width, height] = this.computeSize();
      this.setSize([Math.max(WIDE, width, this.size[0]), Math.max(height, this.size[1])]);
    };
    nodeType.prototype.onExecuted = function (message) {
      onExecuted?.call(this, message);
      const shown = shownOn.get(this);
      const result = resultOf(message ?? {});
      if (result) shown.show(...result);
      else if (writing.has(shown)) shown.endLive();
      writing.delete(shown);
      keepPicture(this);
    };
  },
  /** A workflow's tab is shown again, its nodes made anew; the front end has kept what they gave. */
  onNodeOutputsUpdated(outputs) {
    for (const [id, output] of Object.entries(outputs)) {
      const shown = shownOn.get(running(id));
      const result = shown && !shown.value && resultOf(output);
      if (result) shown.show(...result);
    }
  },
  setup() {
    app.api.addEventListener("img2prompt.live", ({ detail }) => {
      const shown = !ended && shownOn.get(running(detail.node));
      if (!shown) return;
      writing.add(shown);
      shown.showLive(detail);
    });
    for (const type of ["execution_start", "execution_success", "execution_error", "execution_interrupted"])
      app.api.addEventListener(type, () => {
        ended = type !== "execution_start";
        for (const shown of writing) shown.endLive();
        writing.clear();
      });
  },
});
