// What happened, in words: the case, the first difference, and the step on show.

import { byId, make, setText } from "./dom.js";
import { countText } from "./numbers.js";

const SAYS = {
  agrees: "Every step is what the law permits and the scenario expects.",
  tolerated: "The first difference is a known one.",
  skipped: "The case could not be judged to its end.",
  broken: "The manager, or the way to it, broke.",
};

export class Explain {
  constructor(state) {
    this.state = state;
    const { about } = state.recording;
    setText(byId("name"), about.name);
    setText(byId("about"), about.about ?? "");
    this.facts(about);
    this.verdict(about.verdict);
    state.watch((changed) => {
      if (changed.has("step")) this.step();
    });
  }

  facts(about) {
    const { page, granularity } = about.machine;
    const run = about.backend ? `${about.backend}${about.subject ? ` (${about.subject})` : ""}` : "the model alone";
    const facts = [
      ["run on", run],
      ["steps", about.steps === about.total ? countText(about.total) : `${countText(about.steps)} of ${countText(about.total)}`],
      ["page", `${page} bytes, granularity ${granularity}`],
      ["proves", about.proves.join(", ")],
      ["source", about.source],
      ["again", about.replay],
    ];
    const entries = facts.filter(([, text]) => text).flatMap(([name, text]) =>
      [make("dt", {}, name), make("dd", {}, name === "again" ? make("code", {}, text) : text)]);
    byId("facts").replaceChildren(...entries);
    if (about.remark) {
      byId("remark").hidden = false;
      setText(byId("remark"), about.remark);
    }
    if (about.backend && about.sides.length < 2) {
      byId("one-sided").hidden = false;
      setText(byId("one-sided"), "Only the model's side is shown: the manager answers no VirtualQuery, or the case never reached it.");
    }
  }

  verdict(verdict) {
    const word = byId("verdict");
    setText(word, verdict.word);
    word.classList.add(verdict.word);
    const at = this.state.recording.ended;
    const box = byId("finding");
    box.classList.add(verdict.word);
    if (verdict.word === "agrees") {
      const taken = verdict.readings.length > 0 ? ` Readings taken: ${verdict.readings.join(", ")}.` : "";
      box.replaceChildren(make("p", {}, SAYS.agrees + taken));
      return;
    }
    const title = at ? `${titleOf(verdict.word)} at step ${countText(at)}` : titleOf(verdict.word);
    const jump = at && make("button", {
      type: "button", id: "jump", title: "d", onclick: () => this.state.goTo(at),
    }, "Show it");
    const head = make("header", {}, make("h2", {}, title), jump);
    const said = SAYS[verdict.word];
    box.replaceChildren(head, ...(said ? [make("p", {}, said)] : []), this.details(verdict));
  }

  details(verdict) {
    const rule = verdict.rule && make("span", {},
      make("b", {}, `${verdict.rule} (${verdict.level}) `), verdict.sentence ?? "");
    const entries = [
      ["call", verdict.call && make("code", {}, verdict.call)],
      ["rule", rule],
      ["expected", verdict.expected && make("code", { class: "expected" }, verdict.expected)],
      ["observed", verdict.observed && make("code", { class: "observed" }, verdict.observed)],
      ["the model's", verdict.lawful && !verdict.lawful.startsWith(verdict.expected) && make("code", {}, verdict.lawful)],
      ["reason", verdict.reason],
      ["missing", verdict.missing],
      ["source", verdict.source],
      ["note", verdict.selfCheck && "the file expects what the law does not permit"],
      ["not freed", verdict.leaks.join("; ")],
      ["not run", verdict.left > 0 && `${countText(verdict.left)} further steps: behind the first difference the rest is noise`],
    ];
    const list = make("dl", {});
    for (const [name, value] of entries) {
      if (value) list.append(make("dt", {}, name), make("dd", {}, value));
    }
    return list;
  }

  step() {
    const { recording, step, playing } = this.state;
    const box = byId("step");
    // Nobody can listen to that many.
    box.setAttribute("aria-live", playing ? "off" : "polite");
    if (step === 0) {
      box.replaceChildren(make("p", { class: "call" }, "Before the first step: everything is free."));
      return;
    }
    const [ending, word] = recording.ending(step);
    const rule = recording.rule(step);
    const threads = recording.about.threads.length > 1 ? ` on thread ${recording.thread(step)}` : "";
    const overlap = recording.overlaps(step) ? ", overlapping the step before" : "";
    const law = rule && make("p", { class: "law" },
      make("b", {}, `${rule.id} (${rule.level}) `), rule.sentence,
      make("small", {}, ` ${rule.source}`));
    box.replaceChildren(
      make("p", { class: "which" }, `Step ${countText(step)}${threads}${overlap} `,
        make("i", { class: `dot ${ending}` }), word),
      make("p", { class: "call" }, recording.call(step)),
      make("p", { class: "outcome" }, make("span", { "aria-hidden": "true" }, "→ "), recording.outcome(step)),
      law);
  }
}

function titleOf(word) {
  return { diverges: "First difference", tolerated: "Known difference", skipped: "Skipped", broken: "Broken" }[word];
}
