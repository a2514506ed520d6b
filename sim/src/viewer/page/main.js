// Opens the recording and puts the page together.

import { byId, setText } from "./dom.js";
import { Recording, unpack } from "./record.js";
import { Side } from "./space.js";
import { State } from "./state.js";
import { Palette } from "./canvas.js";
import { Strips } from "./strips.js";
import { Timeline } from "./timeline.js";
import { Steps } from "./steps.js";
import { Regions } from "./regions.js";
import { Explain } from "./explain.js";
import { listenToKeys } from "./keys.js";

/** Plays the steps, so many a second, however fast the screen is. */
class Player {
  constructor(state) {
    this.state = state;
    this.button = byId("play");
    this.speed = byId("speed");
    const { steps } = state.recording;
    // The whole in half a minute, but no faster than is offered and no slower.
    const wanted = steps / 30;
    const offered = [...this.speed.options].map((option) => Number(option.value));
    this.speed.value = offered.find((speed) => speed >= wanted) ?? offered[offered.length - 1];
    this.button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    const { state } = this;
    const { steps } = state.recording;
    if (state.playing) {
      this.stop();
      return;
    }
    if (state.step >= steps) state.goTo(0);
    state.set({ playing: true });
    this.button.setAttribute("aria-pressed", "true");
    setText(this.button, "Stop");
    this.at = state.step;
    this.time = undefined;
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() {
    this.state.set({ playing: false });
    this.button.setAttribute("aria-pressed", "false");
    setText(this.button, "Play");
  }

  tick(now) {
    const { state } = this;
    if (!state.playing) return;
    const passed = this.time === undefined ? 0 : (now - this.time) / 1000;
    this.time = now;
    // Somebody else went elsewhere: on from there.
    if (Math.round(this.at) !== state.step && Math.floor(this.at) !== state.step) this.at = state.step;
    this.at = Math.min(this.at + passed * Number(this.speed.value), state.recording.steps);
    state.goTo(Math.floor(this.at));
    if (this.at >= state.recording.steps) this.stop();
    else requestAnimationFrame((next) => this.tick(next));
  }
}

/** Light, dark, or as the system has it. */
class Theme {
  constructor(state, palette) {
    this.state = state;
    this.palette = palette;
    this.select = byId("theme");
    this.select.value = this.kept();
    this.select.addEventListener("change", () => this.apply());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.apply());
    this.apply();
  }

  kept() {
    try {
      return localStorage.getItem("hostmem-theme") ?? "system";
    } catch {
      return "system";
    }
  }

  apply() {
    const { value } = this.select;
    document.documentElement.dataset.theme = value;
    try {
      localStorage.setItem("hostmem-theme", value);
    } catch {
      // A page from disk may have nowhere to keep it: then it is chosen each time.
    }
    this.palette.read();
    this.state.note("theme");
  }

  next() {
    const { options, selectedIndex } = this.select;
    this.select.selectedIndex = (selectedIndex + 1) % options.length;
    this.apply();
  }
}

/** The step at which the page opens: as its address says, or else where there is most to see. */
function firstStep(recording) {
  const asked = /(?:^|[#&])step=(\d+)/.exec(location.hash);
  if (asked) return Number(asked[1]);
  return recording.ended ?? recording.steps;
}

async function open() {
  const recording = new Recording(await unpack(byId("record").textContent.trim()));
  const sides = recording.about.sides.map((_, number) => new Side(recording, number));
  const state = new State(recording, sides);
  const palette = new Palette();
  byId("content").hidden = false;
  byId("opening").hidden = true;
  const strips = new Strips(state, palette);
  new Timeline(state, palette);
  const steps = new Steps(state);
  const regions = new Regions(state, strips);
  new Explain(state);
  const player = new Player(state);
  const theme = new Theme(state, palette);
  listenToKeys({ state, strips, steps, regions, player, theme });
  for (const [id, by] of [["back", -1], ["on", 1]]) {
    byId(id).addEventListener("click", () => state.goTo(state.step + by));
  }
  window.addEventListener("hashchange", () => state.goTo(firstStep(recording)));
  state.goTo(firstStep(recording));
  for (const all of ["step", "timeline", "window"]) state.note(all);
  // For whoever looks at the page from its console.
  window.hostmem = { recording, state, strips };
}

open().catch((error) => {
  setText(byId("opening"), `This page cannot be shown: ${error.message}`);
  throw error;
});
