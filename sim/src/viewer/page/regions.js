// The table of regions, as VirtualQuery tells of them, one row a region.

import { byId, make, setText } from "./dom.js";
import { LongTable } from "./list.js";
import { protectionText, stateText, typeText } from "./looks.js";
import { addressText, firstIndex, hexOfPages, sizeText } from "./numbers.js";
import { differences } from "./space.js";

export class Regions {
  constructor(state, strips) {
    this.state = state;
    this.strips = strips;
    this.rows = [];
    const body = byId("region-rows");
    this.list = new LongTable(byId("region-list"), body, 8, (index) => this.row(index));
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-index]");
      if (row) this.pick(this.rows[Number(row.dataset.index)]);
    });
    this.choices();
    state.watch((changed) => {
      if (["step", "side", "picked"].some((name) => changed.has(name))) this.show(changed);
    });
  }

  choices() {
    const { sides } = this.state.recording.about;
    const names = sides.length > 1 ? [...sides, "differences"] : sides;
    const choice = (name, number) => {
      const value = name === "differences" ? name : number;
      const input = make("input", {
        type: "radio", name: "side", value, checked: number === 0,
        onchange: () => this.state.set({ side: value }),
      });
      return make("label", {}, input, make("span", {}, name));
    };
    byId("sides").replaceChildren(...names.map(choice));
    byId("sides").hidden = names.length < 2;
  }

  pick(row) {
    this.state.set({ picked: row.start });
    if (row.look) this.strips.focus(row);
  }

  /** Goes to the next side, for the keyboard. */
  nextSide() {
    const { sides } = this.state.recording.about;
    if (sides.length < 2) return;
    const order = [...sides.keys(), "differences"];
    this.state.set({ side: order[(order.indexOf(this.state.side) + 1) % order.length] });
  }

  show(changed) {
    const { state } = this;
    for (const input of byId("sides").querySelectorAll("input")) {
      input.checked = input.value === String(state.side);
    }
    this.rows = state.side === "differences" ? this.different() : this.regions(state.side);
    byId("region-table").setAttribute("aria-rowcount", this.rows.length + 1);
    const used = this.rows.filter((row) => row.look).length;
    const free = this.rows.length - used;
    setText(byId("region-count"), `${used} in use, ${free} free`);
    this.list.setCount(this.rows.length);
    const page = changed.has("step") ? state.recording.place(state.step)?.start : state.picked;
    const index = page === undefined ? -1 : firstIndex(this.rows.length, (at) => this.rows[at].end > page);
    const found = index >= 0 && this.rows[index]?.start <= page ? index : -1;
    this.list.setCurrent(found);
  }

  /** Every region of a side; what lies between two allocations is free. */
  regions(number) {
    const rows = [];
    let behind = 0;
    for (const run of shownAsOne(this.state.runs(number))) {
      if (run.start > behind) rows.push({ start: behind, end: run.start });
      rows.push(run);
      behind = run.end;
    }
    const { spaceEnd } = this.state.recording;
    if (behind < spaceEnd) rows.push({ start: behind, end: spaceEnd });
    return rows;
  }

  /** Where the two sides differ: what each has there. */
  different() {
    const all = this.state.sides.map((_, number) => this.state.runs(number));
    const rows = [];
    for (const range of differences(all[0], all[1])) {
      all.forEach((runs, number) => {
        const inside = cut(shownAsOne(runs), range);
        const name = this.state.recording.about.sides[number];
        if (inside.length === 0) rows.push({ ...range, name });
        rows.push(...inside.map((run) => ({ ...run, name })));
      });
    }
    return rows;
  }

  row(index) {
    const { start, end, look, base, name } = this.rows[index];
    const { page } = this.state.recording;
    const pages = end - start;
    const cells = look && !look.heap
      ? [addressText(base, page), protectionText(look.allocationProtect), size(pages, page),
        stateText(look.state), protectionText(look.protect), typeText(look.type)]
      : look
        ? ["", "", size(pages, page), stateText(look.state), "", "heap block"]
        : ["0", "0", size(pages, page), "MEM_FREE", "PAGE_NOACCESS", "0"];
    const kind = look?.kind ?? "free";
    const word = `${name ? `${name}: ` : ""}${look?.word ?? "Free"}`;
    const swatch = make("i", { class: `swatch ${kind}${look?.written ? " ink" : ""}` });
    return make("tr", { "data-index": index, class: kind },
      make("td", { class: "look" }, swatch, word),
      make("td", {}, addressText(start, page)),
      ...cells.map((text) => make("td", {}, text)));
  }
}

function size(pages, page) {
  return `${hexOfPages(pages, page)} (${sizeText(pages * page)})`;
}

/** The runs as a query tells of them: what only differs by its contents is one region. */
function shownAsOne(runs) {
  const out = [];
  for (const run of runs) {
    const last = out[out.length - 1];
    const continues = last && last.end === run.start && last.base === run.base
      && last.look.heap === run.look.heap && last.look.showsLike(run.look);
    if (!continues) out.push({ ...run });
    else {
      last.end = run.end;
      if (run.look.written) last.look = run.look;
    }
  }
  return out;
}

function cut(runs, { start, end }) {
  const inside = runs.filter((run) => run.end > start && run.start < end);
  return inside.map((run) => ({ ...run, start: Math.max(run.start, start), end: Math.min(run.end, end) }));
}
