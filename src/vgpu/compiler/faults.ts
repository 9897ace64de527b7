/**
 * The slow path of memory accesses: what the inline test did not pass is decided exactly, in the words that the
 * interpreter uses, and reported.
 */
import type { LaunchContext } from '../executable.ts';
import type { FaultSite } from '../findings.ts';
import type { SharedRegion } from '../loader.ts';
import { GLOBAL_TAG, LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction } from '../ptx/ir.ts';
import { TYPE_BYTES } from '../ptx/ir.ts';
import type { Dim3 } from '../types.ts';
import { ARENA } from './arena.ts';

/** Thrown through WebAssembly to end a launch; what there is to say has been reported. */
export class LaunchStopped extends Error {
  override readonly name = 'LaunchStopped';
}

type Window = 'shared' | 'local' | 'param';

/** The areas of one resident block. */
export interface Areas {
  readonly arena: number;
  readonly shared: number;
  readonly sharedBytes: number;
  /** The shared variables, by place. */
  readonly sharedRegions: readonly SharedRegion[];
  readonly local: number;
  readonly localBytes: number;
  readonly params: number;
  readonly paramBytes: number;
}

export class FaultReporter {
  /** True when an asynchronous copy to these bytes of shared memory has not landed. */
  pendingCopy: ((physical: number, bytes: number) => boolean) | undefined;

  constructor(
    private readonly context: LaunchContext,
    /** Those of the block that runs. */
    public areas: Areas,
  ) {}

  blockPosition(): Dim3 {
    const at = (this.areas.arena + ARENA.ctaid) >>> 2;
    const { u32 } = this.context.memory;
    return [u32[at]!, u32[at + 1]!, u32[at + 2]!];
  }

  threadPosition(thread: number): Dim3 {
    const [x, y] = this.context.block;
    return [thread % x, Math.floor(thread / x) % y, Math.floor(thread / (x * y))];
  }

  who(thread: number): string {
    return `thread (${this.threadPosition(thread).join(', ')}) of block (${this.blockPosition().join(', ')})`;
  }

  /** Something that may be a fault: where the interpreter can be asked, compiled code ends here. */
  doubt(reason: string): void {
    this.context.doubt?.(reason);
  }

  /** Reports a fault; ends the launch when it asks for that. */
  fault(thread: number, site: Omit<FaultSite, 'block' | 'thread'>): void {
    this.note(thread, site);
    if (this.context.stopAtFault) throw new LaunchStopped(site.message);
  }

  note(thread: number, site: Omit<FaultSite, 'block' | 'thread'>): void {
    this.context.findings.report({ ...site, block: this.blockPosition(), thread: this.threadPosition(thread) });
  }

  /**
   * Decides about an access. Returns the offset in memory where it may take place; for one that must not, 0 (which reads
   * as zeros) or the arena's sink.
   */
  resolve(instruction: Instruction, address: bigint, thread: number): number {
    const high = Number((address >> 32n) & 0xffffffffn);
    const low = Number(address & 0xffffffffn);
    const access =
      instruction.kind === 'atomic'
        ? 'atomic'
        : instruction.kind === 'memory' && instruction.op === 'st'
          ? 'write'
          : 'read';
    const { space, bytes } = describe(instruction);
    const resolved =
      space === 'shared' || space === 'local'
        ? this.window(instruction, space, access, bytes, high, low, thread)
        : high === SHARED_TAG
          ? this.window(instruction, 'shared', access, bytes, 0, low, thread)
          : high === LOCAL_TAG
            ? this.window(instruction, 'local', access, bytes, 0, low, thread)
            : high === PARAM_TAG
              ? this.window(instruction, 'param', access, bytes, 0, low, thread)
              : this.global(instruction, access, bytes, high, low, thread);
    if (resolved !== undefined) return resolved | 0;
    return access === 'write' ? this.areas.arena + ARENA.storeSink : 0;
  }

  private global(
    instruction: Instruction,
    access: 'read' | 'write' | 'atomic',
    bytes: number,
    high: number,
    low: number,
    thread: number,
  ): number | undefined {
    const { memory } = this.context;
    if ((low & (bytes - 1)) !== 0) return this.misaligned(instruction, 'global', access, bytes, high, low, thread);
    for (const write of [false, true]) {
      if (write ? access === 'read' : access === 'write') continue;
      const found = memory.resolveGlobal(high, low, bytes, write);
      if (found === undefined) continue;
      const { allocation } = found;
      const place =
        allocation === undefined
          ? ''
          : ` at offset ${found.offset} of ${allocation.name} (${allocation.bytes} byte${allocation.bytes === 1 ? '' : 's'})`;
      this.fault(thread, {
        kind: found.kind,
        message: `${this.who(thread)} ${verb(access)} ${bytes} byte${bytes === 1 ? '' : 's'} of global memory${place}: ${found.reason}.`,
        instruction,
        space: instruction.kind === 'memory' && instruction.space === 'const' ? 'const' : 'global',
        access,
        bytes,
        address: `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`,
        allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: found.offset },
      });
      if (found.kind !== 'uninitialised-read') return undefined;
    }
    return low;
  }

  private misaligned(
    instruction: Instruction,
    space: 'global' | Window,
    access: 'read' | 'write' | 'atomic',
    bytes: number,
    high: number,
    low: number,
    thread: number,
  ): undefined {
    const tagged = high > GLOBAL_TAG ? this.context.memory.find((BigInt(high) << 32n) | BigInt(low)) : undefined;
    const allocation = space === 'global' ? tagged : undefined;
    this.fault(thread, {
      kind: 'misaligned',
      message: `${this.who(thread)}: a ${bytes}-byte ${access} of ${space} memory at an address that is not a multiple of ${bytes}.`,
      instruction,
      space,
      access,
      bytes,
      address: `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`,
      allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: low - allocation.base },
    });
    return undefined;
  }

  private window(
    instruction: Instruction,
    space: Window,
    access: 'read' | 'write' | 'atomic',
    bytes: number,
    high: number,
    low: number,
    thread: number,
  ): number | undefined {
    const { areas } = this;
    const { u8 } = this.context.memory;
    const size = space === 'shared' ? areas.sharedBytes : space === 'local' ? areas.localBytes : areas.paramBytes;
    if ((low & (bytes - 1)) !== 0) return this.misaligned(instruction, space, access, bytes, high, low, thread);
    const region = space === 'shared' ? regionBelow(areas.sharedRegions, low) : undefined;
    const place = region === undefined ? `${space} memory` : `the shared variable ${region.name}`;
    const offset = low - (region?.start ?? 0);
    const fault = (kind: FaultSite['kind'], reason: string): void =>
      this.fault(thread, {
        kind,
        message: `${this.who(thread)} ${verb(access)} ${bytes} byte${bytes === 1 ? '' : 's'} of ${place} at offset ${offset}: ${reason}.`,
        instruction,
        space,
        access,
        bytes,
        address: `0x${low.toString(16)}`,
        allocation:
          region === undefined
            ? { name: `${space} memory`, bytes: size, offset }
            : { name: region.name, bytes: region.end - region.start, offset },
      });
    if (high !== 0 || low + bytes > size) {
      fault('out-of-bounds', high !== 0 ? 'this is not an address of that space' : `only ${size} bytes are there`);
      return undefined;
    }
    if (region !== undefined && areas.sharedRegions.length > 1 && low + bytes > region.end) {
      const own = region.end - region.start;
      fault('out-of-bounds', `${region.name} has only ${own} byte${own === 1 ? '' : 's'}`);
      return undefined;
    }
    if (space === 'param' && access !== 'read') {
      fault('write-to-readonly', 'kernel parameters are constant');
      return undefined;
    }
    const base =
      space === 'shared' ? areas.shared : space === 'local' ? areas.local + thread * areas.localBytes : areas.params;
    const physical = base + low;
    for (let at = physical, left = bytes; left > 0; at += 4, left -= 4) {
      const needed = left >= 4 ? 0x0f : ((1 << bytes) - 1) << (at & 3);
      const shadow = u8[at >>> 2]!;
      if (access !== 'write' && (shadow & needed) !== needed) {
        const pending = space === 'shared' && this.pendingCopy?.(physical, bytes) === true;
        fault(
          'uninitialised-read',
          pending ? 'an asynchronous copy to it is still in flight; wait for its group first' : 'it was never written',
        );
        break;
      }
      if (access !== 'read') u8[at >>> 2] = shadow | needed;
    }
    return physical;
  }
}

/** The source line of an instruction in words, for messages. */
export function whereOf(instruction: Instruction): string {
  const { source } = instruction;
  return source === undefined ? `PTX line ${instruction.line}` : `${source.file.split('/').at(-1)}:${source.line}`;
}

/** The shared variable that an offset lies in, or the nearest below. */
function regionBelow(regions: readonly SharedRegion[], offset: number): SharedRegion | undefined {
  let below: SharedRegion | undefined;
  for (const region of regions) if (region.start <= offset) below = region;
  return below;
}

const verb = (access: 'read' | 'write' | 'atomic'): string =>
  access === 'write' ? 'writes' : access === 'read' ? 'reads' : 'updates';

function describe(instruction: Instruction): { space: string; bytes: number } {
  if (instruction.kind !== 'memory' && instruction.kind !== 'atomic') return { space: 'generic', bytes: 1 };
  return { space: instruction.space, bytes: TYPE_BYTES[instruction.type] * instruction.vector };
}
