/**
 * tex, tld4, suld, sust and the queries. Filtering as the CUDA guide defines it (Texture Fetching): x - 0.5, weights of 8
 * fractional bits. Mipmaps have one level here, so the level of detail does not matter.
 */
import * as math from '../math/index.ts';
import { TEXTURE_TAG } from '../memory-layout.ts';
import { type Operand, type PtxFunction, type PtxType, type Texture, TYPE_BYTES } from '../ptx/ir.ts';
import type { AddressMode, BoundTexture } from '../textures.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import type { Step } from './lane-loops.ts';
import type { Ref } from './registers.ts';
import type { Warp } from './warp.ts';

/** Reads a coordinate of a lane. */
type Coordinate = (warp: Warp, lane: number) => number;

export function textureStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Texture): Step {
  const handle = boundTo(asm, env, fn, i);
  switch (i.op) {
    case 'txq':
    case 'suq':
      return queryStep(asm, fn, i, handle);
    case 'suld':
    case 'sust':
      return surfaceStep(asm, env, fn, i, handle);
    default:
      return sampleStep(asm, env, fn, i, handle);
  }
}

type Bound = (warp: Warp, lane: number) => BoundTexture;

/** What a lane's handle stands for; ends the launch when it is none of this GPU's textures. */
function boundTo(asm: Assembler, env: Environment, fn: PtxFunction, i: Texture): Bound {
  const address = i.src[0];
  if (address?.kind !== 'address' || address.base.kind !== 'register') throw asm.error(i, 'a handle was expected');
  const ref = asm.register(fn, address.base.id);
  if (ref.words !== 2) throw asm.error(i, 'the handle is not 64 bits wide');
  const wanted = i.op.startsWith('su') ? 'surface' : 'texture';
  return (warp, lane) => {
    const at = ref.slot + warp.base + 2 * lane;
    const { i32 } = asm.file;
    const bound = i32[at + 1] === TEXTURE_TAG ? env.launch.textures[i32[at]!] : undefined;
    if (bound?.kind === wanted) return bound;
    const message = `${env.who(warp, lane)}: the handle of ${i.op} at ${whereOf(i)} is no ${wanted} object; make one on the GPU and pass its handle as the argument.`;
    env.note(warp, lane, { kind: 'bad-launch', message, instruction: i });
    throw new LaunchStopped(message);
  };
}

function elementsOf(operand: Operand | undefined): readonly Operand[] {
  return operand?.kind === 'vector' ? operand.elements : operand === undefined ? [] : [operand];
}

function coordinatesOf(asm: Assembler, fn: PtxFunction, i: Texture): { layer?: Coordinate; at: Coordinate[] } {
  const [address] = i.src;
  const list = elementsOf(address?.kind === 'address' ? address.coordinates : undefined);
  const layered = i.geometry.startsWith('a');
  const count = { '1d': 1, a1d: 1, '2d': 2, a2d: 2, '3d': 3, cube: 3, acube: 3 }[i.geometry];
  const read = (operand: Operand | undefined, float: boolean): Coordinate => {
    if (operand === undefined) throw asm.error(i, `${i.geometry} needs ${count} coordinates`);
    const ref = asm.source(fn, operand, float ? 'f32' : 's32', i);
    return (warp, lane) => {
      const at = ref.slot + (warp.base & ref.mask) + lane;
      return float ? asm.file.f32[at]! : asm.file.i32[at]!;
    };
  };
  const float = i.coordinateType === 'f32';
  const first = layered ? 1 : 0;
  return {
    layer: layered ? read(list[0], false) : undefined,
    at: Array.from({ length: count }, (_, axis) => read(list[first + axis], float)),
  };
}

// Texels

/** One channel of a texel, as a float or as the integer's bits. */
function channel(env: Environment, texture: BoundTexture, offset: number, index: number, asFloat: boolean): number {
  const { format } = texture;
  if (index >= format.channels) return index === 3 ? 1 : 0;
  const { u8, u16, i32 } = env.memory;
  const at = offset + (index * format.bits) / 8;
  const raw = format.bits === 8 ? u8[at]! : format.bits === 16 ? u16[at >>> 1]! : i32[at >>> 2]!;
  if (format.kind === 'float') {
    if (format.bits === 16) return math.f16ToNumber(raw);
    return math.f32FromBits(raw);
  }
  const signed = format.kind === 'signed';
  const value = signed && format.bits < 32 ? (raw << (32 - format.bits)) >> (32 - format.bits) : raw;
  if (!asFloat) return value;
  if (!signed) return Math.fround(value / (2 ** format.bits - 1));
  return Math.fround(Math.max(-1, value / (2 ** (format.bits - 1) - 1)));
}

/** The index that an address mode makes of one outside; undefined for the border. */
function wrapIndex(index: number, size: number, mode: AddressMode): number | undefined {
  if (index >= 0 && index < size) return index;
  switch (mode) {
    case 'wrap':
      return ((index % size) + size) % size;
    case 'mirror': {
      const period = ((index % (2 * size)) + 2 * size) % (2 * size);
      return period < size ? period : 2 * size - 1 - period;
    }
    case 'border':
      return undefined;
    default:
      return index < 0 ? 0 : size - 1;
  }
}

/** Face and position of a direction (CUDA guide, Cubemap Textures). */
function cubeFace(x: number, y: number, z: number): { face: number; s: number; t: number } {
  const [ax, ay, az] = [Math.abs(x), Math.abs(y), Math.abs(z)];
  let face: number;
  let m: number;
  let s: number;
  let t: number;
  if (ax >= ay && ax >= az) [face, m, s, t] = x >= 0 ? [0, ax, -z, -y] : [1, ax, z, -y];
  else if (ay >= az) [face, m, s, t] = y >= 0 ? [2, ay, x, z] : [3, ay, x, -z];
  else [face, m, s, t] = z >= 0 ? [4, az, x, -y] : [5, az, -x, -y];
  return { face, s: (s / m + 1) / 2, t: (t / m + 1) / 2 };
}

interface Sample {
  /** Coordinates in texels. */
  readonly at: readonly number[];
  /** Rows before the layer or face. */
  readonly slice: number;
}

function locate(texture: BoundTexture, i: Texture, at: readonly number[], layer: number): Sample {
  const faces = i.geometry.endsWith('cube') ? 6 : 1;
  const layers = Math.max(1, Math.floor(texture.depth / faces));
  const slice = i.geometry.startsWith('a') ? Math.min(Math.max(layer, 0), layers - 1) * faces : 0;
  if (faces === 6) {
    const { face, s, t } = cubeFace(at[0]!, at[1]!, at[2]!);
    return { at: [s * texture.width, t * texture.height], slice: slice + face };
  }
  const sizes = [texture.width, texture.height, texture.depth];
  const scaled = texture.normalizedCoordinates && i.coordinateType === 'f32';
  return { at: scaled ? at.map((value, axis) => Math.fround(value * sizes[axis]!)) : at, slice };
}

function sampleStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Texture, bound: Bound): Step {
  const { at: coordinates, layer } = coordinatesOf(asm, fn, i);
  const results = elementsOf(i.dst[0]).map((element) => asm.result(fn, element, 'b32', i));
  const resident = i.dst[1] === undefined ? undefined : asm.predicateResult(fn, i.dst[1], i);
  const asFloat = i.type === 'f32';
  const { file } = asm;

  const texel = (
    texture: BoundTexture,
    index: readonly number[],
    slice: number,
    c: number,
    warp: Warp,
    l: number,
  ): number => {
    const sizes = [texture.width, texture.height, texture.depth];
    const cube = i.geometry.endsWith('cube');
    const inside: number[] = [];
    for (const [axis, value] of index.entries()) {
      const asked = texture.addressMode[axis]!;
      const mode =
        cube || (!texture.normalizedCoordinates && (asked === 'wrap' || asked === 'mirror')) ? 'clamp' : asked;
      const wrapped = wrapIndex(value, sizes[axis]!, mode);
      if (wrapped === undefined) return 0;
      inside.push(wrapped);
    }
    const [x = 0, y = 0, z = 0] = inside;
    const offset = texture.base + ((z + slice) * texture.height + y) * texture.pitchBytes + x * texture.texelBytes;
    requireWritten(env, i, warp, l, offset, texture.texelBytes);
    return channel(env, texture, offset, c, asFloat);
  };

  /** Linear interpolation over the axes that are left. */
  const filtered = (
    texture: BoundTexture,
    sample: Sample,
    fixed: readonly number[],
    c: number,
    warp: Warp,
    l: number,
  ): number => {
    const axis = fixed.length;
    if (axis === sample.at.length) return texel(texture, fixed, sample.slice, c, warp, l);
    const x = sample.at[axis]! - 0.5;
    const low = Math.floor(x);
    const weight = Math.round((x - low) * 256) / 256;
    const a = weight === 1 ? 0 : filtered(texture, sample, [...fixed, low], c, warp, l);
    const b = weight === 0 ? 0 : filtered(texture, sample, [...fixed, low + 1], c, warp, l);
    return (1 - weight) * a + weight * b;
  };

  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const texture = bound(warp, l);
      const reads = texture.format.kind === 'float' || texture.normalizedFloat ? 'f32' : 'integers';
      if (asFloat !== (reads === 'f32')) {
        const message = `${env.who(warp, l)}: ${i.op} reads ${i.type} from a texture that gives ${reads}.`;
        env.note(warp, l, { kind: 'bad-launch', message, instruction: i });
        throw new LaunchStopped(message);
      }
      const sample = locate(
        texture,
        i,
        coordinates.map((read) => read(warp, l)),
        layer?.(warp, l) ?? 0,
      );
      for (const [c, ref] of results.entries()) {
        let value: number;
        if (i.op === 'tld4') value = gathered(texture, sample, c, warp, l);
        else if (texture.linear && i.coordinateType === 'f32') value = filtered(texture, sample, [], c, warp, l);
        else value = texel(texture, sample.at.map(Math.floor), sample.slice, c, warp, l);
        const slot = ref.slot + warp.base + l;
        if (asFloat) file.f32[slot] = value;
        else file.i32[slot] = value;
      }
    }
    if (resident !== undefined) warp.predicates[resident]! |= mask;
  };

  /** tld4: one component of the four texels around, in the order (0,1) (1,1) (1,0) (0,0). */
  function gathered(texture: BoundTexture, sample: Sample, corner: number, warp: Warp, l: number): number {
    const x = Math.floor(sample.at[0]! - 0.5) + (corner === 1 || corner === 2 ? 1 : 0);
    const y = Math.floor(sample.at[1]! - 0.5) + (corner < 2 ? 1 : 0);
    return texel(texture, [x, y], sample.slice, i.component, warp, l);
  }
}

function requireWritten(env: Environment, i: Texture, warp: Warp, lane: number, offset: number, bytes: number): void {
  const { u8 } = env.memory;
  for (let at = offset; at < offset + bytes; at++) {
    if (((u8[at >>> 2]! >>> (at & 3)) & 1) === 1) continue;
    const allocation = env.memory.at(offset);
    env.fault(warp, lane, {
      kind: 'uninitialised-read',
      message: `${env.who(warp, lane)} reads a texel at offset ${offset - (allocation?.base ?? 0)} of ${allocation?.name ?? 'memory'} that was never written.`,
      instruction: i,
      space: 'global',
      access: 'read',
      bytes,
      allocation: allocation && { name: allocation.name, bytes: allocation.bytes, offset: offset - allocation.base },
    });
    return;
  }
}

// Surfaces: raw bytes, x counted in bytes

function surfaceStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Texture, bound: Bound): Step {
  const { at: coordinates, layer } = coordinatesOf(asm, fn, i);
  const store = i.op === 'sust';
  const elementBytes = TYPE_BYTES[i.type];
  const bytes = elementBytes * i.vector;
  const refs = elementsOf(store ? i.src[1] : i.dst[0]).map((element) =>
    store ? asm.value(fn, element, i.type, i) : asm.destination(fn, element, i.type, i),
  );
  if (refs.length !== i.vector) throw asm.error(i, `${i.vector} values are needed`);
  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const surface = bound(warp, l);
      const offset = surfaceOffset(
        env,
        i,
        surface,
        warp,
        l,
        bytes,
        coordinates.map((read) => read(warp, l)),
        layer?.(warp, l) ?? 0,
      );
      if (offset === undefined) {
        if (!store) for (const ref of refs) setBits(asm, ref, warp, l, 0n);
        continue;
      }
      if (store) {
        env.memory.markInitialised(offset, bytes, true);
        env.memory.written?.mark(offset, bytes);
      } else {
        requireWritten(env, i, warp, l, offset, bytes);
      }
      env.physical[l] = offset;
      env.high[l] = 0;
      env.races?.access(warp, l, bytes, store ? 'write' : 'read', false, 'sys', 'global', i);
      for (const [index, ref] of refs.entries()) {
        const at = offset + index * elementBytes;
        if (store) storeBytes(env.memory.u8, at, elementBytes, bitsOf(asm, ref, warp, l));
        else setBits(asm, ref, warp, l, loadBytes(env.memory.u8, at, elementBytes, i.type));
      }
      env.races?.settle();
    }
  };
}

/** Where an access lands; undefined where a surface read gives zero and a write is dropped. */
function surfaceOffset(
  env: Environment,
  i: Texture,
  surface: BoundTexture,
  warp: Warp,
  lane: number,
  bytes: number,
  at: number[],
  layer: number,
): number | undefined {
  let [x = 0, y = 0, z = 0] = at;
  if (i.geometry.startsWith('a')) z = layer;
  const rowBytes = surface.width * surface.texelBytes;
  if (x % bytes !== 0) {
    env.fault(warp, lane, {
      kind: 'misaligned',
      message: `${env.who(warp, lane)}: surface x is ${x} bytes, not a multiple of the ${bytes} that are accessed.`,
      instruction: i,
      bytes,
    });
    return undefined;
  }
  if (x < 0 || x + bytes > rowBytes || y < 0 || y >= surface.height || z < 0 || z >= surface.depth) {
    if (i.outside === 'zero') return undefined;
    if (i.outside === 'trap') {
      env.fault(warp, lane, {
        kind: 'out-of-bounds',
        message: `${env.who(warp, lane)} ${i.op === 'sust' ? 'writes' : 'reads'} byte ${x} of row ${y}, slice ${z} of a surface of ${rowBytes} bytes by ${surface.height} by ${surface.depth}.`,
        instruction: i,
        space: 'global',
        access: i.op === 'sust' ? 'write' : 'read',
        bytes,
      });
      return undefined;
    }
    x = Math.min(Math.max(x, 0), rowBytes - bytes);
    y = Math.min(Math.max(y, 0), surface.height - 1);
    z = Math.min(Math.max(z, 0), surface.depth - 1);
  }
  return surface.base + (z * surface.height + y) * surface.pitchBytes + x;
}

function bitsOf(asm: Assembler, ref: Ref, warp: Warp, lane: number): bigint {
  const at = ref.slot + (warp.base & ref.mask) + lane * ref.words;
  const low = BigInt(asm.file.i32[at]! >>> 0);
  return ref.words === 2 ? low | (BigInt(asm.file.i32[at + 1]! >>> 0) << 32n) : low;
}

function setBits(asm: Assembler, ref: Ref, warp: Warp, lane: number, bits: bigint): void {
  const at = ref.slot + warp.base + lane * ref.words;
  asm.file.i32[at] = Number(BigInt.asIntN(32, bits));
  if (ref.words === 2) asm.file.i32[at + 1] = Number(BigInt.asIntN(32, bits >> 32n));
}

function storeBytes(u8: Uint8Array, at: number, bytes: number, bits: bigint): void {
  for (let b = 0; b < bytes; b++) u8[at + b] = Number((bits >> BigInt(8 * b)) & 0xffn);
}

function loadBytes(u8: Uint8Array, at: number, bytes: number, type: PtxType): bigint {
  let bits = 0n;
  for (let b = bytes - 1; b >= 0; b--) bits = (bits << 8n) | BigInt(u8[at + b]!);
  return BigInt.asUintN(TYPE_BYTES[type] * 8, bits);
}

// Queries

function queryStep(asm: Assembler, fn: PtxFunction, i: Texture, bound: Bound): Step {
  const dst = asm.result(fn, i.dst[0], 'b32', i);
  const answer = (texture: BoundTexture): number => {
    switch (i.query) {
      case 'width':
        return texture.width;
      case 'height':
        return texture.height;
      case 'depth':
      case 'array_size':
        return texture.depth;
      case 'normalized_coords':
        return texture.normalizedCoordinates ? 1 : 0;
      case 'num_mipmap_levels':
        return 1;
      default:
        throw asm.error(i, `${i.op}.${i.query} is not supported`);
    }
  };
  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) !== 0) asm.file.i32[dst.slot + warp.base + l] = answer(bound(warp, l));
    }
  };
}
