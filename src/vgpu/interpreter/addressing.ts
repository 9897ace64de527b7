/**
 * Addresses of memory instructions: computed by lane, then resolved to offsets in the WebAssembly memory with every check
 * of memory-layout.ts. A lane whose access is wrong is reported and left out of the transfer.
 */
import type { SharedRegion } from '../loader.ts';
import {
  CLUSTER_RANK_SHIFT,
  COLOURS,
  GLOBAL_TAG,
  HEAP_BASE,
  LOCAL_TAG,
  PARAM_TAG,
  SHARED_TAG,
} from '../memory-layout.ts';
import type { Instruction, Operand, PtxFunction, Space, Variable } from '../ptx/ir.ts';
import type { FindingKind } from '../types.ts';
import type { Assembler } from './assembler.ts';
import type { Block } from './block.ts';
import type { Environment } from './environment.ts';
import { frameParamStart } from './move.ts';
import type { Warp } from './warp.ts';

export type AddressStep = (warp: Warp, mask: number) => void;

type Address = Extract<Operand, { kind: 'address' }>;

/** Fills `env.low` and `env.high` with the lanes' addresses in the operand's space. */
export function addressStep(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  operand: Operand | undefined,
  at: Instruction,
): AddressStep {
  if (operand?.kind !== 'address') throw asm.error(at, 'an address was expected');
  const { base, offset } = operand;
  if (base.kind === 'register') return registerAddress(asm, env, fn, operand, at);
  if (base.kind === 'variable' && base.variable.owner === 'frame') {
    const { variable } = base;
    const start = (variable.space === 'param' ? frameParamStart(fn) : 0) + variable.offset + offset;
    return (warp, mask) => {
      for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
        if ((m & 1) === 0) continue;
        env.low[l] = warp.stack[l]! + start;
        env.high[l] = 0;
      }
    };
  }
  const address = BigInt.asUintN(
    64,
    (base.kind === 'variable' ? asm.module.addressOf(asm.kernel, base.variable) : 0n) + BigInt(offset),
  );
  const low = Number(address & 0xffff_ffffn);
  const high = Number(address >> 32n);
  return (_warp, mask) => {
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      env.low[l] = low;
      env.high[l] = high;
    }
  };
}

function registerAddress(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  operand: Address,
  at: Instruction,
): AddressStep {
  if (operand.base.kind !== 'register') throw asm.error(at, 'a register was expected');
  const ref = asm.register(fn, operand.base.id);
  const { offset } = operand;
  const { file } = asm;
  const wide = ref.words === 2;
  const offsetHigh = offset < 0 ? -1 : 0;
  return (warp, mask) => {
    const r = file.i32;
    const x = ref.slot + (warp.base & ref.mask);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      if (wide) {
        const sum = (r[x + 2 * l]! >>> 0) + (offset >>> 0);
        env.low[l] = sum;
        env.high[l] = r[x + 2 * l + 1]! + offsetHigh + (sum > 0xffff_ffff ? 1 : 0);
      } else {
        env.low[l] = r[x + l]! + offset;
        env.high[l] = 0;
      }
    }
  };
}

export interface Access {
  readonly kind: 'read' | 'write' | 'atomic';
  readonly bytes: number;
  readonly space: Space;
  readonly at: Instruction;
  /** Entry or `.func`: where an address in param space points. */
  readonly fn: PtxFunction;
  /** The shared variable that the address was computed from, where that is known. */
  readonly origin?: Variable;
  /** `.shared::cluster`: an address may belong to another block of the cluster. Generic addresses always may. */
  readonly clusterWide?: boolean;
}

/** Decides about all lanes of an access; returns the lanes that may go on, with `env.physical` filled for them. */
export type Resolver = (warp: Warp, mask: number) => number;

export function resolver(env: Environment, access: Access, variable: Variable | undefined): Resolver {
  const check = laneCheck(env, access, variable);
  return (warp, mask) => {
    let good = mask;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) !== 0 && !check(warp, l, env.high[l]!, env.low[l]!)) good &= ~(1 << l);
    }
    return good;
  };
}

type LaneCheck = (warp: Warp, lane: number, high: number, low: number) => boolean;

function laneCheck(env: Environment, access: Access, variable: Variable | undefined): LaneCheck {
  const global = globalCheck(env, access);
  const window = {
    shared: windowCheck(env, access, 'shared'),
    local: windowCheck(env, access, 'local'),
    param: windowCheck(env, access, 'param'),
  };
  switch (access.space) {
    case 'global':
    case 'const':
      return global;
    case 'shared':
      return window.shared;
    case 'local':
      return window.local;
    case 'param': {
      const inFrame = variable === undefined ? !access.fn.entry : variable.owner === 'frame';
      return inFrame ? window.local : window.param;
    }
    case 'generic':
      return (warp, lane, high, low) => {
        if (high === SHARED_TAG) return window.shared(warp, lane, 0, low);
        if (high === LOCAL_TAG) return window.local(warp, lane, 0, low);
        if (high === PARAM_TAG) return window.param(warp, lane, 0, low);
        return global(warp, lane, high, low);
      };
  }
}

function neededBits(low: number, bytes: number): number {
  return bytes >= 4 ? 0x0f : ((1 << bytes) - 1) << (low & 3);
}

function globalCheck(env: Environment, access: Access): LaneCheck {
  const { memory } = env;
  const { u8, u16, u32 } = memory;
  const { bytes } = access;
  const reads = access.kind !== 'write';
  const writes = access.kind !== 'read';
  return (warp, lane, high, low) => {
    if ((low & (bytes - 1)) !== 0) return misaligned(env, access, warp, lane, 'global', high, low);
    const colour = high - GLOBAL_TAG;
    let fits = false;
    if (colour >= 1 && colour <= COLOURS && low >= HEAP_BASE) {
      if (bytes <= 4) {
        const shadow = u8[low >>> 2]!;
        const needed = neededBits(low, bytes);
        fits = shadow >>> 4 === colour && (!reads || (shadow & needed) === needed);
        if (fits && writes) u8[low >>> 2] = shadow | needed;
      } else if (bytes === 8) {
        const shadow = u16[low >>> 3]!;
        fits = (shadow & 0xf0f0) === colour * 0x1010 && (!reads || (shadow & 0x0f0f) === 0x0f0f);
        if (fits && writes) u16[low >>> 3] = shadow | 0x0f0f;
      } else if (bytes === 16) {
        const shadow = u32[low >>> 4]!;
        fits =
          (shadow & 0xf0f0_f0f0) >>> 0 === colour * 0x1010_1010 && (!reads || (shadow & 0x0f0f_0f0f) === 0x0f0f_0f0f);
        if (fits && writes) u32[low >>> 4] = shadow | 0x0f0f_0f0f;
      }
    }
    if (!fits) {
      const far = memory.far?.resolve(high, low, bytes);
      if (far !== undefined) {
        env.physical[lane] = far;
        return true;
      }
      if (reads && !slowGlobal(env, access, warp, lane, high, low, false)) return false;
      if (writes && !slowGlobal(env, access, warp, lane, high, low, true)) return false;
    }
    if (writes) memory.written?.mark(low, bytes);
    env.physical[lane] = low;
    return true;
  };
}

/** The exact decision, with the finding when the access is wrong. */
function slowGlobal(
  env: Environment,
  access: Access,
  warp: Warp,
  lane: number,
  high: number,
  low: number,
  write: boolean,
): boolean {
  const fault = env.memory.resolveGlobal(high, low, access.bytes, write);
  if (fault === undefined) return true;
  const { allocation } = fault;
  const verb = access.kind === 'write' ? 'writes' : access.kind === 'read' ? 'reads' : 'updates';
  const place =
    allocation === undefined
      ? ''
      : ` at offset ${fault.offset} of ${allocation.name} (${allocation.bytes} byte${allocation.bytes === 1 ? '' : 's'})`;
  env.fault(warp, lane, {
    kind: fault.kind,
    message: `${env.who(warp, lane)} ${verb} ${access.bytes} byte${access.bytes === 1 ? '' : 's'} of global memory${place}: ${fault.reason}.`,
    instruction: access.at,
    space: access.space === 'const' ? 'const' : 'global',
    access: access.kind,
    bytes: access.bytes,
    address: `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`,
    allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: fault.offset },
  });
  // A read of uninitialised bytes can go on: it gets what is there.
  return fault.kind === 'uninitialised-read';
}

function misaligned(
  env: Environment,
  access: Access,
  warp: Warp,
  lane: number,
  space: 'global' | 'shared' | 'local' | 'param',
  high: number,
  low: number,
): boolean {
  const allocation = space === 'global' ? env.memory.find((BigInt(high) << 32n) | BigInt(low)) : undefined;
  env.fault(warp, lane, {
    kind: 'misaligned',
    message: `${env.who(warp, lane)}: a ${access.bytes}-byte ${access.kind} of ${space} memory at an address that is not a multiple of ${access.bytes}.`,
    instruction: access.at,
    space,
    access: access.kind,
    bytes: access.bytes,
    address: `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`,
    allocation: allocation && {
      name: allocation.name,
      bytes: allocation.bytes,
      offset: low - allocation.base,
    },
  });
  return false;
}

/** The shared variable that an offset lies in, or the nearest below. */
function regionBelow(regions: readonly SharedRegion[], offset: number): SharedRegion | undefined {
  let below: SharedRegion | undefined;
  for (const region of regions) if (region.start <= offset) below = region;
  return below;
}

/** Shared, local and parameter memory: bounds of the area, alignment, and initialisation by the low nibbles. */
function windowCheck(env: Environment, access: Access, space: 'shared' | 'local' | 'param'): LaneCheck {
  const { u8 } = env.memory;
  const { bytes } = access;
  const reads = access.kind !== 'write';
  const writes = access.kind !== 'read';
  const wide = access.clusterWide === true || access.space === 'generic';
  /** The block whose shared memory the lane at hand reaches for. */
  let holder: Block | undefined;
  const fault = (kind: FindingKind, warp: Warp, lane: number, low: number, size: number, reason: string): void => {
    const verb = access.kind === 'write' ? 'writes' : access.kind === 'read' ? 'reads' : 'updates';
    const region = space === 'shared' ? regionBelow(env.sharedRegions, low) : undefined;
    const place = region === undefined ? `${space} memory` : `the shared variable ${region.name}`;
    const owner = holder === undefined || holder === warp.block ? '' : ` of block (${holder.position.join(', ')})`;
    const offset = low - (region?.start ?? 0);
    env.fault(warp, lane, {
      kind,
      message: `${env.who(warp, lane)} ${verb} ${bytes} byte${bytes === 1 ? '' : 's'} of ${place}${owner} at offset ${offset}: ${reason}.`,
      instruction: access.at,
      space,
      access: access.kind,
      bytes,
      address: `0x${low.toString(16)}`,
      allocation:
        region === undefined
          ? { name: `${space} memory`, bytes: size, offset }
          : { name: region.name, bytes: region.end - region.start, offset },
    });
  };
  return (warp, lane, high, address) => {
    let low = address;
    const { block } = warp;
    holder = block;
    if (space === 'shared' && address >>> CLUSTER_RANK_SHIFT !== 0) {
      const member = block.cluster.blocks[(address >>> CLUSTER_RANK_SHIFT) - 1];
      if (member !== undefined) {
        holder = member;
        low = address & ((1 << CLUSTER_RANK_SHIFT) - 1);
      }
      if (holder !== block && (!wide || holder.finished)) {
        const reason = wide
          ? 'that block has exited, and its shared memory with it; end with cluster.sync()'
          : 'only .shared::cluster and generic accesses reach another block';
        fault(wide ? 'use-after-free' : 'out-of-bounds', warp, lane, low, env.sharedBytes, reason);
        return false;
      }
    }
    const size = space === 'shared' ? env.sharedBytes : space === 'local' ? env.localBytes : env.paramBytes;
    if ((low & (bytes - 1)) !== 0) return misaligned(env, access, warp, lane, space, high, low);
    if (high !== 0 || low + bytes > size) {
      // Shared addresses are 32 bits wide in registers of 64: a set high word is a wrong address as well.
      fault(
        'out-of-bounds',
        warp,
        lane,
        low,
        size,
        high !== 0 ? 'this is not an address of that space' : `only ${size} bytes are there`,
      );
      return false;
    }
    if (space === 'shared' && env.sharedRegions.length > 1) {
      const region = regionBelow(env.sharedRegions, low);
      if (region !== undefined && low + bytes > region.end) {
        const own = region.end - region.start;
        fault('out-of-bounds', warp, lane, low, size, `${region.name} has only ${own} byte${own === 1 ? '' : 's'}`);
        return false;
      }
      const own = access.origin === undefined ? undefined : env.regionOf(access.origin);
      if (own !== undefined && (low < own.start || low + bytes > own.end)) {
        const length = own.end - own.start;
        const reason = `the address was computed from ${own.name}, which has only ${length} byte${length === 1 ? '' : 's'}`;
        fault('out-of-bounds', warp, lane, low, size, reason);
        return false;
      }
    }
    if (space === 'param' && writes) {
      fault('write-to-readonly', warp, lane, low, size, 'kernel parameters are constant');
      return false;
    }
    const physical =
      low +
      (space === 'shared'
        ? holder.sharedBase
        : space === 'local'
          ? warp.block.localBase + (warp.index * 32 + lane) * env.localBytes
          : env.launch.paramBase);
    for (let at = physical, left = bytes; left > 0; at += 4, left -= 4) {
      const needed = neededBits(at, left >= 4 ? 4 : bytes);
      const shadow = u8[at >>> 2]!;
      if (reads && (shadow & needed) !== needed) {
        const pending = space === 'shared' && holder.hasPendingCopyTo(physical, bytes);
        const reason = pending
          ? 'an asynchronous copy to it is still in flight; wait for its group first'
          : 'it was never written';
        fault('uninitialised-read', warp, lane, low, size, reason);
        break;
      }
      if (writes) u8[at >>> 2] = shadow | needed;
    }
    env.physical[lane] = physical;
    return true;
  };
}
