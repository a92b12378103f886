// What the pack's scripts say, in the language of ComfyUI's settings: the English words are the key in the pack's
// locales/LANGUAGE/main.json. Read once: another language counts after a reload.
import { app } from "../../../scripts/app.js";

/** English to the chosen language; empty for English, and where there is no translation. */
async function translations() {
  const language = app.ui.settings.getSettingValue("Comfy.Locale") ?? "en";
  if (language === "en") return {};
  try {
    return (await (await app.api.fetchApi("/i18n")).json())[language]?.img2prompt ?? {};
  } catch {
    return {}; // English words are better than none
  }
}

// Awaited, so that who imports this may ask for words at any time.
const words = Object.assign(Object.create(null), await translations());

/** What the server calls a part of a result, in the user's language. */
export const named = (part) => words[part] ?? part;

/** The English words in the user's language, each {name} filled in. */
export function text(english, values = {}) {
  return (words[english] ?? english).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
