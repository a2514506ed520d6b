// The address space: one strip for each side, where they differ, and where addresses lie.

import { byId, make, setText } from "./dom.js";
import { KINDS, protectionText, stateText, wordOf } from "./looks.js";
import { addressText, clamp, firstIndex, hexOfPages, shortAddress, sizeText } from "./numbers.js";
import { Sheet } from "./canvas.js";
import { squeezedScale, trueScale } from "./scale.js";
import { differences, unusable } from "./space.js";

const CLOSEST_PAGES = 4;

export class Strips {
  constructor(state, palette) {
    this.state = state;
    this.palette = palette;
    const { about, spaceEnd, granule } = state.recording;
    this.squeezed = squeezedScale(about.used, about.committed, spaceEnd, granule);
    this.true = trueScale(spaceEnd);
    const redraw = () => state.note("window");
    this.overview = new Sheet(byId("overview"), redraw);
    this.axis = new Sheet(byId("axis"), redraw);
    this.sides = about.sides.map((name, number) => this.addStrip(name, number, redraw));
    const gap = byId("differences");
    if (this.sides.length > 1) {
      byId("strips").children[0].after(gap);
      gap.hidden = false;
      this.gap = new Sheet(gap.querySelector("canvas"), redraw);
    }
    this.legend();
    this.listen();
    state.watch((changed) => this.show(changed));
  }

  get scale() {
    return this.state.squeezed ? this.squeezed : this.true;
  }

  addStrip(name, number, redraw) {
    const canvas = make("canvas", { class: "strip", role: "img", tabindex: 0 });
    const label = make("span", { class: "side" }, name);
    byId("strips").append(make("div", { class: "lane" }, label, canvas));
    this.follow(canvas, number);
    return new Sheet(canvas, redraw);
  }

  legend() {
    const kinds = new Set(this.state.recording.looks.map((look) => look.kind));
    const seen = KINDS.filter(([kind]) => kind === "free" || kinds.has(kind) || kind === "unusable");
    const entries = seen.map(([kind, word, about]) =>
      make("li", { title: about }, make("i", { class: `swatch ${kind}` }), word));
    if (this.state.recording.looks.some((look) => look.written)) {
      const swatch = make("i", { class: "swatch readwrite ink" });
      entries.push(make("li", { title: "holds something other than zero" }, swatch, "Written"));
    }
    byId("legend").replaceChildren(...entries);
  }

  // Where things lie.

  x(page, width) {
    const { from, to } = this.state.window;
    return ((this.scale.unit(page) - from) / (to - from)) * width;
  }

  pageAt(x, width) {
    const { from, to } = this.state.window;
    return this.scale.page(from + (x / width) * (to - from));
  }

  zoom(factor, at = 0.5) {
    const { from, to } = this.state.window;
    const centre = from + at * (to - from);
    const width = clamp((to - from) * factor, this.closest(centre), 1);
    const left = clamp(centre - at * width, 0, 1 - width);
    this.state.set({ window: { from: left, to: left + width } });
  }

  /** The least that is shown around a place: some pages. */
  closest(unit) {
    const page = this.scale.page(unit);
    const first = clamp(page, 0, this.state.recording.spaceEnd - CLOSEST_PAGES);
    return Math.max(this.scale.unit(first + CLOSEST_PAGES) - this.scale.unit(first), 1e-15);
  }

  pan(part) {
    const { from, to } = this.state.window;
    const by = clamp(part * (to - from), -from, 1 - to);
    this.state.set({ window: { from: from + by, to: to + by } });
  }

  whole() {
    this.state.set({ window: { from: 0, to: 1 } });
  }

  /** Shows a range of pages with as much around it. */
  focus(range) {
    if (!range) return;
    const pages = range.end - range.start;
    const around = Math.max(pages / 2, 2);
    const from = this.scale.unit(Math.max(range.start - around, 0));
    const to = this.scale.unit(Math.min(range.end + around, this.state.recording.spaceEnd));
    if (to > from) this.state.set({ window: { from, to } });
  }

  focusOnStep() {
    this.focus(this.state.recording.place(this.state.step));
  }

  // What the reader does.

  listen() {
    byId("zoom-in").addEventListener("click", () => this.zoom(1 / 2));
    byId("zoom-out").addEventListener("click", () => this.zoom(2));
    byId("zoom-whole").addEventListener("click", () => this.whole());
    byId("zoom-step").addEventListener("click", () => this.focusOnStep());
    const squeeze = byId("squeeze");
    squeeze.addEventListener("change", () => this.squeeze(squeeze.checked));
    const follow = byId("follow");
    follow.addEventListener("change", () => this.state.set({ follows: follow.checked }));
    this.drag(this.overview.canvas, (x, width) => {
      const { from, to } = this.state.window;
      const half = (to - from) / 2;
      const centre = clamp(x / width, half, 1 - half);
      this.state.set({ window: { from: centre - half, to: centre + half } });
    });
  }

  /** Keeps what is in sight in sight when the scale changes. */
  squeeze(squeezed) {
    const { from, to } = this.state.window;
    const [first, last] = [this.scale.page(from), this.scale.page(to)];
    const whole = from === 0 && to === 1;
    this.state.set({ squeezed });
    byId("squeeze").checked = squeezed;
    const window = { from: this.scale.unit(first), to: this.scale.unit(last) };
    this.state.set({ window: whole || window.to <= window.from ? { from: 0, to: 1 } : window });
  }

  drag(canvas, move) {
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      move(event.offsetX, canvas.clientWidth, event);
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) move(event.offsetX, canvas.clientWidth, event);
    });
  }

  follow(canvas, number) {
    let last = 0;
    let moved = 0;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX / 600);
      else this.zoom(Math.exp(clamp(event.deltaY, -200, 200) / 250), event.offsetX / canvas.clientWidth);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = event.offsetX;
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) {
        this.pan((last - event.offsetX) / canvas.clientWidth);
        moved += Math.abs(last - event.offsetX);
        last = event.offsetX;
      }
      this.tip(event, canvas, number);
    });
    canvas.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
    canvas.addEventListener("click", (event) => {
      if (moved > 4) return;
      const picked = Math.floor(this.pageAt(event.offsetX, canvas.clientWidth));
      this.state.set({ picked, side: number });
    });
    canvas.addEventListener("dblclick", (event) => {
      const page = this.pageAt(event.offsetX, canvas.clientWidth);
      this.focus(this.state.sides[number].at(page));
    });
  }

  tip(event, canvas, number) {
    const { state } = this;
    const page = Math.floor(this.pageAt(event.offsetX, canvas.clientWidth));
    const size = state.recording.page;
    const run = state.sides[number].at(page);
    const lines = [make("b", {}, run ? run.look.word : "Free")];
    if (run) {
      const { look } = run;
      const bytes = sizeText((run.end - run.start) * size);
      lines.push(make("span", {}, `${addressText(run.start, size)}, ${bytes}`));
      const protect = look.state === 0x1000 ? ` ${protectionText(look.protect)}` : "";
      lines.push(make("span", {}, `${stateText(look.state)}${protect}`));
      if (look.written) lines.push(make("span", {}, "written"));
      if (look.watched) lines.push(make("span", {}, "write watch"));
    } else {
      lines.push(make("span", {}, addressText(page, size)));
    }
    const tip = byId("tip");
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const left = clamp(event.clientX + 14, 8, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${event.clientY + 18}px`;
  }

  // Drawing.

  show(changed) {
    const { state } = this;
    const drawn = ["step", "window", "squeezed", "theme", "picked"];
    if (!drawn.some((name) => changed.has(name))) return;
    if (changed.has("step") && state.follows) this.keepInSight();
    const all = state.sides.map((_, number) => state.runs(number));
    const place = state.recording.place(state.step);
    this.sides.forEach((sheet, number) => this.drawStrip(sheet, all[number], place, number));
    if (this.gap) this.drawDifferences(all);
    this.drawAxis();
    this.drawOverview(all[0], place);
  }

  keepInSight() {
    const { state } = this;
    const place = state.recording.place(state.step);
    if (!place) return;
    const { from, to } = state.window;
    const [first, last] = [this.scale.unit(place.start), this.scale.unit(place.end)];
    if (first >= from && last <= to) return;
    const width = to - from;
    if (last - first > width) {
      this.focus(place);
      return;
    }
    const left = clamp((first + last) / 2 - width / 2, 0, 1 - width);
    state.window = { from: left, to: left + width };
  }

  drawStrip(sheet, runs, place, number) {
    const { width, height, canvas } = sheet;
    const brush = sheet.clear();
    brush.fillStyle = this.palette.get("free");
    brush.fillRect(0, 0, width, height);
    this.drawSqueezed(brush, width, height, runs);
    brush.fillStyle = this.palette.get("unusable");
    for (const rest of this.inSight(unusable(runs, this.state.recording.granule), width)) {
      brush.fillRect(rest.left, 0, rest.right - rest.left, height);
    }
    const visible = this.inSight(runs, width);
    for (const run of visible) this.drawRun(brush, run, height);
    for (const run of visible) this.drawPages(brush, run, width, height);
    this.drawPlace(brush, place, width, height);
    canvas.setAttribute("aria-label", this.describe(runs, number));
  }

  /** The ranges in sight with where they begin and end; no range is lost for being small. */
  inSight(ranges, width) {
    const first = Math.floor(this.pageAt(0, width));
    const last = this.pageAt(width, width);
    const found = [];
    let at = firstIndex(ranges.length, (index) => ranges[index].end > first);
    for (; at < ranges.length && ranges[at].start <= last; at++) {
      const left = Math.max(this.x(ranges[at].start, width), -2);
      const right = Math.min(this.x(ranges[at].end, width), width + 2);
      found.push({ range: ranges[at], left, right: Math.max(right, left + 1) });
    }
    return found;
  }

  drawRun(brush, { range, left, right }, height) {
    const { look, base, start } = range;
    brush.fillStyle = this.palette.fill(brush, look.kind);
    brush.fillRect(left, 0, right - left, height);
    if (look.written) {
      brush.fillStyle = this.palette.get("written");
      brush.fillRect(left, height - 5, right - left, 5);
    }
    if (base === start && right - left > 3) {
      brush.fillStyle = this.palette.get("edge");
      brush.fillRect(left, 0, 1, height);
    }
    this.drawLabel(brush, range, left, right, height);
  }

  drawLabel(brush, range, left, right, height) {
    const from = Math.max(left, 0) + 6;
    const room = Math.min(right, brush.canvas.clientWidth) - from - 4;
    if (room < 54) return;
    brush.font = "12px system-ui, sans-serif";
    brush.textBaseline = "middle";
    const size = sizeText((range.end - range.start) * this.state.recording.page);
    const full = `${range.look.word} ${size}`;
    const text = brush.measureText(full).width <= room ? full : range.look.word;
    if (brush.measureText(text).width > room) return;
    if (range.look.kind === "guard" || range.look.kind === "reserved") {
      brush.fillStyle = this.palette.get(range.look.kind);
      brush.fillRect(from - 3, height / 2 - 9, brush.measureText(text).width + 6, 18);
    }
    brush.fillStyle = this.palette.get(range.look.kind === "reserved" ? "text" : "label");
    brush.fillText(text, from, height / 2);
  }

  /** Says of free space how much there is, where it is squeezed or wide. */
  drawSqueezed(brush, width, height, runs) {
    const { page, granule, spaceEnd } = this.state.recording;
    brush.font = "11px system-ui, sans-serif";
    brush.textBaseline = "middle";
    brush.textAlign = "center";
    brush.fillStyle = this.palette.get("soft");
    let behind = 0;
    for (const run of [...this.around(runs, width), { start: spaceEnd, end: spaceEnd }]) {
      const start = Math.ceil(behind / granule) * granule;
      const left = Math.max(this.x(start, width), 0);
      const right = Math.min(this.x(run.start, width), width);
      const text = sizeText((run.start - start) * page);
      const room = right - left - 8;
      if (room > 24 && brush.measureText(text).width < room) {
        brush.fillText(text, (left + right) / 2, height / 2);
      }
      behind = run.end;
    }
    brush.textAlign = "left";
  }

  /** The runs in sight and one before: free space may begin to the left of what is in sight. */
  around(runs, width) {
    const first = this.pageAt(0, width);
    const last = this.pageAt(width, width);
    const at = firstIndex(runs.length, (index) => runs[index].end > first);
    const end = firstIndex(runs.length, (index) => runs[index].start >= last);
    return runs.slice(Math.max(at - 1, 0), Math.min(end + 1, runs.length));
  }

  /** The lines between pages, where pages are wide enough. */
  drawPages(brush, { range, left, right }, width, height) {
    const pages = range.end - range.start;
    const whole = this.x(range.end, width) - this.x(range.start, width);
    if (pages < 2 || whole / pages < 7) return;
    brush.strokeStyle = this.palette.get("edge");
    brush.globalAlpha = 0.22;
    brush.beginPath();
    const first = Math.max(Math.floor(this.pageAt(Math.max(left, 0), width)), range.start) + 1;
    for (let page = first; page < range.end && this.x(page, width) < right; page++) {
      const x = Math.round(this.x(page, width)) + 0.5;
      brush.moveTo(x, 0);
      brush.lineTo(x, height);
    }
    brush.stroke();
    brush.globalAlpha = 1;
  }

  drawPlace(brush, place, width, height) {
    if (!place) return;
    let left = this.x(place.start, width);
    let right = this.x(place.end, width);
    if (right < 0 || left > width) return;
    const middle = clamp((left + right) / 2, 0, width);
    if (right - left < 4) [left, right] = [middle - 2, middle + 2];
    brush.strokeStyle = this.palette.get("accent");
    brush.lineWidth = 2;
    brush.strokeRect(Math.max(left, -4), 1, Math.min(right, width + 4) - Math.max(left, -4), height - 2);
    brush.fillStyle = this.palette.get("accent");
    brush.beginPath();
    brush.moveTo(middle - 6, 0);
    brush.lineTo(middle + 6, 0);
    brush.lineTo(middle, 7);
    brush.fill();
  }

  drawDifferences(all) {
    const { width, height } = this.gap;
    const brush = this.gap.clear();
    const found = differences(all[0], all[1]);
    brush.fillStyle = this.palette.get("diverges");
    for (const { left, right } of this.inSight(found, width)) {
      const wide = Math.max(right - left, 4);
      brush.fillRect((left + right - wide) / 2, 1, wide, height - 2);
    }
    const pages = found.reduce((sum, range) => sum + range.end - range.start, 0);
    const size = sizeText(pages * this.state.recording.page);
    const text = found.length === 0 ? "alike" : `${size} differ`;
    setText(byId("differences").querySelector("span"), text);
    byId("differences").classList.toggle("differ", found.length > 0);
  }

  drawAxis() {
    const { width, height } = this.axis;
    const brush = this.axis.clear();
    const size = this.state.recording.page;
    brush.font = "11px ui-monospace, monospace";
    brush.textBaseline = "middle";
    brush.fillStyle = this.palette.get("soft");
    let free = -Infinity;
    let last = "";
    const ticks = Math.max(Math.floor(width / 150), 1);
    for (let tick = 0; tick <= ticks; tick++) {
      const x = (tick / ticks) * width;
      const page = Math.round(this.pageAt(x, width));
      const text = shortAddress(page, size);
      const room = brush.measureText(text).width;
      const at = clamp(x - room / 2, 0, width - room);
      if (at < free + 12 || text === last) continue;
      last = text;
      brush.fillRect(clamp(x, 0.5, width - 1), 0, 1, 4);
      brush.fillText(text, at, height / 2 + 3);
      free = at + room;
    }
  }

  drawOverview(runs, place) {
    const { width, height } = this.overview;
    const brush = this.overview.clear();
    const { scale } = this;
    brush.fillStyle = this.palette.get("free");
    brush.fillRect(0, 0, width, height);
    for (const run of runs) {
      brush.fillStyle = this.palette.get(run.look.kind);
      const left = scale.unit(run.start) * width;
      brush.fillRect(left, 0, Math.max(scale.unit(run.end) * width - left, 1), height);
    }
    if (place) {
      brush.fillStyle = this.palette.get("accent");
      brush.fillRect(scale.unit(place.start) * width - 1, 0, 2, height);
    }
    const { from, to } = this.state.window;
    if (from === 0 && to === 1) return;
    brush.strokeStyle = this.palette.get("accent");
    brush.lineWidth = 2;
    brush.strokeRect(from * width + 1, 1, Math.max((to - from) * width - 2, 3), height - 2);
  }

  /** The strip in words: the table of regions below has the rest. */
  describe(runs, number) {
    const { page } = this.state.recording;
    const name = this.state.recording.about.sides[number];
    const sizes = new Map();
    for (const { start, end, look } of runs) {
      sizes.set(look.kind, (sizes.get(look.kind) ?? 0) + (end - start) * page);
    }
    const parts = [...sizes].map(([kind, bytes]) => `${wordOf(kind)} ${sizeText(bytes)}`);
    const { from, to } = this.state.window;
    const first = hexOfPages(Math.floor(this.scale.page(from)), page);
    const last = hexOfPages(Math.ceil(this.scale.page(to)), page);
    const what = parts.length === 0 ? "everything is free" : parts.join(", ");
    return `${name}: ${what}. Shown from ${first} to ${last}.`;
  }
}
