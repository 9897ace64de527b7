/**
 * mbarrier: a barrier in 8 bytes of shared memory that counts arrivals and bytes of asynchronous copies. The content is
 * opaque to programs; here, from bit 0: phase parity (1), threads still to arrive (20), threads of the next phase (20),
 * transactions outstanding (21, signed), and a mark that it is initialised. A state that `arrive` returns is the word
 * before the arrival.
 */
import type { Instruction, Mbarrier, PtxFunction } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import { deliver } from './in-flight.ts';
import type { Step } from './lane-loops.ts';
import type { Ref } from './registers.ts';
import type { Warp } from './warp.ts';

const COUNT = (1n << 20n) - 1n;
const PENDING_AT = 1n;
const EXPECTED_AT = 21n;
const TRANSACTIONS_AT = 41n;
const MARK = 1n << 62n;

interface State {
  phase: bigint;
  pending: bigint;
  expected: bigint;
  transactions: bigint;
}

function encode(state: State): bigint {
  return (
    MARK |
    (BigInt.asUintN(21, state.transactions) << TRANSACTIONS_AT) |
    (state.expected << EXPECTED_AT) |
    (state.pending << PENDING_AT) |
    state.phase
  );
}

function decode(word: bigint): State {
  return {
    phase: word & 1n,
    pending: (word >> PENDING_AT) & COUNT,
    expected: (word >> EXPECTED_AT) & COUNT,
    transactions: BigInt.asIntN(21, word >> TRANSACTIONS_AT),
  };
}

function load(env: Environment, physical: number): bigint {
  const { u32 } = env.memory;
  return BigInt(u32[physical >>> 2]!) | (BigInt(u32[(physical >>> 2) + 1]!) << 32n);
}

function store(env: Environment, physical: number, word: bigint): void {
  const { u32 } = env.memory;
  u32[physical >>> 2] = Number(word & 0xffff_ffffn);
  u32[(physical >>> 2) + 1] = Number(word >> 32n);
}

/** The state of an initialised mbarrier; a fault for memory that holds none. */
function stateAt(env: Environment, warp: Warp, lane: number, at: Instruction): State {
  const physical = env.physical[lane]!;
  const word = load(env, physical);
  if (word >> 62n === 1n) return decode(word);
  const message = `${env.who(warp, lane)}: ${at.op} at ${whereOf(at)} on memory that holds no initialised mbarrier.`;
  env.note(warp, lane, {
    kind: 'uninitialised-read',
    message,
    instruction: at,
    space: 'shared',
    bytes: 8,
    address: `0x${(physical - warp.block.sharedBase).toString(16)}`,
  });
  throw new LaunchStopped(message);
}

/** Goes on to the next phase when all have arrived and no transaction is outstanding. */
function settle(state: State): void {
  if (state.pending > 0n || state.transactions !== 0n) return;
  state.phase ^= 1n;
  state.pending = state.expected;
}

/** Bytes of a bulk copy have landed: the transactions that the mbarrier at this place waits for. */
export function completeTransactions(env: Environment, physical: number, bytes: number): void {
  const state = decode(load(env, physical));
  state.transactions -= BigInt(bytes);
  settle(state);
  store(env, physical, encode(state));
}

function fail(env: Environment, warp: Warp, lane: number, at: Instruction, reason: string): never {
  const message = `${env.who(warp, lane)}: ${reason} at ${whereOf(at)}.`;
  env.note(warp, lane, { kind: 'barrier-divergence', message, instruction: at });
  throw new LaunchStopped(message);
}

export function mbarrierStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Mbarrier): Step {
  const { file } = asm;
  const word = (ref: Ref | undefined, warp: Warp, lane: number): bigint => {
    if (ref === undefined) return 1n;
    const at = ref.slot + (warp.base & ref.mask) + lane * ref.words;
    const low = BigInt(file.i32[at]! >>> 0);
    return ref.words === 2 ? low | (BigInt(file.i32[at + 1]! >>> 0) << 32n) : low;
  };
  if (i.operation === 'pending-count') {
    const source = asm.source(fn, i.src[0]!, 'b64', i);
    const result = asm.destination(fn, i.dst[0], 'b32', i);
    return (warp, mask) => {
      for (let l = 0; l < 32; l++) {
        if (((mask >>> l) & 1) === 0) continue;
        file.i32[result.slot + warp.base + l * result.words] = Number(decode(word(source, warp, l)).pending);
      }
    };
  }
  const addresses = addressStep(asm, env, fn, i.src[0], i);
  const fresh = i.operation === 'init';
  const access = { kind: fresh ? 'write' : 'atomic', bytes: 8, space: i.space, at: i, fn } as const;
  const resolve = resolver(env, { ...access, clusterWide: i.clusterWide }, undefined);
  const waits = i.operation === 'test-wait' || i.operation === 'try-wait';
  const operand = i.src[1] === undefined ? undefined : asm.value(fn, i.src[1], waits && !i.parity ? 'b64' : 'u32', i);
  const result =
    waits || i.dst[0] === undefined || i.dst[0].kind === 'sink' ? undefined : asm.result(fn, i.dst[0], 'b64', i);
  const predicate = waits ? asm.predicateResult(fn, i.dst[0], i) : undefined;
  const releases = i.semantics === 'release';
  const acquires = i.semantics === 'acquire';

  const apply = (warp: Warp, l: number): boolean => {
    const physical = env.physical[l]!;
    const value = word(operand, warp, l);
    if (i.operation === 'init') {
      if (value < 1n || value > COUNT) fail(env, warp, l, i, `an mbarrier for ${value} threads`);
      store(env, physical, encode({ phase: 0n, pending: value, expected: value, transactions: 0n }));
      return false;
    }
    let state = stateAt(env, warp, l, i);
    // What the phase in question does not need stays in flight: a copy that nobody expected may still be on its way.
    if (waits && state.phase === (value & 1n)) {
      deliver(env, warp.block.cluster, physical);
      state = stateAt(env, warp, l, i);
    }
    const before = encode(state);
    switch (i.operation) {
      case 'inval':
        store(env, physical, 0n);
        return false;
      case 'test-wait':
      case 'try-wait':
        // The phase in question is over when the barrier is in the next one.
        return state.phase !== (value & 1n);
      case 'expect-tx':
        state.transactions += value;
        break;
      case 'complete-tx':
        state.transactions -= value;
        settle(state);
        break;
      case 'arrive-after-copies':
        // Without .noinc the arrival is one that the count does not know of.
        for (const deliver of warp.block.copies?.landAll(warp, l) ?? []) deliver(env);
        if (i.variant === 'noinc') arrive(warp, l, state, 1n);
        break;
      default: {
        if (i.expectsTransactions) state.transactions += value;
        if (i.operation === 'arrive-drop') state.expected -= 1n;
        arrive(warp, l, state, i.expectsTransactions ? 1n : value);
      }
    }
    store(env, physical, encode(state));
    if (result !== undefined) {
      const at = result.slot + warp.base + 2 * l;
      file.i32[at] = Number(BigInt.asIntN(32, before));
      file.i32[at + 1] = Number(BigInt.asIntN(32, before >> 32n));
    }
    return false;
  };

  const arrive = (warp: Warp, lane: number, state: State, count: bigint): void => {
    if (count > state.pending) {
      fail(env, warp, lane, i, `${count} more arrivals at an mbarrier that waits for ${state.pending}`);
    }
    state.pending -= count;
    settle(state);
  };

  return (warp, mask) => {
    addresses(warp, mask);
    const good = resolve(warp, mask);
    let done = 0;
    for (let l = 0; l < 32; l++) {
      if (((good >>> l) & 1) === 0) continue;
      if (!fresh && !waits) env.races?.synchronise(warp, l, env.physical[l]!, i, i.scope, releases, false);
      if (apply(warp, l)) done |= 1 << l;
      if (waits && ((done >>> l) & 1) === 1)
        env.races?.synchronise(warp, l, env.physical[l]!, i, i.scope, false, acquires);
    }
    if (predicate !== undefined) warp.predicates[predicate] = (warp.predicates[predicate]! & ~mask) | done;
  };
}
