// Multi-Image Story shows the picture sockets that are connected and one more to connect; two at the least. Names and
// order are those of the definition, so that workflow files, and what is sent to the server, stay the same.
// ComfyUI's Autogrow, where there is one, does that itself and calls them pictures.image_1: then only the sockets of a
// workflow from another ComfyUI are named as here.
import { app } from "../../../scripts/app.js";

const NODE = "Img2Prompt_MultiImageStory";
const FEWEST = 2;
const INPUT = 1; // LiteGraph's NodeSlotType
const GROUP = "pictures";
const MOST = 16;

/** The number of a socket that comes and goes; 0 for any other input. */
const numberOf = ({ name }) => Number(/^(?:pictures\.)?image_(\d+)$/.exec(name)?.[1] ?? 0);
const inUse = (input) => input.link != null || input._floatingLinks?.size > 0;
const rank = (input) => (input.name === "images" ? 0 : numberOf(input) || 1000);

/** Leaves the node those of its sockets that are wanted, in their order before the other inputs; links go along.
 * `sockets` are all that it can have. Returns whether anything has changed. */
function show(node, sockets, wanted) {
  const surplus = node.inputs.filter((input) => numberOf(input) && !wanted(input));
  const missing = sockets.filter((socket) => wanted(socket) && !node.inputs.some(({ name }) => name === socket.name));
  if (!surplus.length && !missing.length) return false;
  const fits = node.size[1] <= node.computeSize()[1];
  for (const input of surplus) node.removeInput(node.inputs.indexOf(input));
  for (const { name, type, ...looks } of missing) node.addInput(name, type, looks);
  node.inputs.sort((a, b) => rank(a) - rank(b)); // addInput has put them last
  for (const [slot, input] of node.inputs.entries()) {
    const link = input.link == null ? undefined : node.graph?.getLink(input.link);
    for (const moved of [link, ...(input._floatingLinks ?? [])]) if (moved) moved.target_slot = slot;
  }
  if (fits) node.setSize([node.size[0], node.computeSize()[1]]); // a height that the user has chosen stays
  return true;
}

/** Shows what the node's links need now. */
function fit(node, sockets) {
  if (!node.graph) return; // a copy that is only read, or deleted since
  const last = Math.max(0, ...node.inputs.filter(inUse).map(numberOf));
  if (!show(node, sockets, (input) => numberOf(input) <= Math.max(FEWEST, last + 1))) return;
  // Nodes 2.0 reads a node's inputs again when it hears of a link
  node.graph.trigger("node:slot-links:changed", { nodeId: node.id, slotType: INPUT });
}

let autogrow = false; // whether the definition asks for it

const ours = ({ name }) => name.startsWith(GROUP) === autogrow;
const nameOf = (index) => `${autogrow ? `${GROUP}.` : ""}image_${index + 1}`;
const byNumber = (a, b) => numberOf(a) - numberOf(b);

/** Names a saved node's picture sockets as this ComfyUI does, without gaps and last, where Autogrow has them; `links` of
 * its graph say at which place they end. */
function rename(node, links) {
  const sockets = node.inputs?.filter(numberOf) ?? [];
  if (sockets.every(ours)) return;
  const linked = sockets.filter(({ link }) => link != null).sort(byNumber);
  if (autogrow && linked.length < MOST) linked.push({ type: sockets[0].type, link: null });
  const named = linked.map(({ type, link }, i) => ({ name: nameOf(i), type, link, localized_name: `image_${i + 1}` }));
  node.inputs = [...node.inputs.filter((input) => !numberOf(input)), ...named];
  const places = new Map(node.inputs.map(({ link }, slot) => [link, slot]));
  for (const link of links ?? []) {
    const slot = places.get(link.id ?? link[0]);
    if (slot === undefined) continue;
    if (Array.isArray(link)) link[4] = slot;
    else link.target_slot = slot;
  }
}

/** The same for a node of an API graph; Autogrow has a socket for a link only when the one before it has a link. */
function renameInputs(inputs) {
  const pictures = Object.keys(inputs).map((name) => ({ name, value: inputs[name] })).filter(numberOf).sort(byNumber);
  if (!autogrow && pictures.every(ours)) return;
  for (const { name } of pictures) delete inputs[name];
  for (const [index, { value }] of pictures.entries()) inputs[nameOf(index)] = value;
}

app.registerExtension({
  name: "img2prompt.growing_pictures",
  async beforeConfigureGraph(saved) {
    for (const { nodes, links } of [saved, ...(saved.definitions?.subgraphs ?? [])])
      for (const node of nodes ?? []) if (node.type === NODE) rename(node, links);
  },
  setup() {
    const { loadApiJson } = app;
    app.loadApiJson = function (graph, ...how) {
      for (const node of Object.values(graph)) if (node.class_type === NODE) renameInputs(node.inputs ?? {});
      return loadApiJson.call(this, graph, ...how);
    };
  },
  async beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name !== NODE) return;
    const { onNodeCreated, onAdded, onConnectionsChange, configure } = nodeType.prototype;
    autogrow = Boolean(nodeData.input?.optional?.[GROUP]);
    if (autogrow) return;
    const made = new WeakMap(); // node to all its sockets, as the definition makes them
    const waiting = new WeakSet();

    // Not at once: an API graph is connected to the sockets of the definition, and a pasted node to those by number
    // that it had when it was copied. Both are done before the next task, and so before anything is drawn.
    function fitSoon(node) {
      if (waiting.has(node)) return;
      waiting.add(node);
      queueMicrotask(() => {
        waiting.delete(node);
        fit(node, made.get(node));
      });
    }
    nodeType.prototype.onNodeCreated = function (...args) {
      onNodeCreated?.apply(this, args);
      const looks = ({ name, type, shape, localized_name }) => ({ name, type, shape, localized_name });
      made.set(this, this.inputs.filter(numberOf).map(looks));
    };
    nodeType.prototype.onAdded = function (...args) {
      onAdded?.apply(this, args);
      fitSoon(this);
    };
    nodeType.prototype.onConnectionsChange = function (type, ...args) {
      onConnectionsChange?.call(this, type, ...args);
      if (type === INPUT) fitSoon(this);
    };
    nodeType.prototype.configure = function (saved) {
      const names = new Set(saved.inputs?.map(({ name }) => name));
      if (names.size) show(this, made.get(this), ({ name }) => names.has(name));
      configure.call(this, saved);
    };
  },
});
