/**
 * A kernel ready to run: the functions it may call laid end to end, each instruction turned into a step with its operands
 * resolved. Control flow, barriers and warp-wide operations are left to the scheduler, described in side tables.
 */
import { barrierBypasses } from '../analysis/barrier-bypass.ts';
import { guesses } from '../analysis/guesses.ts';
import { pollingAccesses } from '../analysis/polling.ts';
import type { LoadedModule } from '../loader.ts';
import { reachable } from '../loader.ts';
import { type Instruction, PtxError, type PtxFunction } from '../ptx/ir.ts';
import { arithmeticStep } from './arithmetic.ts';
import { Assembler } from './assembler.ts';
import { asyncStep } from './async-copy.ts';
import { asyncStoreStep } from './async-store.ts';
import { atomicStep } from './atomics.ts';
import { type BarrierPlan, barrierPlan } from './barrier.ts';
import { bulkStep } from './bulk-copy.ts';
import { bulkGroupStep } from './bulk-groups.ts';
import { type CallPlan, callPlan } from './calls.ts';
import { compareStep } from './compare.ts';
import { convertStep } from './convert.ts';
import type { Environment } from './environment.ts';
import { exchangeStep } from './exchange.ts';
import type { Step } from './lane-loops.ts';
import { mapRankStep } from './map-rank.ts';
import { matrixStep } from './matrix.ts';
import { mbarrierStep } from './mbarrier.ts';
import { memoryStep } from './memory-access.ts';
import { frameParamStart, moveStep } from './move.ts';
import { type PredicateRef, type Ref, RegisterFile } from './registers.ts';
import { tensorStep } from './tensor-copy.ts';
import { textureStep } from './texture.ts';
import { type WarpgroupStep, wgmmaOrderStep, wgmmaStep } from './wgmma.ts';

/** What the scheduler must do at an instruction. */
export const Kind = {
  plain: 0,
  branch: 1,
  indexedBranch: 2,
  call: 3,
  ret: 4,
  exit: 5,
  trap: 6,
  barrier: 7,
  /** Gather the member mask's lanes, then run the step. */
  gather: 8,
  /** Run the step, then give the others a turn. */
  yielding: 9,
  /** Gather the warps of the warpgroup, then run its step. */
  warpgroup: 10,
} as const;

export interface Program {
  readonly assembler: Assembler;
  readonly file: RegisterFile;
  readonly instructions: readonly Instruction[];
  readonly kinds: Uint8Array;
  readonly steps: readonly Step[];
  readonly guards: readonly (PredicateRef | undefined)[];
  /** Branch targets in program indices. */
  readonly targets: readonly (readonly number[])[];
  readonly indices: readonly (Ref | undefined)[];
  readonly members: readonly (Ref | undefined)[];
  readonly barriers: readonly (BarrierPlan | undefined)[];
  /** By barrier: instructions behind it that can be reached without it (analysis/barrier-bypass.ts). */
  readonly bypasses: ReadonlyMap<number, ReadonlySet<number>>;
  readonly warpgroupSteps: readonly (WarpgroupStep | undefined)[];
  readonly calls: readonly (CallPlan | undefined)[];
  /** How much of its turn an instruction uses up: spinning on memory should hand over soon. */
  readonly weights: Uint16Array;
  readonly entry: number;
  readonly functions: readonly LinkedFunction[];
  /** Bytes of stack that a thread needs without recursion. */
  readonly stackBytes: number;
}

export interface LinkedFunction {
  readonly fn: PtxFunction;
  readonly start: number;
  readonly frameBytes: number;
}

/** Stack of kernels that recurse or call through pointers, bytes a thread. */
const DEEP_STACK = 16 * 1024;
/** Weights of instructions that threads repeat until others have done something, so that a turn does not go by in waiting. */
const SPIN_WEIGHT = 100;
const SLEEP_WEIGHT = 500;
/** Whoever asks an mbarrier gives up its turn: only another thread can change the answer. */
const WAIT_WEIGHT = 20_000;

const nothing: Step = () => {};

export function frameBytes(fn: PtxFunction): number {
  return Math.ceil((frameParamStart(fn) + fn.frameParamBytes) / 16) * 16;
}

/** Links and assembles a kernel. Throws a PtxError for what cannot be executed. */
export function buildProgram(module: LoadedModule, kernel: PtxFunction, env: Environment): Program {
  const functions = reachable(module.ptx, kernel);
  const file = new RegisterFile();
  const asm = new Assembler(module, kernel, functions, file);
  const linked: LinkedFunction[] = [];
  let at = 0;
  for (const fn of functions) {
    linked.push({ fn, start: at, frameBytes: frameBytes(fn) });
    // One more: running off the end returns.
    at += fn.instructions.length + 1;
  }
  const instructions: Instruction[] = [];
  const kinds = new Uint8Array(at);
  const weights = new Uint16Array(at).fill(1);
  const steps: Step[] = new Array<Step>(at).fill(nothing);
  const guards = new Array<PredicateRef | undefined>(at);
  const targets = new Array<readonly number[]>(at).fill([]);
  const indices = new Array<Ref | undefined>(at);
  const members = new Array<Ref | undefined>(at);
  const barriers = new Array<BarrierPlan | undefined>(at);
  const warpgroupSteps = new Array<WarpgroupStep | undefined>(at);
  const calls = new Array<CallPlan | undefined>(at);
  const bypasses = new Map<number, ReadonlySet<number>>();
  for (const { fn, start } of linked) {
    for (const access of pollingAccesses(fn.instructions)) env.polling.add(access);
    for (const load of guesses(fn.instructions)) env.guesses.add(load);
    for (const [barrier, places] of barrierBypasses(fn.instructions)) {
      bypasses.set(start + barrier, new Set([...places].map((place) => start + place)));
    }
    for (const [index, i] of fn.instructions.entries()) {
      const pc = start + index;
      instructions[pc] = i;
      guards[pc] = asm.guard(fn, i.guard);
      switch (i.kind) {
        case 'control':
          kinds[pc] = controlKind(i.op);
          targets[pc] = i.targets.map((target) => start + target);
          if (i.op === 'brx') indices[pc] = asm.source(fn, i.src[0]!, 'u32', i);
          if (i.call !== undefined) calls[pc] = callPlan(asm, fn, i, linked);
          break;
        case 'barrier':
          kinds[pc] = Kind.barrier;
          barriers[pc] = barrierPlan(asm, fn, i);
          break;
        case 'warp':
          steps[pc] = exchangeStep(asm, fn, i);
          if (i.members !== undefined) {
            kinds[pc] = Kind.gather;
            members[pc] = asm.source(fn, i.members, 'b32', i);
          }
          break;
        case 'matrix':
          steps[pc] = matrixStep(asm, env, fn, i);
          kinds[pc] = Kind.gather;
          break;
        case 'wgmma':
          if (i.operation === 'mma') {
            kinds[pc] = Kind.warpgroup;
            warpgroupSteps[pc] = wgmmaStep(asm, env, fn, i);
          } else {
            kinds[pc] = Kind.gather;
            steps[pc] = wgmmaOrderStep(asm, i);
          }
          break;
        default:
          steps[pc] = plainStep(asm, env, fn, i);
          if (i.kind === 'system' && i.effect === 'nanosleep') {
            kinds[pc] = Kind.yielding;
            weights[pc] = SLEEP_WEIGHT;
          }
          if (i.kind === 'mbarrier' && i.operation.endsWith('wait')) {
            kinds[pc] = Kind.yielding;
            weights[pc] = WAIT_WEIGHT;
          }
          if (i.kind === 'atomic' || (i.kind === 'memory' && i.semantics !== 'weak')) weights[pc] = SPIN_WEIGHT;
      }
    }
    const end = start + fn.instructions.length;
    kinds[end] = Kind.ret;
    const last = fn.instructions.at(-1);
    if (last === undefined) throw new PtxError('an empty function body', fn.ptxLine, fn.name);
    instructions[end] = last;
  }
  return {
    assembler: asm,
    file,
    instructions,
    kinds,
    steps,
    guards,
    targets,
    indices,
    members,
    barriers,
    bypasses,
    warpgroupSteps,
    calls,
    weights,
    entry: 0,
    functions: linked,
    stackBytes: stackBytes(linked, calls),
  };
}

function controlKind(op: 'bra' | 'brx' | 'call' | 'ret' | 'exit' | 'trap' | 'brkpt'): number {
  switch (op) {
    case 'bra':
      return Kind.branch;
    case 'brx':
      return Kind.indexedBranch;
    case 'call':
      return Kind.call;
    case 'ret':
      return Kind.ret;
    case 'exit':
      return Kind.exit;
    default:
      return Kind.trap;
  }
}

function plainStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Instruction): Step {
  switch (i.kind) {
    case 'arithmetic':
      return arithmeticStep(asm, fn, i);
    case 'compare':
      return compareStep(asm, fn, i);
    case 'convert':
      return convertStep(asm, fn, i);
    case 'move':
      return moveStep(asm, fn, i);
    case 'memory':
      return memoryStep(asm, env, fn, i);
    case 'atomic':
      return atomicStep(asm, env, fn, i);
    case 'async':
      return asyncStep(asm, env, fn, i);
    case 'mbarrier':
      return mbarrierStep(asm, env, fn, i);
    case 'bulk':
      return bulkStep(asm, env, fn, i);
    case 'tensor-copy':
      return tensorStep(asm, env, fn, i);
    case 'bulk-group':
      return bulkGroupStep(asm, fn, i);
    case 'async-store':
      return asyncStoreStep(asm, env, fn, i);
    case 'cluster':
      return mapRankStep(asm, env, fn, i);
    case 'texture':
      return textureStep(asm, env, fn, i);
    case 'fence':
      // Accesses of all proxies are one kind here: a proxy fence is only noted, so that a missing one can be reported.
      if (i.proxy !== undefined) {
        return i.proxy === 'async' ? (warp) => env.races?.proxyFence(warp) : nothing;
      }
      return (warp, mask) => env.races?.fence(warp, mask, i.scope);
    case 'system':
      return nothing;
    default:
      throw asm.error(i, `${i.op} is not supported`);
  }
}

/** The deepest chain of frames; a generous fixed size when functions call in circles or through pointers. */
function stackBytes(linked: readonly LinkedFunction[], calls: readonly (CallPlan | undefined)[]): number {
  const depth = (index: number, open: ReadonlySet<number>): number => {
    const { fn, start, frameBytes: own } = linked[index]!;
    let deepest = 0;
    for (let pc = start; pc < start + fn.instructions.length; pc++) {
      const call = calls[pc];
      if (call === undefined || call.external !== undefined) continue;
      if (call.callee === undefined || open.has(call.callee)) return DEEP_STACK;
      deepest = Math.max(deepest, depth(call.callee, new Set([...open, call.callee])));
    }
    return own + deepest;
  };
  return Math.max(16, Math.min(depth(0, new Set([0])), DEEP_STACK * 4));
}
