/**
 * cp.async.bulk.tensor and cp.reduce.async.bulk.tensor in tile mode: a box of a tensor to or from shared memory, row after
 * row. What lies outside of the tensor is loaded as zeros and not stored; the mbarrier always counts the whole box.
 */

import { CLUSTER_RANK_SHIFT, TENSOR_MAP_TAG } from '../memory-layout.ts';
import type { PtxFunction, TensorCopy } from '../ptx/ir.ts';
import type { BoundTensorMap } from '../tensor-maps.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import { barrierCheck, destinations, inBlock, PIECE, rangeCheck } from './async-proxy.ts';
import { elementUpdate, loadBits, storeBits } from './atomics.ts';
import { addToGroup } from './bulk-groups.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import { launchWrite } from './in-flight.ts';
import type { Step } from './lane-loops.ts';
import type { Ref } from './registers.ts';
import { swizzled } from './swizzle.ts';
import type { Warp } from './warp.ts';

/** Boxes start at multiples of this in shared memory. */
const BOX_ALIGNMENT = 128;
/** Tensor maps lie at multiples of this. */
const MAP_ALIGNMENT = 64;

/** One row of the box: where it lies in shared memory, and what of it is inside the tensor. */
interface Row {
  /** Bytes from the start of the box, before swizzling. */
  readonly inBox: number;
  /** Offset in the WebAssembly memory of the part inside; `bytes` is 0 where there is none. */
  readonly physical: number;
  readonly bytes: number;
  /** Bytes of the row before that part. */
  readonly skipped: number;
}

function rowsOf(map: BoundTensorMap, corner: readonly number[]): Row[] {
  const rows: Row[] = [];
  const { counts, dims, strides, elementStrides, elementBytes } = map;
  const first = Math.min(Math.max(0, -corner[0]!), counts[0]!);
  const last = Math.max(first, Math.min(counts[0]!, dims[0]! - corner[0]!));
  const at = counts.map(() => 0);
  const total = counts.slice(1).reduce((product, count) => product * count, 1);
  for (let row = 0; row < total; row++) {
    let physical = map.base + (corner[0]! + first) * elementBytes;
    let inside = true;
    for (let axis = 1; axis < counts.length; axis++) {
      const position = corner[axis]! + at[axis]! * elementStrides[axis]!;
      if (position < 0 || position >= dims[axis]!) inside = false;
      physical += position * strides[axis]!;
    }
    rows.push({
      inBox: row * counts[0]! * elementBytes,
      physical: inside ? physical : map.base,
      bytes: inside ? (last - first) * elementBytes : 0,
      skipped: first * elementBytes,
    });
    for (let axis = 1; axis < counts.length && ++at[axis]! === counts[axis]; axis++) at[axis] = 0;
  }
  return rows;
}

export function tensorStep(asm: Assembler, env: Environment, fn: PtxFunction, i: TensorCopy): Step {
  const loads = i.operation === 'load';
  const mapOperand = i.src[loads ? 1 : 0];
  const maps = mapResolver(asm, env, fn, i, mapOperand);
  if (mapOperand?.kind !== 'address' || mapOperand.coordinates?.kind !== 'vector') {
    throw asm.error(i, 'coordinates are expected after the tensor map');
  }
  const { elements } = mapOperand.coordinates;
  if (elements.length !== i.dimensions) {
    throw asm.error(i, `${i.dimensions} coordinates are needed, ${elements.length} are given`);
  }
  const coordinates = elements.map((element) => asm.value(fn, element, 's32', i));
  const word = (ref: Ref, warp: Warp, lane: number): number =>
    asm.file.i32[ref.slot + (warp.base & ref.mask) + lane * ref.words]!;
  if (i.operation === 'prefetch') {
    return (warp, mask) => {
      for (let l = 0; l < 32; l++) if (((mask >>> l) & 1) !== 0) maps(warp, l);
    };
  }
  const kind = loads ? 'write' : 'read';
  const shared = rangeCheck(asm, env, fn, i.src[loads ? 0 : 1], { kind, space: 'shared', at: i });
  const counter = loads ? barrierCheck(asm, env, fn, i.src[2], i) : undefined;
  const masks = i.multicast ? asm.value(fn, i.src[3]!, 'u16', i) : undefined;
  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const map = maps(warp, l);
      if (map === undefined) continue;
      const rows = rowsOf(
        map,
        coordinates.map((ref) => word(ref, warp, l)),
      );
      if (!checkRows(env, warp, l, i, map, rows)) continue;
      const low = shared.address(warp, l);
      if (low % BOX_ALIGNMENT !== 0) {
        env.fault(warp, l, {
          kind: 'misaligned',
          message: `${env.who(warp, l)}: the box of a tensor copy lies at offset ${low & OFFSET} of shared memory; it must be a multiple of ${BOX_ALIGNMENT}.`,
          instruction: i,
          space: 'shared',
        });
        continue;
      }
      if (counter === undefined) {
        const from = shared.check(warp, l, map.boxBytes);
        if (from === undefined) continue;
        const write = storeOf(asm, env, i, map, rows, from, low & OFFSET);
        addToGroup(warp, l, write);
        continue;
      }
      const barrierLow = counter.address(warp, l);
      for (const rank of destinations(env, warp, l, masks && word(masks, warp, l) & 0xffff, i)) {
        const place = (address: number): number => (rank === undefined ? address : inBlock(address, rank));
        const barrier = counter.resolve(warp, l, place(barrierLow));
        if (barrier === undefined) continue;
        shared.moveTo(l, place(low));
        const to = shared.check(warp, l, map.boxBytes);
        if (to === undefined) continue;
        launchWrite(env, {
          warp,
          lane: l,
          at: i,
          target: to,
          bytes: map.boxBytes,
          barrier,
          sharedSource: undefined,
          keepsOldBytes: false,
          land: () => loadBox(env, map, rows, to, low & OFFSET),
        });
      }
    }
  };
}

const OFFSET = (1 << CLUSTER_RANK_SHIFT) - 1;

/** Finds the tensor map that a lane's operand points at. */
function mapResolver(
  asm: Assembler,
  env: Environment,
  fn: PtxFunction,
  i: TensorCopy,
  operand: TensorCopy['src'][number] | undefined,
): (warp: Warp, lane: number) => BoundTensorMap | undefined {
  const addresses = addressStep(asm, env, fn, operand, i);
  const resolve = resolver(env, { kind: 'read', bytes: PIECE, space: 'generic', at: i, fn }, undefined);
  return (warp, lane) => {
    addresses(warp, 1 << lane);
    const low = env.low[lane]!;
    if (resolve(warp, 1 << lane) === 0) return undefined;
    const at = env.physical[lane]! >>> 2;
    const { u32 } = env.memory;
    const map = u32[at + 1] === TENSOR_MAP_TAG ? env.launch.tensorMaps[u32[at]!] : undefined;
    const refuse = (reason: string): never => {
      const message = `${env.who(warp, lane)}: ${reason} at ${whereOf(i)}.`;
      env.note(warp, lane, {
        kind: low % MAP_ALIGNMENT === 0 ? 'uninitialised-read' : 'misaligned',
        message,
        instruction: i,
      });
      throw new LaunchStopped(message);
    };
    if (low % MAP_ALIGNMENT !== 0) refuse(`a tensor map must lie at a multiple of ${MAP_ALIGNMENT}`);
    if (map === undefined) return refuse('a tensor copy through memory that holds no tensor map');
    if (map.dims.length !== i.dimensions) {
      refuse(`a copy of ${i.dimensions} dimensions through a tensor map of ${map.dims.length}`);
    }
    return map;
  };
}

/** Checks the rows in global memory; false after a fault. */
function checkRows(
  env: Environment,
  warp: Warp,
  lane: number,
  i: TensorCopy,
  map: BoundTensorMap,
  rows: readonly Row[],
): boolean {
  const { memory, races } = env;
  const writes = i.operation === 'store';
  const reads = !writes || i.reduction !== undefined;
  const high = Number(map.pointer >> 32n);
  const kind = !writes ? 'read' : i.reduction === undefined ? 'write' : 'atomic';
  for (const { physical, bytes } of rows) {
    if (bytes === 0) continue;
    const wrong =
      (reads ? memory.resolveGlobal(high, physical, bytes, false) : undefined) ??
      (writes ? memory.resolveGlobal(high, physical, bytes, true) : undefined);
    if (wrong !== undefined) {
      const { allocation } = wrong;
      env.fault(warp, lane, {
        kind: wrong.kind,
        message: `${env.who(warp, lane)}: a tensor copy of ${bytes} bytes at offset ${wrong.offset} of ${allocation?.name ?? 'global memory'}: ${wrong.reason}.`,
        instruction: i,
        space: 'global',
        access: kind,
        bytes,
        allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: wrong.offset },
      });
      if (wrong.kind !== 'uninitialised-read') return false;
    }
    if (writes) memory.written?.mark(physical, bytes);
    env.profiler?.bulk(i, writes, physical, bytes, warp);
    if (races === undefined) continue;
    const end = physical + bytes;
    for (let at = physical; at < end; ) {
      const size = (at & 3) === 0 && end - at >= 4 ? 4 : (at & 1) === 0 && end - at >= 2 ? 2 : 1;
      env.physical[lane] = at;
      races.access(warp, lane, size, kind, kind === 'atomic', 'gpu', 'global', i);
      at += size;
    }
    races.settle();
  }
  if (writes && i.reduction === undefined) {
    for (const { physical, bytes } of rows) memory.markInitialised(physical, bytes, false);
  }
  return true;
}

/** Copies between the bytes of a row and the pieces of it in shared memory. `offset`: of the box in its block's memory. */
function eachPiece(
  map: BoundTensorMap,
  row: Row,
  base: number,
  offset: number,
  visit: (physical: number, inRow: number) => void,
): void {
  const width = map.counts[0]! * map.elementBytes;
  for (let inRow = 0; inRow < width; inRow += PIECE) {
    visit(base - offset + swizzled(offset + row.inBox + inRow, map.swizzle), inRow);
  }
}

function loadBox(env: Environment, map: BoundTensorMap, rows: readonly Row[], to: number, offset: number): void {
  const { u8 } = env.memory;
  const buffer = new Uint8Array(map.counts[0]! * map.elementBytes);
  for (const row of rows) {
    buffer.fill(0);
    buffer.set(u8.subarray(row.physical, row.physical + row.bytes), row.skipped);
    if (map.flush) flushSubnormals(new Uint32Array(buffer.buffer));
    eachPiece(map, row, to, offset, (physical, inRow) => u8.set(buffer.subarray(inRow, inRow + PIECE), physical));
  }
}

/** Floats whose exponent is zero keep their sign alone. */
function flushSubnormals(words: Uint32Array): void {
  for (const [index, word] of words.entries()) if ((word & 0x7f80_0000) === 0) words[index] = word & 0x8000_0000;
}

function storeOf(
  asm: Assembler,
  env: Environment,
  i: TensorCopy,
  map: BoundTensorMap,
  rows: readonly Row[],
  from: number,
  offset: number,
): () => void {
  const { memory } = env;
  const { u8 } = memory;
  const update = i.reduction === undefined ? undefined : elementUpdate(i.reduction, map.type);
  if (i.reduction !== undefined && update === undefined) {
    throw asm.error(i, `a tensor ${i.reduction} on elements of type ${map.type} is not supported`);
  }
  const size = map.elementBytes;
  return () => {
    const buffer = new Uint8Array(map.counts[0]! * size);
    for (const row of rows) {
      eachPiece(map, row, from, offset, (physical, inRow) =>
        buffer.set(u8.subarray(physical, physical + PIECE), inRow),
      );
      const inside = buffer.subarray(row.skipped, row.skipped + row.bytes);
      if (update === undefined) u8.set(inside, row.physical);
      else {
        for (let at = 0; at < row.bytes; at += size) {
          const place = row.physical + at;
          storeBits(u8, place, size, update(loadBits(u8, place, size), loadBits(inside, at, size), 0n));
        }
      }
      memory.markInitialised(row.physical, row.bytes, true);
    }
  };
}
