/** wmma.load and wmma.store element by element, in the interpreter's order: what `access.ts` did not pass. */

import type { DeviceMemory } from '../../memory.ts';
import { LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../../memory-layout.ts';
import type { MemoryAccess } from '../../ptx/ir.ts';
import { TYPE_BYTES } from '../../ptx/ir.ts';
import { WARP } from '../arena.ts';
import { Frames } from '../collectives.ts';
import type { FaultReporter } from '../faults.ts';
import { plainAccess } from '../plain-access.ts';
import type { OperandSource } from '../syncpoints.ts';
import type { FragmentAccess } from './access.ts';

/** Performs the access for the warp whose first thread is `first`. */
export function accessElements(
  access: FragmentAccess,
  first: number,
  memory: DeviceMemory,
  reporter: FaultReporter,
  checked: boolean,
): void {
  const { instruction, plan, store, byRow, offset } = access;
  const { arena } = reporter.areas;
  const frames = new Frames(memory.i32, arena);
  const bytes = TYPE_BYTES[plan.type];
  const { type } = plan;
  const site = plainAccess(instruction, { op: store ? 'st' : 'ld', space: instruction.space, type, vector: 1 });
  const { u8 } = memory;
  const tight = byRow ? plan.layout.columns : plan.layout.rows;
  const bases = Array.from({ length: WARP }, (_, lane) => wide(frames, access.base, first + lane) + BigInt(offset));
  const strides = Array.from({ length: WARP }, (_, lane) =>
    access.stride === undefined ? tight : frames.value(access.stride, first + lane),
  );
  for (let element = 0; element < plan.layout.elements; element++) {
    const places = bases.map((base, lane) => {
      const { row, column } = plan.layout.place(lane, element);
      const index = byRow ? row * strides[lane]! + column : column * strides[lane]! + row;
      const address = BigInt.asUintN(64, base + BigInt(index * bytes));
      return checked
        ? reporter.resolve(site, address, first + lane) >>> 0
        : plainPlace(reporter, site, address, first + lane);
    });
    const source = access.registers[Math.floor(element / plan.perRegister)]!;
    const shift = (element % plan.perRegister) * bytes;
    places.forEach((place, lane) => {
      for (let b = 0; b < bytes; b++) {
        if (source.kind === 'constant') u8[place + b] = Number((source.bits >> BigInt(8 * (shift + b))) & 0xffn);
        else {
          const at = arena + source.slot.offset + (first + lane) * source.slot.bytes + shift + b;
          if (store) u8[place + b] = u8[at]!;
          else u8[at] = u8[place + b]!;
        }
      }
    });
  }
}

function wide(frames: Frames, source: OperandSource, thread: number): bigint {
  if (source.kind === 'constant') return BigInt.asUintN(64, source.bits);
  const low = BigInt(frames.word(source.slot, thread) >>> 0);
  return source.slot.bytes === 8 ? low | (BigInt(frames.word(source.slot, thread, 1) >>> 0) << 32n) : low;
}

/** Where an unchecked access goes: by the address's tag alone. */
function plainPlace(reporter: FaultReporter, site: MemoryAccess, address: bigint, thread: number): number {
  const { areas } = reporter;
  const low = Number(address & 0xffffffffn);
  const high = Number(address >> 32n);
  if (site.space === 'shared' || high === SHARED_TAG) return areas.shared + low;
  if (high === LOCAL_TAG) return areas.local + thread * areas.localBytes + low;
  return high === PARAM_TAG ? areas.params + low : low;
}
