// The engine's settings in ComfyUI's settings dialog: a view onto settings.toml on the server.
// Each is drawn here and ComfyUI's own setter never called: nothing is kept in the browser or in comfy.settings.json. Of
// the API key the server tells only whether there is one.
import { app } from "../../../scripts/app.js";
import { button, make } from "./dom.js";
import { text } from "./texts.js";

/** Setting name to what is drawn for it in the dialog that is open. */
const drawn = new Map();
let loading = null;

/** What the server tells of the settings, after these changes. */
async function ask(changes) {
  const headers = { "Content-Type": "application/json" };
  const how = changes && { method: "POST", headers, body: JSON.stringify(changes) };
  const reply = await app.api.fetchApi("/img2prompt/settings", how);
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  return told;
}

function show(told) {
  for (const [name, { input, fill }] of drawn) {
    const setting = told.settings[name];
    const variable = setting.fixed_by;
    input.disabled = Boolean(variable || told.read_only);
    fill(setting, input.disabled);
    const fixed = variable && text("Set by the environment variable {variable}.", { variable });
    say(name, fixed || told.read_only || "");
  }
  if (told.dropped_key) complain("api_key", text("The API key was removed: it belonged to the other server."));
}

function say(name, words, color = "") {
  Object.assign(drawn.get(name).note, { textContent: words }).style.color = color;
}

const complain = (name, words) => say(name, words, "var(--error-text)");

/** Once for a dialog that opens. */
function load() {
  loading ??= Promise.resolve()
    .then(() => ask())
    .then(show)
    .catch((error) => complain("endpoint", error.message))
    .finally(() => (loading = null));
}

/** What is refused stays in its field, to be corrected. */
const save = (name, value) => ask({ [name]: value }).then(show, (error) => complain(name, error.message));

/** What the dialog shows for a setting, with a line for what is to be said about it. */
function draw(name, input, fill, more) {
  input.className = "i2p-setting";
  const note = make("div", { role: "status" });
  const box = make("div", { className: "i2p i2p-settings" }, input, more, note);
  drawn.set(name, { input, fill, note });
  load();
  return box;
}

function endpoint(ariaLabel) {
  const input = make("input", { type: "url", ariaLabel, placeholder: "http://127.0.0.1:8000/v1" });
  input.onchange = () => save("endpoint", input.value);
  return draw("endpoint", input, ({ value }) => (input.value = value));
}

function apiKey(ariaLabel) {
  const input = make("input", { type: "password", ariaLabel, autocomplete: "new-password" });
  const remove = button(text("Remove"), () => save("api_key", ""), { hidden: true });
  input.onchange = () => input.value && save("api_key", input.value);
  const fill = ({ is_set }, fixed) => {
    input.value = "";
    input.placeholder = is_set ? text("A key is set; type another to replace it.") : text("No key is set.");
    remove.hidden = !is_set || fixed;
  };
  return draw("api_key", input, fill, remove);
}

function pixels(ariaLabel) {
  const input = make("input", { type: "number", ariaLabel });
  input.onchange = () => save("max_pixels", input.valueAsNumber);
  return draw("max_pixels", input, ({ value, least, most }) => Object.assign(input, { min: least, max: most, value }));
}

function release(ariaLabel) {
  const input = make("select", { ariaLabel });
  input.onchange = () => save("release", input.value);
  const names = [text("when VRAM is needed"), text("after each run"), text("keep"), text("stop after each run")];
  return draw("release", input, ({ value, choices }) => {
    input.replaceChildren(...choices.map((choice, i) => new Option(names[i], choice)));
    input.value = value;
  });
}

/** A setting as ComfyUI wants it, which translates it by locales/LANGUAGE/settings.json. */
function setting(id, name, type, tooltip) {
  const category = ["Img2Prompt", "Prompt Engine", id];
  return { id: `Img2Prompt.${id}`, category, name, type, tooltip, defaultValue: "" };
}

app.registerExtension({
  name: "img2prompt.settings",
  settings: [
    setting("Release", "Leave the GPU", release, "When the engine leaves the GPU, where a workflow does not say."),
    setting("MaxPixels", "Pixel budget", pixels, "Pictures are scaled down to so many pixels before they are sent."),
    setting("ApiKey", "API key", apiKey, "For the endpoint. Kept on the server, and sent to that endpoint alone."),
    setting("Endpoint", "Endpoint", endpoint, "Base URL of a server with a vision model; your pictures go there."),
  ],
});
