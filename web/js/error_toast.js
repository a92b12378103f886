// A toast when one of the pack's nodes fails, with its sentence, which says what to do next; each stands there once.
import { app } from "../../../scripts/app.js";

const LIFE_MS = 30_000;
const told = new Map(); // sentence to the older front ends' message

function tell(summary, detail) {
  const { toast } = app.extensionManager;
  if (toast.error) return toast.error(summary, { description: detail, duration: LIFE_MS, id: detail }); // one an id
  if (told.has(detail)) toast.remove(told.get(detail));
  told.set(detail, { severity: "error", summary, detail, life: LIFE_MS });
  toast.add(told.get(detail));
}

app.registerExtension({
  name: "img2prompt.error_toast",
  setup() {
    app.api.addEventListener("execution_error", ({ detail }) => {
      if (!detail.node_type?.startsWith("Img2Prompt_")) return;
      const title = LiteGraph.registered_node_types[detail.node_type]?.title ?? detail.node_type;
      tell(title, detail.exception_message.trim());
    });
  },
});
