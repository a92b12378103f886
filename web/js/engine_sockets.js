// A colour of their own for the sockets and links of a prompt engine, which no colour theme knows; for Nodes 2.0 it is
// in css/img2prompt.css.
import { app } from "../../../scripts/app.js";

app.registerExtension({
  name: "img2prompt.engine_sockets",
  setup() {
    const fixed = { get: () => "#e08a5b", set() {}, enumerable: true }; // a chosen theme empties those it has not
    for (const colors of [app.canvas.default_connection_color_byType, app.canvas.constructor.link_type_colors])
      Object.defineProperty(colors, "IMG2PROMPT_ENGINE", fixed);
  },
});
