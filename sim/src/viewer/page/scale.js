// Where a page lies on the strip: from 0, the beginning of user space, to 1, its end.
//
// An address space of 128 TiB with some kilobytes in use cannot be drawn as it is. So the free
// space that is never used is squeezed, and each range in use gets room by the logarithm of its
// size, what is ever committed apart from what is only reserved; within a range, the scale is
// true. The whole scale can be true, too: then one zooms.

import { firstIndex } from "./numbers.js";

const GAP = 0.7;

/** A scale of straight pieces between knots. */
export class Scale {
  constructor(knots) {
    this.pages = knots.map(([page]) => page);
    this.units = knots.map(([, unit]) => unit);
  }

  unit(page) {
    return between(this.pages, this.units, page);
  }

  page(unit) {
    return between(this.units, this.pages, unit);
  }
}

function between(from, to, value) {
  const behind = firstIndex(from.length, (at) => from[at] > value);
  if (behind === 0) return to[0];
  if (behind === from.length) return to[to.length - 1];
  const part = (value - from[behind - 1]) / (from[behind] - from[behind - 1]);
  return to[behind - 1] + part * (to[behind] - to[behind - 1]);
}

export function trueScale(spaceEnd) {
  return new Scale([[0, 0], [spaceEnd, 1]]);
}

/**
 * The scale that squeezes: `used` and `committed` are the ranges that ever were, ascending. A
 * range in which everything is of one kind for ever is one piece.
 */
export function squeezedScale(used, committed, spaceEnd, granule) {
  if (used.length === 0) return trueScale(spaceEnd);
  const edges = new Set([0, spaceEnd]);
  for (const [start, end] of used) {
    edges.add(start);
    // To the end of the granule, so that its rest is seen.
    edges.add(Math.min(Math.ceil(end / granule) * granule, spaceEnd));
  }
  for (const [start, end] of committed) edges.add(start).add(end);
  const pages = [...edges].sort((a, b) => a - b);
  const knots = [[0, 0]];
  let total = 0;
  for (let at = 0; at + 1 < pages.length; at++) {
    const [start, end] = [pages[at], pages[at + 1]];
    total += isIn(used, start) ? 1 + Math.log2(1 + end - start) / 3 : GAP;
    knots.push([end, total]);
  }
  return new Scale(knots.map(([page, unit]) => [page, unit / total]));
}

function isIn(ranges, page) {
  const at = firstIndex(ranges.length, (index) => ranges[index][1] > page);
  return at < ranges.length && ranges[at][0] <= page;
}
