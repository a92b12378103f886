// Front ends such as 1.32.9 take in what node packs say in other languages (/i18n), then load the user's language, which
// replaces it (mended by ComfyUI_frontend's pull request 7214). Here it is put back; where the front end is built
// otherwise, names stay English.
import { api } from "../../../scripts/api.js";

/** The vue-i18n of ComfyUI's page, if it is where Vue and vue-i18n put it. */
function translator() {
  const page = document.getElementById("vue-app")?.__vue_app__;
  return page?._context?.provides?.[page.__VUE_I18N_SYMBOL__]?.global;
}

/** Keep what the packs say in `i18n`, whatever is loaded into it. */
async function keep(i18n) {
  const { setLocaleMessage } = i18n;
  let packs = {};
  const putBack = (language) => packs[language] && i18n.mergeLocaleMessage(language, packs[language]);
  i18n.setLocaleMessage = (language, messages) => {
    setLocaleMessage(language, messages);
    putBack(language);
  };
  try {
    packs = await (await api.fetchApi("/i18n")).json();
  } catch {
    return; // English names are better than none
  }
  i18n.availableLocales.forEach(putBack);
}

const i18n = translator();
if (i18n?.setLocaleMessage && i18n.mergeLocaleMessage) await keep(i18n); // nodes are registered after it
