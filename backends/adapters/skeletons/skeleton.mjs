// An adapter for hostmem. Fill in Manager, then: hostmem agent --validate 'node THIS_FILE'.
//
// VALIDATE.md of hostmem has every method with its numbers. Take a method out of Manager if your
// implementation has nothing like it, and its capability out of ABOUT: then it is never asked.
import { createInterface } from 'node:readline'

const REFUSED = [120] // ERROR_CALL_NOT_IMPLEMENTED: what everything here answers until you fill it in

// One address space; hostmem opens a fresh one for each case. Numbers come as BigInts.
class Manager {
  static ABOUT = {
    protocol: 1, name: 'YOUR NAME', version: '1', homepage: 'https://…',
    page: 4096, granularity: 65536, errors: 'win32', capabilities: ['query'],
  }

  VirtualAlloc(address, size, kind, protect, critical) {
    return REFUSED // YOUR CODE: [0, the address]
  }

  VirtualFree(address, size, kind) {
    return REFUSED // YOUR CODE: [0]
  }

  VirtualProtect(address, size, protect, old) {
    return REFUSED // YOUR CODE: [0, the old protection]
  }

  VirtualQuery(address, length, buffer) {
    return REFUSED // YOUR CODE: [0, BaseAddress, AllocationBase, AllocationProtect, …]
  }
}

// From here on nothing needs to be changed.
const NAMES = ('Echo VirtualAlloc VirtualFree VirtualQuery VirtualProtect CreateMalloc Alloc DebugAlloc ' +
  'Free GetMemoryLoad RegisterMemoryNotificationCallback NeedsVirtualAddressSpace AcquiredVirtualAddressSpace ' +
  'ReleasedVirtualAddressSpace Read Write Execute GetWriteWatch ResetWriteWatch SetMemoryLoad').split(' ')
const WITHOUT_ADDRESS = [5, 6, 7, 9, 10, 19]
const SAFE = BigInt(Number.MAX_SAFE_INTEGER)
let manager
let slots = []

function call(flat) {
  const [method, ...numbers] = flat.map(BigInt) // a number may stand in quotes: BigInt takes both
  if (!WITHOUT_ADDRESS.includes(Number(method))) {
    const at = method === 8n ? 1 : 0
    const [slot, offset] = numbers.slice(at, at + 2)
    numbers.splice(at, 2, BigInt.asUintN(64, (slot < 0n ? 0n : slots[slot]) + offset))
  }
  const answer = method === 0n ? [0n, ...numbers] : manager[NAMES[method]](...numbers).map(BigInt)
  // These allocate: the next slot is theirs, also of a refusal.
  if ([1n, 6n, 7n].includes(method)) slots.push(answer[0] === 0n ? answer[1] : 0n)
  return answer.map((n) => (n > SAFE || n < -SAFE ? String(n) : Number(n)))
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let outcome = []
  if ('start' in request) outcome = Manager.ABOUT
  if ('open' in request) [manager, slots] = [new Manager(), []]
  if ('run' in request) outcome = request.run.map(call)
  process.stdout.write(JSON.stringify({ id: request.id, outcome }) + '\n')
  if ('stop' in request) process.exit()
}
