/**
 * Threads that wait in loops for what nobody will ever write: a flag, a lock that is kept, a grid barrier that one block
 * never reaches. Without this they would run until the budget is spent.
 *
 * The proof: from some moment on, every warp that can run goes round until its counters, registers and predicates are
 * what they were, each of its lanes having run, and on the way it has executed nothing that another thread could see.
 * Then memory stays as it is, and each of them goes round for ever, under any schedule.
 */
import type { Instruction } from '../ptx/ir.ts';
import type { Block } from './block.ts';
import { type Environment, whereOf } from './environment.ts';
import type { Program } from './program.ts';
import { LANES } from './registers.ts';
import { lowestLane, type Warp } from './warp.ts';

/** Instruction groups of one warp in which it must have gone round. */
const MAX_STEPS = 4096;
/** Warps that are named in the message, at most. */
const MAX_NAMED = 4;

/** Runs one instruction of one group of lanes of a warp; gives which, and on whom. */
export type SingleStep = (warp: Warp) => { readonly pc: number; readonly mask: number };

interface Circle {
  readonly warp: Warp;
  /** The access that the loop repeats; any of its instructions where there is none. */
  readonly at: Instruction;
  readonly lane: number;
}

/** One of the threads that wait for ever, and a sentence about all of them. */
export type Livelock = Circle & { readonly message: string };

/** What of a warp decides how it goes on, as one list of numbers. */
function stateOf(program: Program, warp: Warp): Int32Array {
  const words = program.assembler.warpWords;
  const state = new Int32Array(words + warp.predicates.length + 3 * LANES + 3);
  state.set(program.file.i32.subarray(warp.base, warp.base + words));
  let at = words;
  state.set(warp.predicates, at);
  at += warp.predicates.length;
  for (const lanes of [warp.pc, warp.stack, warp.memberMask]) {
    state.set(lanes, at);
    at += LANES;
  }
  state.set([warp.alive, warp.waiting, warp.carry], at);
  return state;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}

/** Nothing that another thread, or a later launch, can see comes of it; atomics are looked at one by one. */
function isQuiet(instruction: Instruction): boolean {
  switch (instruction.kind) {
    case 'arithmetic':
    case 'compare':
    case 'convert':
    case 'move':
    case 'fence':
    case 'warp':
    case 'atomic':
      return true;
    case 'memory':
      return instruction.op === 'ld' || instruction.space === 'local';
    case 'control':
      return instruction.op === 'bra' || instruction.op === 'brx';
    case 'system':
      return instruction.effect === 'nanosleep';
    case 'mbarrier':
      return instruction.operation.endsWith('wait');
    default:
      return false;
  }
}

function goesRound(program: Program, env: Environment, warp: Warp, step: SingleStep): Circle | undefined {
  const start = stateOf(program, warp);
  const { pc } = warp;
  const startPc = pc.slice();
  const [runnable, waiting] = [warp.runnable, warp.waiting];
  const lane = lowestLane(runnable);
  let ran = 0;
  let polled: Instruction | undefined;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const changes = env.atomicChanges;
    const done = step(warp);
    const instruction = program.instructions[done.pc]!;
    if (!isQuiet(instruction) || env.atomicChanges !== changes) return undefined;
    if (((done.mask >>> lane) & 1) !== 0 && ['memory', 'atomic', 'mbarrier'].includes(instruction.kind)) {
      polled = instruction;
    }
    ran |= done.mask;
    if (warp.waiting !== waiting) return undefined;
    if ((runnable & ~ran) !== 0 || !equal(pc, startPc)) continue;
    if (equal(stateOf(program, warp), start)) return { warp, at: polled ?? instruction, lane };
  }
  return undefined;
}

/** A sentence that says who waits for ever and where, and a place for it; undefined when some thread gets on. */
export function findLivelock(
  program: Program,
  env: Environment,
  blocks: readonly Block[],
  step: SingleStep,
): Livelock | undefined {
  const circles: Circle[] = [];
  for (const block of blocks) {
    for (const warp of block.warps) {
      if (warp.runnable === 0) continue;
      const circle = goesRound(program, env, warp, step);
      if (circle === undefined) return undefined;
      circles.push(circle);
    }
  }
  const [first] = circles;
  if (first === undefined) return undefined;
  const places = circles
    .slice(0, MAX_NAMED)
    .map(({ warp, at, lane }) => `${env.who(warp, lane)} repeats ${at.op} at ${whereOf(at)}`);
  const others = circles.length - places.length;
  const sampled = env.launch.blocks.length < env.launch.grid[0] * env.launch.grid[1] * env.launch.grid[2];
  const message = `Every thread that is left waits in a loop for memory that nobody will write any more: ${places.join('; ')}${others > 0 ? `; and ${others} more ${others === 1 ? 'warp' : 'warps'}` : ''}.${sampled ? ' Only some blocks of the grid were run.' : ''}`;
  return { ...first, message };
}
