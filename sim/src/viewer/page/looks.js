// What memory looks like: the words and colours of VMMap, and the constants of winnt.h.

export const MARK_WRITTEN = 1;
export const MARK_HEAP = 2;
export const MARK_WATCHED = 4;
export const MARK_UNKNOWN = 8;

const MEM_COMMIT = 0x1000;
const MEM_RESERVE = 0x2000;
const PAGE_GUARD = 0x100;

/** Every kind of memory, in the order of the legend: key, word, what it means. */
export const KINDS = [
  ["free", "Free", "in no reservation"],
  ["reserved", "Reserved", "reserved, not committed"],
  ["readwrite", "Read/Write", "committed, PAGE_READWRITE"],
  ["readonly", "Read", "committed, PAGE_READONLY"],
  ["execute", "Execute", "committed, PAGE_EXECUTE or PAGE_EXECUTE_READ"],
  ["executewrite", "Execute/Read/Write", "committed, PAGE_EXECUTE_READWRITE"],
  ["noaccess", "No access", "committed, PAGE_NOACCESS"],
  ["guard", "Guard", "committed, an armed PAGE_GUARD"],
  ["heap", "Heap", "live blocks of IHostMalloc"],
  ["mapped", "Mapped", "a mapping that the runtime announced, or not private"],
  ["unusable", "Unusable", "the rest of an allocation's last granule"],
  ["unknown", "Unknown", "the manager gave no answer that means anything"],
];

const WORDS = new Map(KINDS.map(([key, word]) => [key, word]));

const PROTECTIONS = [
  [0x01, "NOACCESS", "noaccess"],
  [0x02, "READONLY", "readonly"],
  [0x04, "READWRITE", "readwrite"],
  [0x08, "WRITECOPY", "readwrite"],
  [0x10, "EXECUTE", "execute"],
  [0x20, "EXECUTE_READ", "execute"],
  [0x40, "EXECUTE_READWRITE", "executewrite"],
  [0x80, "EXECUTE_WRITECOPY", "executewrite"],
  [0x100, "GUARD"],
  [0x200, "NOCACHE"],
  [0x400, "WRITECOMBINE"],
];

/** A look of the record, with the names that belong to it. */
export class Look {
  constructor([state, protect, allocationProtect, type, marks]) {
    this.state = state;
    this.protect = protect;
    this.allocationProtect = allocationProtect;
    this.type = type;
    this.written = (marks & MARK_WRITTEN) !== 0;
    this.heap = (marks & MARK_HEAP) !== 0;
    this.watched = (marks & MARK_WATCHED) !== 0;
    this.kind = kindOf(state, protect, type, marks);
  }

  get word() {
    return WORDS.get(this.kind);
  }

  /** Whether a query shows the same: contents and marks are seen by no query. */
  showsLike(other) {
    return this.state === other.state && this.protect === other.protect
      && this.allocationProtect === other.allocationProtect && this.type === other.type;
  }
}

function kindOf(state, protect, type, marks) {
  if (marks & MARK_UNKNOWN) return "unknown";
  if (marks & MARK_HEAP) return "heap";
  if (state === MEM_RESERVE) return "reserved";
  if (state !== MEM_COMMIT) return "unknown";
  if (type !== 0x20000) return "mapped";
  if (protect & PAGE_GUARD) return "guard";
  const found = PROTECTIONS.find(([bit]) => bit === (protect & 0xff));
  return found ? found[2] : "unknown";
}

export function wordOf(kind) {
  return WORDS.get(kind);
}

/** `PAGE_READWRITE|PAGE_GUARD`, and a number for what has no name. */
export function protectionText(protect) {
  if (protect === 0) return "0";
  let rest = protect;
  const names = [];
  for (const [bit, name] of PROTECTIONS) {
    if (rest & bit) {
      names.push(`PAGE_${name}`);
      rest &= ~bit;
    }
  }
  if (rest) names.push(`0x${rest.toString(16)}`);
  return names.join(" | ");
}

export function stateText(state) {
  if (state === MEM_COMMIT) return "MEM_COMMIT";
  if (state === MEM_RESERVE) return "MEM_RESERVE";
  return state === 0x10000 ? "MEM_FREE" : `0x${state.toString(16)}`;
}

export function typeText(type) {
  const names = { 0: "0", 0x20000: "MEM_PRIVATE", 0x40000: "MEM_MAPPED", 0x1000000: "MEM_IMAGE" };
  return names[type] ?? `0x${type.toString(16)}`;
}
