// What is on show: the step, the part of the space, the theme. Whoever shows some of it is told
// once a frame, however often it changed.

import { clamp } from "./numbers.js";

export class State {
  constructor(recording, sides) {
    this.recording = recording;
    this.sides = sides;
    this.step = 0;
    /** The part of the space on show, in units of the scale: all of it is 0 to 1. */
    this.window = { from: 0, to: 1 };
    this.squeezed = true;
    this.follows = false;
    this.playing = false;
    /** Which side the table of regions is of; "differences" for both. */
    this.side = 0;
    /** A page that someone pointed at. */
    this.picked = undefined;
    this.watchers = [];
    this.changed = new Set();
    /** How many frames were drawn, for those who ask. */
    this.frames = 0;
  }

  /** Has `show` called with the set of what changed. */
  watch(show) {
    this.watchers.push(show);
  }

  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (this[name] === value) continue;
      this[name] = value;
      this.note(name);
    }
  }

  note(name) {
    if (this.changed.size === 0) requestAnimationFrame(() => this.flush());
    this.changed.add(name);
  }

  flush() {
    const changed = this.changed;
    this.changed = new Set();
    for (const side of this.sides) side.seek(this.step);
    for (const show of this.watchers) show(changed);
    this.frames++;
  }

  goTo(step) {
    this.set({ step: clamp(Math.round(step), 0, this.recording.steps) });
  }

  /** The runs of a side at this step. */
  runs(number) {
    return this.sides[number].seek(this.step);
  }
}
