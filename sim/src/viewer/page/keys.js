// The keyboard: one table, which the help shows too.

import { byId, make } from "./dom.js";

const PAGES = 100;

/** Every key: how it is written, what it does in words, and the doing. */
function bindings({ state, strips, steps, regions, player, theme }) {
  const by = (count) => () => state.goTo(state.step + count);
  return [
    [["ArrowRight"], "→", "one step on", by(1)],
    [["ArrowLeft"], "←", "one step back", by(-1)],
    [["Shift+ArrowRight", "PageDown"], "⇧→ or Page Down", `${PAGES} steps on`, by(PAGES)],
    [["Shift+ArrowLeft", "PageUp"], "⇧← or Page Up", `${PAGES} steps back`, by(-PAGES)],
    [["Home"], "Home", "before the first step", () => state.goTo(0)],
    [["End"], "End", "the last step", () => state.goTo(state.recording.steps)],
    [["d"], "d", "where the case diverges, or ended early", () => jump(state)],
    [["n"], "n", "the next step that is refused or faults", () => steps.nextNotable(1)],
    [["p"], "p", "the one before", () => steps.nextNotable(-1)],
    [[" "], "Space", "play, or stop", () => player.toggle()],
    [["+", "=", "Shift++"], "+", "zoom in", () => strips.zoom(1 / 2)],
    [["-"], "−", "zoom out", () => strips.zoom(2)],
    [["0"], "0", "the whole address space", () => strips.whole()],
    [["f"], "f", "zoom to what the step is about", () => strips.focusOnStep()],
    [[","], ",", "move left", () => strips.pan(-0.25)],
    [["."], ".", "move right", () => strips.pan(0.25)],
    [["c"], "c", "squeeze unused space, or the true scale", () => strips.squeeze(!state.squeezed)],
    [["s"], "s", "the next side in the table of regions", () => regions.nextSide()],
    [["/"], "/", "find a step", () => byId("find").focus()],
    [["t"], "t", "light, dark, or as the system has it", () => theme.next()],
    [["?", "Shift+?"], "?", "these keys", () => showKeys()],
  ];
}

function jump(state) {
  const { ended } = state.recording;
  if (ended) state.goTo(ended);
}

function showKeys() {
  const help = byId("keys");
  if (help.open) help.close();
  else help.showModal();
}

export function listenToKeys(parts) {
  const table = bindings(parts);
  const actions = new Map(table.flatMap(([keys, , , act]) => keys.map((key) => [key, act])));
  byId("key-list").replaceChildren(...table.flatMap(([, shown, words]) =>
    [make("dt", {}, make("kbd", {}, shown)), make("dd", {}, words)]));
  byId("show-keys").addEventListener("click", showKeys);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    // A button, a box or a choice has its own use for these.
    const own = target.closest("button, input[type=checkbox], input[type=radio], select, summary");
    if (own && (event.key === " " || event.key === "Enter")) return;
    if (target.closest("select, input[type=radio]") && event.key.startsWith("Arrow")) return;
    if (byId("keys").open && event.key !== "?") return;
    const action = actions.get(`${event.shiftKey ? "Shift+" : ""}${event.key}`);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
