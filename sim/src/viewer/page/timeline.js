// The steps along one line: the scrubber, the threads, and how the sums went.

import { byId, make, setText } from "./dom.js";
import { clamp, countText, sizeText } from "./numbers.js";
import { Sheet } from "./canvas.js";
import { ENDINGS } from "./record.js";

const LANE = 14;
const CHARTS = [
  ["spanned", "Reserved", "what all live reservations span, committed or not", true],
  ["committed", "Committed", "what of it is committed", true],
  ["live", "Reservations", "how many reservations are live", false],
  ["largest", "Largest free", "the largest block that could be reserved", true],
];

export class Timeline {
  constructor(state, palette) {
    this.state = state;
    this.palette = palette;
    const { recording } = state;
    this.slider = byId("scrubber");
    this.slider.max = recording.steps;
    this.slider.addEventListener("input", () => state.goTo(Number(this.slider.value)));
    const redraw = () => state.note("timeline");
    const lanes = recording.about.threads.length;
    const canvas = byId("lanes");
    canvas.style.height = `${Math.max(lanes, 1) * LANE}px`;
    const names = recording.about.threads.map((thread) => make("div", {}, `thread ${thread}`));
    byId("lane-names").replaceChildren(...names);
    this.lanes = new Sheet(canvas, redraw);
    this.charts = CHARTS.map((chart) => this.addChart(chart, redraw));
    this.seekable(canvas);
    this.cursor = byId("cursor");
    state.watch((changed) => this.show(changed));
  }

  addChart([name, word, about, inPages], redraw) {
    const value = make("output", {});
    const canvas = make("canvas", { class: "chart", role: "img", "aria-label": `${word} over the steps` });
    byId("charts").append(
      make("div", { class: "lane" }, make("span", { class: "side", title: about }, word, value), canvas));
    this.seekable(canvas);
    return { name, inPages, value, sheet: new Sheet(canvas, redraw) };
  }

  seekable(canvas) {
    const seek = (event) => {
      const { recording } = this.state;
      this.state.goTo((event.offsetX / canvas.clientWidth) * recording.steps);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      seek(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) seek(event);
    });
  }

  show(changed) {
    const { state } = this;
    if (changed.has("timeline") || changed.has("theme")) {
      this.drawLanes();
      for (const chart of this.charts) this.drawChart(chart);
    }
    if (!changed.has("step") && !changed.has("timeline")) return;
    const { step, recording } = state;
    this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${recording.steps}`);
    setText(byId("position"), `${countText(step)} / ${countText(recording.steps)}`);
    for (const { name, inPages, value } of this.charts) {
      const sum = recording.sum(name, step);
      setText(value, inPages ? sizeText(sum * recording.page) : countText(sum));
    }
    const canvas = this.lanes.canvas;
    const part = recording.steps > 0 ? step / recording.steps : 0;
    this.cursor.style.left = `${canvas.offsetLeft + part * canvas.clientWidth}px`;
  }

  /** A mark for each step on the lane of its thread; where there is no room, the gravest. */
  drawLanes() {
    const { width } = this.lanes;
    const brush = this.lanes.clear();
    const { recording } = this.state;
    const { steps } = recording;
    if (steps === 0 || width === 0) return;
    const [lanes, kinds] = [recording.sections.lanes, recording.sections.kinds];
    const columns = Math.max(Math.floor(width), 1);
    const count = Math.max(recording.about.threads.length, 1);
    const gravest = new Int8Array(columns * count).fill(-1);
    for (let at = 0; at < steps; at++) {
      const column = Math.min(Math.floor(((at + 0.5) / steps) * columns), columns - 1);
      const index = lanes[at] * columns + column;
      gravest[index] = Math.max(gravest[index], gravity(kinds[at] & 15));
    }
    const wide = Math.max(Math.min(width / steps - 1, 12), 1);
    for (let lane = 0; lane < count; lane++) {
      brush.fillStyle = this.palette.get("line");
      brush.fillRect(0, lane * LANE + LANE / 2, width, 1);
      for (let column = 0; column < columns; column++) {
        const grave = gravest[lane * columns + column];
        if (grave < 0) continue;
        brush.fillStyle = this.palette.get(GRAVITY[grave]);
        const tall = grave >= 4 ? LANE - 1 : LANE - 6;
        brush.fillRect(column + 0.5 - wide / 2, lane * LANE + (LANE - tall) / 2, wide, tall);
      }
    }
  }

  /** How a sum went: of the steps that share a column, the least and the most. */
  drawChart({ name, sheet }) {
    const { width, height } = sheet;
    const brush = sheet.clear();
    const { recording } = this.state;
    const { steps } = recording;
    brush.fillStyle = this.palette.get("line");
    brush.fillRect(0, height - 1, width, 1);
    if (steps === 0 || width === 0) return;
    const [low, high] = this.bounds(name);
    const y = (value) => height - 2 - ((value - low) / (high - low || 1)) * (height - 5);
    const columns = Math.max(Math.floor(width), 1);
    const top = [];
    const bottom = [];
    for (let column = 0; column <= columns; column++) {
      const first = Math.floor((column / columns) * steps);
      const last = Math.min(Math.max(Math.floor(((column + 1) / columns) * steps), first + 1), steps + 1);
      let [least, most] = [Infinity, -Infinity];
      for (let step = first; step < Math.max(last, first + 1) && step <= steps; step++) {
        const value = recording.sum(name, step);
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      top.push(y(most));
      bottom.push(y(least));
    }
    this.drawBand(brush, top, bottom, width, height);
  }

  bounds(name) {
    const { recording } = this.state;
    let high = 0;
    let low = name === "largest" ? Infinity : 0;
    for (let step = 0; step <= recording.steps; step++) {
      const value = recording.sum(name, step);
      high = Math.max(high, value);
      low = Math.min(low, value);
    }
    return [low === high && name === "largest" ? 0 : low, high];
  }

  drawBand(brush, top, bottom, width, height) {
    const at = (index) => (index / (top.length - 1)) * width;
    brush.fillStyle = this.palette.get("accent");
    brush.globalAlpha = 0.14;
    brush.beginPath();
    brush.moveTo(0, height - 1);
    top.forEach((y, index) => brush.lineTo(at(index), y));
    brush.lineTo(width, height - 1);
    brush.fill();
    brush.globalAlpha = 1;
    brush.strokeStyle = this.palette.get("accent");
    brush.lineWidth = 1.25;
    brush.beginPath();
    top.forEach((y, index) => {
      if (index === 0) brush.moveTo(0, y);
      // Steps, as memory changes: flat, then up or down.
      brush.lineTo(at(index), index > 0 ? top[index - 1] : y);
      brush.lineTo(at(index), y);
      if (bottom[index] - y > 1) {
        brush.lineTo(at(index), bottom[index]);
        brush.moveTo(at(index), y);
      }
    });
    brush.stroke();
  }
}

const GRAVITY = ["harness", "done", "unjudged", "refused", "faulted", "skipped", "broken", "diverges"];

function gravity(kind) {
  return clamp(GRAVITY.indexOf(ENDINGS[kind][0]), 0, GRAVITY.length - 1);
}
