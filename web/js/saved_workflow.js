// A PNG that holds a ComfyUI graph opens as that graph, whatever else it holds. Some front ends (1.32, of ComfyUI
// 0.3.75; not later ones) build a small graph of AUTOMATIC1111's text instead where there is one, as in Save Prompt's files.
import { app } from "../../../scripts/app.js";

const SIGNATURE = "\x89PNG\r\n\x1a\n";
const AROUND = 12; // the length, type and checksum of a chunk, in bytes
const OTHER = "parameters";
const GRAPHS = ["workflow", "prompt"];

const latin = (bytes) => String.fromCharCode(...bytes);

/** Where the texts of a PNG stand, up to where a damaged one ends: their keyword, and the chunk's first byte and end. */
function* textsOf(bytes) {
  const view = new DataView(bytes.buffer);
  let start = SIGNATURE.length;
  while (start + AROUND <= bytes.length) {
    const end = start + AROUND + view.getUint32(start);
    if (["tEXt", "iTXt"].includes(latin(bytes.subarray(start + 4, start + 8)))) {
      const named = bytes.subarray(start + 8, Math.min(start + 8 + 80, end)); // a keyword has at most 79 bytes
      yield { keyword: latin(named).split("\0")[0], start, end };
    }
    start = end;
  }
}

/** The file; without AUTOMATIC1111's text if it is a PNG that holds a graph, too. */
async function graphFirst(file) {
  if (latin(new Uint8Array(await file.slice(0, SIGNATURE.length).arrayBuffer())) !== SIGNATURE) return file;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = [...textsOf(bytes)];
  if (!texts.some(({ keyword }) => GRAPHS.includes(keyword))) return file;
  const parts = [];
  let kept = 0;
  for (const { start, end } of texts.filter(({ keyword }) => keyword === OTHER)) {
    parts.push(bytes.subarray(kept, start));
    kept = end;
  }
  return parts.length ? new File([...parts, bytes.subarray(kept)], file.name, { type: file.type }) : file;
}

app.registerExtension({
  name: "img2prompt.saved_workflow",
  setup() {
    const { handleFile } = app;
    if (!handleFile) return;
    app.handleFile = async function (file, ...how) {
      return handleFile.call(this, await graphFirst(file), ...how);
    };
  },
});
