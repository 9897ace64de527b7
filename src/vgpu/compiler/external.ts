/** Functions that device code may call without defining them: printf, assert, malloc and free. */
import type { LaunchContext } from '../executable.ts';
import { format, readString } from '../interpreter/printf.ts';
import { LOCAL_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction } from '../ptx/ir.ts';
import { ARENA } from './arena.ts';
import { type FaultReporter, LaunchStopped, whereOf } from './faults.ts';

/** Performs a call whose arguments lie in the arena's `vector` area, 8 bytes each; the result goes to its start. */
export function callExternal(
  context: LaunchContext,
  reporter: FaultReporter,
  instruction: Instruction,
  thread: number,
): void {
  if (instruction.kind !== 'control' || !instruction.call) return;
  const { memory } = context;
  const view = new DataView(memory.u8.buffer);
  const place = reporter.areas.arena + ARENA.vector;
  const argument = (index: number): bigint => view.getBigUint64(place + 8 * index, true);
  switch (instruction.call.target) {
    case 'vprintf': {
      const pattern = readString(memory, argument(0)) ?? '';
      const read = (address: bigint, bytes: number): Uint8Array | undefined =>
        readGeneric(context, reporter, thread, address, bytes);
      context.print(format(pattern, read, argument(1), (address) => readString(memory, address)));
      view.setBigUint64(place, 1n, true);
      return;
    }
    case '__assertfail': {
      const condition = readString(memory, argument(0)) ?? '?';
      const file = readString(memory, argument(1)) ?? '?';
      const message = `${reporter.who(thread)}: assertion \`${condition}\` failed at ${file}:${argument(2) & 0xffffffffn}.`;
      reporter.note(thread, { kind: 'assert', message, instruction });
      throw new LaunchStopped(message);
    }
    case 'malloc': {
      const allocation = memory.allocate(Number(argument(0)), { name: `malloc at ${whereOf(instruction)}` });
      memory.allow(new Set([...memory.allocations.filter((item) => item.allowed), allocation]));
      view.setBigUint64(place, allocation.address, true);
      return;
    }
    case 'free':
      if (argument(0) !== 0n) memory.free(argument(0));
  }
}

function readGeneric(
  context: LaunchContext,
  reporter: FaultReporter,
  thread: number,
  address: bigint,
  bytes: number,
): Uint8Array | undefined {
  const { memory } = context;
  const { areas } = reporter;
  const high = Number(address >> 32n);
  const low = Number(address & 0xffffffffn);
  if (high === LOCAL_TAG && low + bytes <= areas.localBytes) {
    const at = areas.local + thread * areas.localBytes + low;
    return memory.u8.slice(at, at + bytes);
  }
  if (high === SHARED_TAG && low + bytes <= areas.sharedBytes)
    return memory.u8.slice(areas.shared + low, areas.shared + low + bytes);
  return memory.find(address) === undefined ? undefined : memory.u8.slice(low, low + bytes);
}
