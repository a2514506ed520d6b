// Connects a memory manager in JavaScript to hostmem: `node adapter.mjs [MODULE]`.
//
// The manager is the class `Manager` of the module (default: ./toy.mjs). A call is a method of it with
// the name of VALIDATE.md's table, which gets the numbers of the call as BigInts (an address as one) and
// returns an answer: a list of numbers. A method that is not there is answered with "unsupported".
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'

const { Manager } = await import(process.argv[2] ? resolve(process.argv[2]) : './toy.mjs')
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
  const name = NAMES[method]
  if (method !== 0n && !manager[name]) throw { unsupported: `it has no ${name}` }
  const answer = method === 0n ? [0n, ...numbers] : manager[name](...numbers).map(BigInt)
  // These allocate: the next slot is theirs, also of a refusal.
  if ([1n, 6n, 7n].includes(method)) slots.push(answer[0] === 0n ? answer[1] : 0n)
  return answer.map((n) => (n > SAFE || n < -SAFE ? String(n) : Number(n)))
}

function reply(request) {
  if ('start' in request) return { outcome: { protocol: 1, ...Manager.ABOUT } }
  if ('open' in request) {
    manager = new Manager()
    slots = []
  }
  if (!('run' in request)) return { outcome: [] }
  try {
    return { outcome: request.run.map(call) }
  } catch (error) {
    if (error.unsupported) return error
    throw error
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  process.stdout.write(JSON.stringify({ id: request.id, ...reply(request) }) + '\n')
  if ('stop' in request) process.exit()
}
