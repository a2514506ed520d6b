// A small manager of simulated memory in JavaScript: reserve, commit, protect, query. All numbers are
// BigInts. Not here: contents, heaps, write watch, memory load: what is not declared is never asked.
const PAGE = 4096n
const UNIT = 65536n
const LOW = 0x10000n
const END = 0x7fffffff0000n
const INVALID_PARAMETER = [87]
const INVALID_ADDRESS = [487]

const down = (address, unit = PAGE) => address - (address % unit)
const up = (address, unit = PAGE) => down(address + unit - 1n, unit)
const oneBase = (protect) => protect < 0x100n && [1n, 2n, 4n, 8n, 16n, 32n, 64n, 128n].includes(protect)
const copyOnWrite = (protect) => protect === 8n || protect === 0x80n

export class Manager {
  static ABOUT = {
    name: 'toy-node', version: '1', page: 4096, granularity: 65536, errors: 'win32',
    capabilities: ['query', 'private-arena'], absent: { contents: 'it has no memory, only a table' },
  }

  areas = [] // by address: { base, end, protect, pages: committed address -> protection }

  find(address) {
    return this.areas.find((area) => area.base <= address && address < area.end)
  }

  commit(area, from, to, protect) {
    for (let page = from; page < to; page += PAGE) area.pages.set(page, protect)
  }

  VirtualAlloc(address, size, kind, protect) {
    if (kind & ~0x3000n || !kind || (address && address < LOW) || !oneBase(protect)) return INVALID_PARAMETER
    const reserve = kind & 0x2000n || !address
    if ((copyOnWrite(protect) && reserve) || !size || address + size > END) return INVALID_PARAMETER
    if (!reserve) {
      const area = this.find(address)
      if (!area || address + size > area.end) return INVALID_ADDRESS
      if (copyOnWrite(protect)) return INVALID_PARAMETER
      this.commit(area, down(address), up(address + size), protect)
      return [0, down(address)]
    }
    let base = address ? down(address, UNIT) : LOW
    let end = address ? up(address + size) : base + up(size)
    for (const area of this.areas) {
      if (end <= area.base || up(area.end, UNIT) <= base) continue
      if (address) return INVALID_ADDRESS
      base = up(area.end, UNIT)
      end = base + up(size)
    }
    if (end > END) return [8]
    const area = { base, end, protect, pages: new Map() }
    this.areas = [...this.areas, area].sort((a, b) => (a.base < b.base ? -1 : 1))
    if (kind & 0x1000n) this.commit(area, base, end, protect)
    return [0, base]
  }

  VirtualFree(address, size, kind) {
    const release = kind === 0x8000n
    if ((kind !== 0x4000n && !release) || (release && size)) return INVALID_PARAMETER
    if (address >= END || address + size > END) return INVALID_PARAMETER
    const area = this.find(address)
    if (!area || (!size && down(address) !== area.base)) return INVALID_ADDRESS
    if (address + size > area.end) return INVALID_PARAMETER
    if (release) this.areas.splice(this.areas.indexOf(area), 1)
    const end = size ? up(address + size) : area.end
    for (let page = down(address); page < end; page += PAGE) area.pages.delete(page)
    return [0]
  }

  VirtualProtect(address, size, protect) {
    if (!oneBase(protect) || !size || address + size > END) return INVALID_PARAMETER
    const area = this.find(address)
    if (!area || address + size > area.end) return INVALID_ADDRESS
    if (copyOnWrite(protect)) return INVALID_PARAMETER
    const first = area.pages.get(down(address))
    for (let page = down(address); page < address + size; page += PAGE) {
      if (!area.pages.has(page)) return INVALID_ADDRESS
    }
    this.commit(area, down(address), up(address + size), protect)
    return [0, first]
  }

  VirtualQuery(address) {
    if (address >= END) return INVALID_PARAMETER
    const page = down(address)
    const area = this.find(address)
    if (!area) {
      const next = this.areas.find((area) => area.base > page)
      return [0, page, 0, 0, (next ? next.base : END) - page, 0x10000, 1, 0]
    }
    const protect = area.pages.get(page)
    let end = page
    while (end < area.end && area.pages.get(end) === protect) end += PAGE
    return [0, page, area.base, area.protect, end - page, protect ? 0x1000 : 0x2000, protect ?? 0, 0x20000]
  }
}
