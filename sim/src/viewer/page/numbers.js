// Numbers of the record, and numbers as people read them.
//
// Page numbers and counts are exact in a double (the record holds none beyond 2^51).
// Addresses are not: they are made of BigInt, and only to be shown.

/** Reads LEB128 numbers, one after the other. */
export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  number() {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 128;
    }
  }

  /** A difference: its sign is in the lowest bit. */
  signed() {
    const value = this.number();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }
}

/** A column of numbers. */
export function column(bytes, count) {
  const reader = new Reader(bytes);
  const values = new Float64Array(count);
  for (let at = 0; at < count; at++) values[at] = reader.number();
  return values;
}

/** A column that was written as differences. */
export function runningColumn(bytes, count) {
  const reader = new Reader(bytes);
  const values = new Float64Array(count);
  let value = 0;
  for (let at = 0; at < count; at++) values[at] = value += reader.signed();
  return values;
}

/** Where each part ends, by the lengths of the parts. */
export function ends(bytes, count) {
  const values = column(bytes, count);
  for (let at = 1; at < count; at++) values[at] += values[at - 1];
  return values;
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** A size in bytes as people say it. */
export function sizeText(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit++;
  }
  const shown = Number.isInteger(bytes) ? String(bytes) : bytes.toFixed(bytes < 10 ? 2 : 1);
  return `${shown} ${UNITS[unit]}`;
}

/** A count with its thousands apart. */
export function countText(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number of pages in bytes, in hexadecimal, exact. */
export function hexOfPages(pages, page) {
  return `0x${(BigInt(pages) * BigInt(page)).toString(16)}`;
}

/** An address with all the digits of user space, the lower half apart. */
export function addressText(pageNumber, page) {
  const digits = (BigInt(pageNumber) * BigInt(page)).toString(16).padStart(12, "0");
  return `0x${digits.slice(0, -8)}\`${digits.slice(-8)}`;
}

/** The same without leading zeros, for narrow places. */
export function shortAddress(pageNumber, page) {
  return hexOfPages(pageNumber, page);
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** The first index at which `isBehind` holds; it holds for all that follow. */
export function firstIndex(count, isBehind) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
