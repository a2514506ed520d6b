// The list of steps: call, outcome, rule; and finding a step by what is written there.

import { byId, make, setText } from "./dom.js";
import { LongTable } from "./list.js";

export class Steps {
  constructor(state) {
    this.state = state;
    const { recording } = state;
    this.threads = recording.about.threads.length > 1;
    const body = byId("step-rows");
    const table = byId("step-table");
    table.setAttribute("aria-rowcount", recording.steps + 1);
    table.classList.toggle("threads", this.threads);
    this.list = new LongTable(byId("step-list"), body, this.threads ? 5 : 4, (index) => this.row(index + 1));
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-step]");
      if (row) state.goTo(Number(row.dataset.step));
    });
    const find = byId("find");
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.find(find.value, event.shiftKey ? -1 : 1);
      if (event.key === "Escape") find.blur();
      event.stopPropagation();
    });
    state.watch((changed) => {
      if (changed.has("step")) this.list.setCurrent(state.step - 1);
    });
    this.list.setCount(recording.steps);
  }

  row(step) {
    const { recording } = this.state;
    const [ending, word] = recording.ending(step);
    const rule = recording.rule(step);
    const overlap = recording.overlaps(step) ? "∥ " : "";
    const mark = make("i", { class: `dot ${ending}`, title: word });
    const hidden = make("span", { class: "hidden" }, `${word}: `);
    return make("tr", { "data-step": step, class: ending },
      make("td", { class: "number" }, String(step)),
      make("td", { class: "thread" }, `${overlap}${recording.thread(step)}`),
      make("td", { class: "call", title: recording.call(step) }, recording.call(step)),
      make("td", { class: "outcome", title: recording.outcome(step) }, mark, hidden, recording.outcome(step)),
      make("td", { class: "rule", title: rule?.sentence }, rule?.id ?? ""));
  }

  /** The next step, from here on and round, in which a text is written. */
  find(text, direction) {
    const { recording, step } = this.state;
    const wanted = text.trim().toLowerCase();
    if (wanted === "" || recording.steps === 0) return;
    for (let tried = 1; tried <= recording.steps; tried++) {
      const at = modulo(step - 1 + direction * tried, recording.steps) + 1;
      const rule = recording.rule(at)?.id ?? "";
      const written = `${recording.call(at)} ${recording.outcome(at)} ${rule}`;
      if (written.toLowerCase().includes(wanted)) {
        setText(byId("found"), `step ${at}`);
        this.state.goTo(at);
        return;
      }
    }
    setText(byId("found"), "not found");
  }

  /** The next step that did not simply succeed. */
  nextNotable(direction) {
    const { recording, step } = this.state;
    for (let at = step + direction; at >= 1 && at <= recording.steps; at += direction) {
      if (!["done", "harness"].includes(recording.ending(at)[0])) {
        this.state.goTo(at);
        return;
      }
    }
  }
}

function modulo(value, count) {
  return ((value % count) + count) % count;
}
