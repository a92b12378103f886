// "Image → Prompt" in the menu of every node that has a picture: adds our node, connected and selected. Also a button
// in the toolbox above a selected node, as Nodes 2.0's menu in 1.32 takes no entries.
import { app } from "../../../scripts/app.js";
import { text } from "./texts.js";

const NODE = "Img2Prompt_ImageToPrompt";
const COMMAND = "Img2Prompt_DescribeImage";
const LABEL = text("Image → Prompt");
const GAP = 70; // to other nodes, a title's height included

const isImage = ({ type }) => String(type).split(",").includes("IMAGE");

/** Where a node's picture comes from, as [node, output]: itself, or what a node that only shows pictures is fed by. */
function sourceOf(node) {
  const output = node?.outputs?.findIndex(isImage) ?? -1;
  if (output >= 0) return [node, output];
  if (!node?.constructor.nodeData?.output_node || node.type === NODE) return undefined;
  const input = node?.inputs?.find((each) => isImage(each) && each.link != null);
  const link = input && node.graph?.getLink(input.link);
  const origin = link && node.graph.getNodeById(link.origin_id);
  return origin ? [origin, link.origin_slot] : undefined;
}

/** Beside `node`, down to where nothing is in the way. */
function place(made, node) {
  const [width, height] = made.size;
  const x = node.pos[0] + node.size[0] + GAP;
  let y = node.pos[1];
  const inTheWay = ({ pos, size }) =>
    pos[0] < x + width && x < pos[0] + size[0] && pos[1] < y + height + GAP && y < pos[1] + size[1] + GAP;
  for (let other; (other = node.graph._nodes.find(inTheWay)); ) y = other.pos[1] + other.size[1] + GAP;
  made.pos = [x, y];
}

function describe(node) {
  const source = sourceOf(node);
  const made = source && LiteGraph.createNode(NODE);
  if (!made) return;
  app.canvas.emitBeforeChange(); // with emitAfterChange: one step to undo
  place(made, node);
  node.graph.add(made);
  source[0].connect(source[1], made, "image");
  app.canvas.deselectAll();
  app.canvas.selectItems([made]);
  app.canvas.emitAfterChange();
}

const selected = () => Object.values(app.canvas?.selected_nodes ?? {})[0];

app.registerExtension({
  name: "img2prompt.image_menu",
  commands: [{ id: COMMAND, label: LABEL, icon: "pi pi-align-left", function: () => describe(selected()) }],
  getNodeMenuItems: (node) => (sourceOf(node) ? [{ content: LABEL, callback: () => describe(node) }] : []),
  getSelectionToolboxCommands: (item) => (sourceOf(item) ? [COMMAND] : []),
});
