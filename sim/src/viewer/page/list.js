// A long table of which only the rows in sight exist.
//
// It is a real table: rows have their numbers, so that a screen reader knows where it is.

import { make } from "./dom.js";
import { clamp } from "./numbers.js";

const ROW = 26;
const SPARE = 6;

export class LongTable {
  /** `row(index)` gives the cells of a row, or a whole row element. */
  constructor(scroller, body, columns, row) {
    this.scroller = scroller;
    this.body = body;
    this.columns = columns;
    this.row = row;
    this.count = 0;
    this.current = -1;
    this.shown = [-1, -1];
    scroller.addEventListener("scroll", () => this.schedule(), { passive: true });
    new ResizeObserver(() => this.schedule()).observe(scroller);
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.show();
    });
  }

  setCount(count) {
    this.count = count;
    this.shown = [-1, -1];
    // No taller than what is in it.
    this.scroller.style.height = `min(var(--tall), ${count * ROW + this.headHeight() + 4}px)`;
    this.show();
  }

  /** Marks a row, and has it in sight. */
  setCurrent(index, scroll = true) {
    this.current = index;
    if (scroll && index >= 0) this.reveal(index);
    this.shown = [-1, -1];
    this.show();
  }

  reveal(index) {
    const { scroller } = this;
    const head = this.headHeight();
    const top = index * ROW;
    const room = scroller.clientHeight - head;
    if (top < scroller.scrollTop + ROW) scroller.scrollTop = Math.max(top - 2 * ROW, 0);
    else if (top + 2 * ROW > scroller.scrollTop + room) scroller.scrollTop = top + 3 * ROW - room;
  }

  headHeight() {
    return this.body.parentElement.tHead?.offsetHeight ?? 0;
  }

  show() {
    const { scroller, count } = this;
    const visible = Math.ceil(scroller.clientHeight / ROW) + 2 * SPARE;
    const first = clamp(Math.floor(scroller.scrollTop / ROW) - SPARE, 0, Math.max(count - 1, 0));
    const end = Math.min(first + visible, count);
    if (this.shown[0] === first && this.shown[1] === end) return;
    this.shown = [first, end];
    const rows = [this.spacer(first)];
    for (let index = first; index < end; index++) rows.push(this.makeRow(index));
    rows.push(this.spacer(count - end));
    this.body.replaceChildren(...rows);
  }

  makeRow(index) {
    const row = this.row(index);
    row.setAttribute("aria-rowindex", index + 2);
    if (index === this.current) row.setAttribute("aria-current", "true");
    return row;
  }

  spacer(rows) {
    const cell = make("td", { colspan: this.columns, style: `height:${rows * ROW}px` });
    return make("tr", { class: "spacer", "aria-hidden": "true" }, cell);
  }
}
