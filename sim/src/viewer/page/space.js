// What one side of the recording looked like after any step.
//
// The record has a patch for each change, and from time to time everything. To come to a step,
// the patches since the nearest whole are applied, or those since where this side stands if
// that is nearer: never more than the memory on show has runs, twice over.

import { Reader, column, ends, firstIndex, runningColumn } from "./numbers.js";

export class Side {
  constructor(recording, number) {
    const { sections, steps } = recording;
    this.recording = recording;
    this.patches = sections[`patches${number}`];
    this.patchEnds = ends(sections[`patchLengths${number}`], steps);
    this.wholes = sections[`wholes${number}`];
    const count = countOf(sections[`wholeLengths${number}`]);
    this.wholeEnds = ends(sections[`wholeLengths${number}`], count);
    this.wholeAt = runningColumn(sections[`wholeAt${number}`], count);
    this.step = 0;
    this.runs = [];
    /** How many runs were put in place to come to the step, for those who ask. */
    this.work = 0;
  }

  /** Goes to a step, and gives the runs: ascending, what is in none is free. */
  seek(step) {
    if (step === this.step) return this.runs;
    this.work = 0;
    const whole = firstIndex(this.wholeAt.length, (at) => this.wholeAt[at] > step) - 1;
    const wholeStep = whole < 0 ? 0 : this.wholeAt[whole];
    if (step < this.step || wholeStep > this.step) {
      this.runs = whole < 0 ? [] : this.readWhole(whole);
      this.step = wholeStep;
    }
    while (this.step < step) this.applyNext();
    return this.runs;
  }

  readWhole(at) {
    const reader = new Reader(this.wholes, at > 0 ? this.wholeEnds[at - 1] : 0);
    return this.readRuns(reader, reader.number(), 0);
  }

  readRuns(reader, count, from) {
    this.work += count;
    const runs = [];
    for (let at = 0; at < count; at++) {
      const start = from + reader.number();
      from = start + reader.number();
      const look = this.recording.looks[reader.number()];
      runs.push({ start, end: from, look, base: start - reader.signed() });
    }
    return runs;
  }

  applyNext() {
    const begin = this.step > 0 ? this.patchEnds[this.step - 1] : 0;
    const reader = new Reader(this.patches, begin);
    const end = this.patchEnds[this.step];
    while (reader.at < end) {
      const start = reader.number();
      const behind = start + reader.number();
      this.put(start, behind, this.readRuns(reader, reader.number(), start));
    }
    this.step++;
  }

  /** Puts runs in the place of whatever is in a range of pages. */
  put(start, behind, runs) {
    const first = firstIndex(this.runs.length, (at) => this.runs[at].end > start);
    const last = firstIndex(this.runs.length, (at) => this.runs[at].start >= behind);
    const left = this.runs[first];
    const right = this.runs[last - 1];
    const fresh = [];
    if (left && first < last && left.start < start) fresh.push({ ...left, end: start });
    fresh.push(...runs);
    if (right && first < last && right.end > behind) fresh.push({ ...right, start: behind });
    // With a neighbour on either side, so that what looks alike becomes one.
    const before = Math.max(first - 1, 0);
    const after = Math.min(last + 1, this.runs.length);
    const around = [...this.runs.slice(before, first), ...fresh, ...this.runs.slice(last, after)];
    this.runs.splice(before, after - before, ...joined(around));
  }

  /** The run that holds a page. */
  at(page) {
    const index = firstIndex(this.runs.length, (at) => this.runs[at].end > page);
    const run = this.runs[index];
    return run && run.start <= page ? run : undefined;
  }
}

function countOf(bytes) {
  let count = 0;
  for (const byte of bytes) if (byte < 0x80) count++;
  return count;
}

function joined(runs) {
  const out = [];
  for (const run of runs) {
    const last = out[out.length - 1];
    if (last && last.end === run.start && last.look === run.look && last.base === run.base) {
      out[out.length - 1] = { ...last, end: run.end };
    } else {
      out.push(run);
    }
  }
  return out;
}

/** The ranges in which two sides show different things to a query. */
export function differences(one, other) {
  const found = [];
  const edges = new Set();
  for (const run of [...one, ...other]) edges.add(run.start).add(run.end);
  const pages = [...edges].sort((a, b) => a - b);
  let left = 0;
  let right = 0;
  for (let at = 0; at + 1 < pages.length; at++) {
    const start = pages[at];
    const end = pages[at + 1];
    while (left < one.length && one[left].end <= start) left++;
    while (right < other.length && other[right].end <= start) right++;
    const a = one[left]?.start <= start ? one[left] : undefined;
    const b = other[right]?.start <= start ? other[right] : undefined;
    if (showSame(a, b)) continue;
    const last = found[found.length - 1];
    if (last && last.end === start) last.end = end;
    else found.push({ start, end });
  }
  return found;
}

function showSame(a, b) {
  if (!a || !b) return a === b;
  return a.base === b.base && a.look.showsLike(b.look);
}

/** The rests of allocations' last granules: free, but of no use to anyone. */
export function unusable(runs, granule) {
  const rests = [];
  for (let at = 0; at < runs.length; at++) {
    const { end, look } = runs[at];
    if (look.kind === "mapped" || look.heap || end % granule === 0) continue;
    const next = runs[at + 1]?.start ?? Infinity;
    const behind = Math.min(end - (end % granule) + granule, next);
    if (behind > end) rests.push({ start: end, end: behind });
  }
  return rests;
}
