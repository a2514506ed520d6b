// The recording: unpacked once, and read step by step as it is needed.

import { column, ends, runningColumn } from "./numbers.js";
import { Look } from "./looks.js";

/** How a step ended, by its number in the record: key, word. */
export const ENDINGS = [
  ["done", "succeeds"],
  ["refused", "is refused"],
  ["faulted", "faults"],
  ["harness", "is answered by hostmem"],
  ["diverges", "diverges"],
  ["broken", "broke"],
  ["skipped", "ends the case"],
  ["unjudged", "was not judged"],
];

/** Unpacks what stands in the page: base64 of zlib. */
export async function unpack(text) {
  const packed = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : fromBase64(text);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** A recording. Steps are counted from 1; 0 is before the first. */
export class Recording {
  constructor(bytes) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const decoder = new TextDecoder();
    this.about = JSON.parse(decoder.decode(bytes.subarray(4, 4 + length)));
    this.decoder = decoder;
    this.sections = sections(bytes, 4 + length, this.about.sections);
    this.steps = this.about.steps;
    this.page = this.about.machine.page;
    this.granule = this.about.machine.granularity / this.page;
    this.spaceEnd = Number((BigInt(this.about.machine.highest) + 1n) / BigInt(this.page));
    this.looks = this.about.looks.map((look) => new Look(look));
    this.readSteps();
  }

  readSteps() {
    const { sections, steps } = this;
    this.rules = column(sections.rules, steps);
    this.callEnds = ends(sections.callLengths, steps);
    this.outcomeEnds = ends(sections.outcomeLengths, steps);
    this.sums = {};
    for (const name of ["spanned", "committed", "live", "largest"]) {
      this.sums[name] = runningColumn(sections[name], steps);
    }
    // First page and number of pages take turns; only the first runs on.
    const both = column(sections.places, 2 * steps);
    this.placeStarts = new Float64Array(steps);
    this.placePages = new Float64Array(steps);
    let first = 0;
    for (let at = 0; at < steps; at++) {
      const value = both[2 * at];
      first += value % 2 ? -(value + 1) / 2 : value / 2;
      this.placeStarts[at] = first;
      this.placePages[at] = both[2 * at + 1];
    }
  }

  call(step) {
    return this.text(this.sections.calls, this.callEnds, step);
  }

  outcome(step) {
    return this.text(this.sections.outcomes, this.outcomeEnds, step);
  }

  text(bytes, ends, step) {
    const begin = step > 1 ? ends[step - 2] : 0;
    return this.decoder.decode(bytes.subarray(begin, ends[step - 1]));
  }

  /** Which lane, and the number of the thread that the scenario gives it. */
  lane(step) {
    return this.sections.lanes[step - 1];
  }

  thread(step) {
    return this.about.threads[this.lane(step)];
  }

  ending(step) {
    return ENDINGS[this.sections.kinds[step - 1] & 15];
  }

  overlaps(step) {
    return (this.sections.kinds[step - 1] & 16) !== 0;
  }

  /** The rule that decided a step: id, level, sentence, source. */
  rule(step) {
    const number = this.rules[step - 1];
    if (number === 0) return undefined;
    const [id, level, sentence, source] = this.about.rules[number - 1];
    return { id, level, sentence, source };
  }

  /** The pages that a step is about. */
  place(step) {
    if (step < 1 || this.placePages[step - 1] === 0) return undefined;
    const start = this.placeStarts[step - 1];
    return { start, end: start + this.placePages[step - 1] };
  }

  /** A sum after a step: pages, or how many. */
  sum(name, step) {
    if (step > 0) return this.sums[name][step - 1];
    return name === "largest" ? this.spaceEnd : 0;
  }

  /** The step at which the case ended early, if it did. */
  get ended() {
    const { word, step } = this.about.verdict;
    return word !== "agrees" && step ? Math.min(step, this.steps) : undefined;
  }
}

function sections(bytes, from, lengths) {
  const found = {};
  for (const [name, length] of lengths) {
    found[name] = bytes.subarray(from, from + length);
    from += length;
  }
  return found;
}
