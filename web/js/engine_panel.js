// The sidebar tab "Prompt Engine": how the engines stand, and Start, Sleep and Stop for those that are ours.
// The server answers when something has changed (?after=); nothing is asked while the tab is closed or the page hidden. A
// custom element, because front ends do not always tell a tab that it was closed.
import { app } from "../../../scripts/app.js";
import { button, make } from "./dom.js";
import { text } from "./texts.js";

const TAG = "img2prompt-engine";
const TRY_AGAIN_MS = 5000;

const STATES = {
  "not installed": text("not installed"),
  stopped: text("stopped"),
  starting: text("starting"),
  awake: text("awake"),
  asleep: text("asleep"),
  failed: text("failed"),
  endpoint: text("endpoint"),
  sketch: text("sketch (no model)"),
};
/** A button makes sense where an engine of our own is in one of its phases. */
const ACTIONS = {
  start: [text("Start"), "stopped asleep failed"],
  sleep: [text("Sleep"), "awake"],
  stop: [text("Stop"), "starting awake asleep"],
};

/** What is told of one engine; rows that say nothing are left out. */
function section({ detail, log_tail, gpu_bytes, tokens_per_s, cache_hits, cache_misses, ...engine }) {
  const all = cache_hits + cache_misses;
  const rows = [
    [text("Progress"), engine.progress],
    [text("Model"), engine.model],
    [text("VRAM"), gpu_bytes && `${(gpu_bytes / 2 ** 30).toFixed(1)} GiB`],
    [text("Speed"), tokens_per_s && text("{n} tokens/s", { n: Math.round(tokens_per_s) })],
    [text("Requests"), text("{running} running, {waiting} waiting", engine)],
    [text("From the cache"), all && text("{n} of {all} answers", { n: cache_hits, all })],
    [text("Address"), engine.endpoint],
  ].filter(([, value]) => value);
  const cells = rows.flatMap((row) => row.map((textContent, i) => make(i ? "dd" : "dt", { textContent })));
  const log = { textContent: log_tail, tabIndex: 0, ariaLabel: text("End of its log") };
  const list = make("dl", { className: "i2p-rows" }, ...cells);
  return [make("p", { textContent: detail }), list, ...(log_tail ? [make("pre", log)] : [])];
}

class EnginePanel extends HTMLElement {
  connectedCallback() {
    if (!this.state) this.build();
    this.closed = new AbortController();
    document.addEventListener("visibilitychange", () => this.follow(), { signal: this.closed.signal });
    this.follow();
  }

  disconnectedCallback() {
    this.closed.abort();
    this.asking?.abort();
  }

  build() {
    this.className = "i2p";
    this.state = make("div", { role: "status" });
    this.engines = make("div");
    this.note = make("p", { role: "alert" });
    // what makes no sense now keeps the focus; a disabled button would lose it
    this.buttons = Object.entries(ACTIONS).map(([action, [name]]) =>
      button(name, ({ target }) => target.ariaDisabled === "false" && this.act(action), { ariaDisabled: "true" }),
    );
    const title = make("h3", { textContent: text("Prompt Engine") });
    this.append(title, this.state, this.engines, ...this.buttons, this.note);
  }

  /** Ask how the engines stand, as long as somebody can see it. */
  async follow() {
    this.asking?.abort();
    if (document.hidden) return;
    const { signal } = (this.asking = new AbortController());
    for (let known = ""; !signal.aborted; ) {
      try {
        const reply = await app.api.fetchApi(`/img2prompt/status${known && `?after=${known}`}`, { signal });
        if (!reply.ok) throw reply;
        const told = await reply.json();
        known = told.version;
        this.show(told);
      } catch {
        if (signal.aborted) return;
        this.say(text("ComfyUI does not answer; trying again."), "failed");
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }

  /** The state in words and colour; told anew only when it is another, as it is read aloud. */
  say(words, state) {
    this.dataset.state = state;
    if (this.state.textContent !== words) this.state.textContent = words;
  }

  show({ engines, problem, phase }) {
    const phases = engines.map((engine) => engine.phase || engine.engine);
    if (problem) phases.push(phase);
    this.say([...new Set(phases)].map((one) => STATES[one]).join(" · "), phases[0]);
    const why = problem ? [make("p", { textContent: problem })] : [];
    this.engines.replaceChildren(...engines.flatMap(section), ...why);
    Object.values(ACTIONS).forEach(([, sensible], i) => {
      this.buttons[i].ariaDisabled = !engines.some((one) => one.phase && sensible.includes(one.phase));
    });
  }

  async act(action) {
    this.note.textContent = "";
    try {
      await (action === "start" ? this.start() : this.post(action));
    } catch (error) {
      this.note.textContent = error.message;
    }
  }

  /** The panel shows what comes of it. */
  async post(action) {
    const headers = { "Content-Type": "application/json" };
    // timeoutMs: newer front ends would give up after a minute
    const how = { method: "POST", headers, body: "{}", timeoutMs: null };
    const reply = await app.api.fetchApi(`/img2prompt/${action}`, how);
    if (!reply.ok) throw new Error((await reply.json()).error);
  }

  /** Run the node Start Prompt Engine, behind what is in the queue: ComfyUI has to make room on the GPU. */
  async start() {
    const node = { class_type: "Img2Prompt_StartPromptEngine", inputs: {} };
    const over = new AbortController();
    const ended = {};
    let wake;
    const end = ({ detail }) => {
      ended[detail.prompt_id] = detail.exception_message ?? "";
      wake?.();
    };
    for (const kind of ["success", "error", "interrupted"])
      app.api.addEventListener(`execution_${kind}`, end, { signal: over.signal });
    try {
      const { prompt_id } = await app.api.queuePrompt(0, { output: { img2prompt_start: node } });
      // a run can end before its id is known here
      for (; !(prompt_id in ended); await new Promise((next) => (wake = next)))
        this.note.textContent = text("Queued behind what runs now.");
      this.note.textContent = ended[prompt_id];
    } finally {
      over.abort();
    }
  }
}

customElements.define(TAG, EnginePanel);

app.registerExtension({
  name: "img2prompt.engine_panel",
  setup() {
    app.extensionManager.registerSidebarTab({
      id: TAG,
      icon: "pi pi-microchip-ai",
      title: text("Prompt Engine"),
      tooltip: text("Prompt Engine"),
      type: "custom",
      // front ends call it again and again for the same place
      render: (place) => place.querySelector(TAG) ?? place.replaceChildren(make(TAG)),
    });
  },
});
