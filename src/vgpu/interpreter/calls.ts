/** Calls: arguments and results copied between frames and registers; the device run-time's own functions. */
import { EXTERNAL_FUNCTIONS } from '../device-runtime.ts';
import { LOCAL_TAG, SHARED_TAG } from '../memory-layout.ts';
import { type Control, type Operand, type Parameter, type PtxFunction, TYPE_BYTES } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import { frameParamStart } from './move.ts';
import { format, readString } from './printf.ts';
import type { LinkedFunction } from './program.ts';
import type { Ref } from './registers.ts';
import type { Warp } from './warp.ts';

type External = (typeof EXTERNAL_FUNCTIONS)[number];

/** Where a value of a call lives: in a frame (at an offset from the frame's start) or in a register. */
export type ValuePlace =
  | { readonly kind: 'frame'; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'register'; readonly ref: Ref };

export interface CallPlan {
  readonly instruction: Control;
  /** Index in the program's functions; undefined for calls through a register. */
  readonly callee: number | undefined;
  readonly external: External | undefined;
  readonly target: Ref | undefined;
  readonly callerFrameBytes: number;
  readonly args: readonly ValuePlace[];
  readonly returns: readonly ValuePlace[];
}

export function callPlan(asm: Assembler, fn: PtxFunction, i: Control, linked: readonly LinkedFunction[]): CallPlan {
  const call = i.call!;
  const own = linked.find((candidate) => candidate.fn === fn)!;
  const place = (operand: Operand): ValuePlace => {
    if (operand.kind === 'symbol' && operand.variable.owner === 'frame') {
      const { variable } = operand;
      return { kind: 'frame', offset: frameParamStart(fn) + variable.offset + operand.offset, bytes: variable.bytes };
    }
    return { kind: 'register', ref: asm.value(fn, operand, 'b64', i) };
  };
  const base = {
    instruction: i,
    callerFrameBytes: own.frameBytes,
    args: call.args.map(place),
    returns: call.returns.map(place),
  };
  if (typeof call.target !== 'string') {
    return { ...base, callee: undefined, external: undefined, target: asm.register(fn, call.target.register) };
  }
  const name = call.target;
  const callee = linked.findIndex((candidate) => candidate.fn.name === name);
  if (callee >= 0) return { ...base, callee, external: undefined, target: undefined };
  const external = EXTERNAL_FUNCTIONS.find((known) => known === name);
  if (external === undefined)
    throw asm.error(i, `the function ${name} has no body here and is not one of the device run-time's`);
  return { ...base, callee: undefined, external, target: undefined };
}

/** Where a function finds its parameters or returns: in its own frame or registers. */
export function parameterPlaces(asm: Assembler, fn: PtxFunction, parameters: readonly Parameter[]): ValuePlace[] {
  return parameters.map((parameter) =>
    parameter.kind === 'register'
      ? { kind: 'register', ref: asm.register(fn, parameter.register) }
      : {
          kind: 'frame',
          offset: frameParamStart(fn) + parameter.variable.offset,
          bytes: parameter.variable.bytes,
        },
  );
}

/** Copies one lane's value from place to place; frames are given by the physical offset of their start. */
export function copyValue(
  env: Environment,
  i32: Int32Array,
  warp: Warp,
  lane: number,
  from: ValuePlace,
  fromFrame: number,
  to: ValuePlace,
  toFrame: number,
): void {
  const { memory } = env;
  if (from.kind === 'frame' && to.kind === 'frame') {
    const bytes = Math.min(from.bytes, to.bytes);
    const source = fromFrame + from.offset;
    const target = toFrame + to.offset;
    memory.u8.copyWithin(target, source, source + bytes);
    const known = memory.initialised(source, bytes);
    for (let b = 0; b < bytes; b++) memory.markInitialised(target + b, 1, known[b] === 1);
    return;
  }
  if (from.kind === 'register' && to.kind === 'register') {
    const x = from.ref.slot + (warp.base & from.ref.mask) + lane * from.ref.words;
    const d = to.ref.slot + warp.base + lane * to.ref.words;
    for (let w = 0; w < to.ref.words; w++) i32[d + w] = w < from.ref.words ? i32[x + w]! : 0;
    return;
  }
  const inFrame = from.kind === 'frame' ? from : to.kind === 'frame' ? to : undefined;
  const inRegister = from.kind === 'register' ? from.ref : to.kind === 'register' ? to.ref : undefined;
  if (inFrame === undefined || inRegister === undefined) return;
  const at = (from.kind === 'frame' ? fromFrame : toFrame) + inFrame.offset;
  const slot = inRegister.slot + (warp.base & inRegister.mask) + lane * inRegister.words;
  const bytes = Math.min(inFrame.bytes, inRegister.words * 4);
  for (let b = 0; b < bytes; b++) {
    const shift = 8 * (b & 3);
    const word = slot + (b >>> 2);
    if (from.kind === 'register') memory.u8[at + b] = i32[word]! >>> shift;
    else i32[word] = (b & 3) === 0 ? memory.u8[at + b]! : i32[word]! | (memory.u8[at + b]! << shift);
  }
  if (from.kind === 'register') memory.markInitialised(at, bytes, true);
}

/** Runs a function of the device run-time for the lanes of a mask. */
export function callExternal(env: Environment, i32: Int32Array, plan: CallPlan, warp: Warp, mask: number): void {
  for (let lane = 0; lane < 32; lane++) {
    if (((mask >>> lane) & 1) === 0) continue;
    const frame = lanePhysical(env, warp, lane) + warp.stack[lane]!;
    const argument = (index: number): bigint => readValue(env, i32, warp, lane, plan.args[index], frame);
    const give = (bits: bigint): void => {
      const place = plan.returns[0];
      if (place !== undefined) writeValue(env, i32, warp, lane, place, frame, bits);
    };
    switch (plan.external) {
      case 'vprintf': {
        const pattern = readString(env.memory, argument(0));
        const read = (address: bigint, bytes: number): Uint8Array | undefined =>
          readGeneric(env, warp, lane, address, bytes);
        env.launch.print(format(pattern ?? '', read, argument(1), (address) => readString(env.memory, address)));
        give(1n);
        break;
      }
      case '__assertfail': {
        const condition = readString(env.memory, argument(0)) ?? '?';
        const file = readString(env.memory, argument(1)) ?? '?';
        const message = `${env.who(warp, lane)}: assertion \`${condition}\` failed at ${file}:${argument(2) & 0xffff_ffffn}.`;
        env.note(warp, lane, { kind: 'assert', message, instruction: plan.instruction });
        throw new LaunchStopped(message);
      }
      case 'malloc': {
        const allocation = env.memory.allocate(Number(argument(0)), { name: `malloc at ${whereOf(plan.instruction)}` });
        env.memory.allow(new Set([...env.memory.allocations.filter((a) => a.allowed), allocation]));
        give(allocation.address);
        break;
      }
      case 'free':
        if (argument(0) !== 0n) env.memory.free(argument(0));
        break;
    }
  }
}

/** Start of a lane's local area in the WebAssembly memory. */
export function lanePhysical(env: Environment, warp: Warp, lane: number): number {
  return warp.block.localBase + (warp.index * 32 + lane) * env.localBytes;
}

function readGeneric(
  env: Environment,
  warp: Warp,
  lane: number,
  address: bigint,
  bytes: number,
): Uint8Array | undefined {
  const high = Number(address >> 32n);
  const low = Number(address & 0xffff_ffffn);
  const { u8 } = env.memory;
  if (high === LOCAL_TAG && low + bytes <= env.localBytes) {
    const at = lanePhysical(env, warp, lane) + low;
    return u8.slice(at, at + bytes);
  }
  if (high === SHARED_TAG && low + bytes <= env.sharedBytes) {
    return u8.slice(warp.block.sharedBase + low, warp.block.sharedBase + low + bytes);
  }
  const allocation = env.memory.find(address);
  return allocation === undefined ? undefined : u8.slice(low, low + bytes);
}

function readValue(
  env: Environment,
  i32: Int32Array,
  warp: Warp,
  lane: number,
  place: ValuePlace | undefined,
  frame: number,
): bigint {
  let bits = 0n;
  if (place === undefined) return bits;
  if (place.kind === 'frame') {
    for (let b = Math.min(place.bytes, 8) - 1; b >= 0; b--)
      bits = (bits << 8n) | BigInt(env.memory.u8[frame + place.offset + b]!);
    return bits;
  }
  const slot = place.ref.slot + (warp.base & place.ref.mask) + lane * place.ref.words;
  for (let w = Math.min(place.ref.words, 2) - 1; w >= 0; w--) bits = (bits << 32n) | BigInt(i32[slot + w]! >>> 0);
  return bits;
}

function writeValue(
  env: Environment,
  i32: Int32Array,
  warp: Warp,
  lane: number,
  place: ValuePlace,
  frame: number,
  bits: bigint,
): void {
  if (place.kind === 'register') {
    const slot = place.ref.slot + warp.base + lane * place.ref.words;
    for (let w = 0; w < place.ref.words; w++) i32[slot + w] = Number(BigInt.asIntN(32, bits >> BigInt(32 * w)));
    return;
  }
  const at = frame + place.offset;
  for (let b = 0; b < place.bytes; b++) env.memory.u8[at + b] = Number((bits >> BigInt(8 * b)) & 0xffn);
  env.memory.markInitialised(at, place.bytes, true);
}

/** Bytes that a value of a parameter takes: for messages about mismatched calls. */
export function parameterBytes(fn: PtxFunction, parameter: Parameter): number {
  return parameter.kind === 'register' ? TYPE_BYTES[fn.registers[parameter.register]!.type] : parameter.variable.bytes;
}
