// Drawing: a canvas as sharp as the screen, and the colours of the theme.

import { KINDS } from "./looks.js";
import { make } from "./dom.js";

/** A canvas that knows its size in CSS pixels, and tells when it changes. */
export class Sheet {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.width = 0;
    this.height = 0;
    new ResizeObserver(() => {
      this.fit();
      changed();
    }).observe(canvas);
    this.fit();
  }

  fit() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    return this.context;
  }
}

const OTHERS = [
  "text", "label", "soft", "line", "page", "panel", "accent", "written", "refused", "faulted", "diverges",
  "done", "edge", "skipped", "broken", "harness", "unjudged",
];

/** The colours of the theme as a canvas takes them: what CSS makes of its variables. */
export class Palette {
  constructor() {
    this.probe = make("i", { hidden: true });
    document.body.append(this.probe);
    this.read();
  }

  read() {
    const names = [...KINDS.map(([kind]) => kind), ...OTHERS];
    this.colours = new Map(names.map((name) => [name, this.resolve(name)]));
    this.patterns = new Map();
  }

  resolve(name) {
    this.probe.style.color = `var(--${name})`;
    return getComputedStyle(this.probe).color;
  }

  get(name) {
    return this.colours.get(name);
  }

  /** What memory of a kind is filled with: a colour, or a hatching that needs no colour. */
  fill(context, kind) {
    if (kind !== "reserved" && kind !== "guard" && kind !== "unknown") return this.get(kind);
    if (!this.patterns.has(kind)) this.patterns.set(kind, this.hatching(context, kind));
    return this.patterns.get(kind);
  }

  hatching(context, kind) {
    const ratio = window.devicePixelRatio || 1;
    const side = Math.round(8 * ratio);
    const tile = make("canvas", { width: side, height: side });
    const brush = tile.getContext("2d");
    brush.fillStyle = this.get(kind);
    brush.fillRect(0, 0, side, side);
    brush.strokeStyle = this.get(kind === "guard" ? "readwrite" : "edge");
    brush.globalAlpha = kind === "guard" ? 1 : 0.45;
    brush.lineWidth = (kind === "guard" ? 2.6 : 1) * ratio;
    for (const shift of [-side, 0, side]) {
      brush.beginPath();
      brush.moveTo(shift - 2, side + 2);
      brush.lineTo(shift + side + 2, -2);
      brush.stroke();
    }
    const pattern = context.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }
}
