/**
 * Calls in progress: entering a function, its frame on the lane's stack, arguments and results, and the registers of an
 * outer call of the same function, which are put aside (recursion).
 */
import { FUNCTION_TAG } from '../memory-layout.ts';
import { type CallPlan, callExternal, copyValue, lanePhysical, parameterPlaces, type ValuePlace } from './calls.ts';
import { type Environment, LaunchStopped } from './environment.ts';
import type { LinkedFunction, Program } from './program.ts';
import { LANES } from './registers.ts';
import type { Warp } from './warp.ts';

export class CallFrames {
  readonly #program: Program;
  readonly #env: Environment;
  readonly #parameters: { params: ValuePlace[]; returns: ValuePlace[] }[];

  constructor(program: Program, env: Environment) {
    this.#program = program;
    this.#env = env;
    this.#parameters = program.functions.map(({ fn }) => ({
      params: fn.entry ? [] : parameterPlaces(program.assembler, fn, fn.params),
      returns: parameterPlaces(program.assembler, fn, fn.returns),
    }));
  }

  /** The lanes of `mask` call: their counters go to the function's start, or past a call of the run-time's. */
  call(warp: Warp, mask: number, pc: number): void {
    const plan = this.#program.calls[pc]!;
    const { file, functions } = this.#program;
    if (plan.external !== undefined) {
      callExternal(this.#env, file.i32, plan, warp, mask);
      for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.pc[l] = pc + 1;
      return;
    }
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const index = plan.callee ?? this.#indirectTarget(warp, l, plan);
      this.#enter(warp, l, pc, plan, index, functions[index]!);
    }
  }

  #indirectTarget(warp: Warp, lane: number, plan: CallPlan): number {
    const ref = plan.target!;
    const at = ref.slot + (warp.base & ref.mask) + lane * ref.words;
    const { i32 } = this.#program.file;
    const { module } = this.#program.assembler;
    const name = i32[at + 1] === FUNCTION_TAG ? module.functionTable[(i32[at]! >>> 0) / 16] : undefined;
    const index = this.#program.functions.findIndex(({ fn }) => fn.name === name);
    if (index >= 0) return index;
    const message = `${this.#env.who(warp, lane)} calls through a pointer that is not the address of a function.`;
    this.#env.note(warp, lane, { kind: 'trap', message, instruction: plan.instruction });
    throw new LaunchStopped(message);
  }

  #enter(warp: Warp, lane: number, pc: number, plan: CallPlan, index: number, callee: LinkedFunction): void {
    const env = this.#env;
    const { file, assembler } = this.#program;
    const callerStack = warp.stack[lane]!;
    const stack = callerStack + plan.callerFrameBytes;
    if (stack + callee.frameBytes > env.localBytes) {
      const message = `${env.who(warp, lane)} overflows its stack of ${env.localBytes} bytes calling ${callee.fn.name}.`;
      env.note(warp, lane, { kind: 'stack-overflow', message, instruction: plan.instruction });
      throw new LaunchStopped(message);
    }
    const layout = assembler.layouts.get(callee.fn)!;
    const frames = warp.frames[lane]!;
    let saved: Int32Array | undefined;
    // On re-entry the outer call's registers are put aside: register-major storage, so lane by lane.
    if (index === 0 || frames.some((frame) => frame.callee === index)) {
      saved = new Int32Array(layout.endWord - layout.firstWord + layout.endPredicate - layout.firstPredicate);
      this.#swapRegisters(warp, lane, index, saved, true);
    }
    const base = lanePhysical(env, warp, lane);
    env.memory.markInitialised(base + stack, callee.frameBytes, false);
    const { params } = this.#parameters[index]!;
    for (const [position, to] of params.entries()) {
      const from = plan.args[position];
      if (from !== undefined) copyValue(env, file.i32, warp, lane, from, base + callerStack, to, base + stack);
    }
    frames.push({ returnTo: pc + 1, site: pc, callerStack, callee: index, saved });
    warp.stack[lane] = stack;
    warp.callDepth[lane]!++;
    warp.pc[lane] = callee.start;
  }

  #swapRegisters(warp: Warp, lane: number, index: number, saved: Int32Array, save: boolean): void {
    const { assembler, file, functions } = this.#program;
    const { fn } = functions[index]!;
    const layout = assembler.layouts.get(fn)!;
    let at = 0;
    for (const [id, { type }] of fn.registers.entries()) {
      const slot = layout.slots[id]!;
      if (type === 'pred') {
        if (save) saved[at] = (warp.predicates[slot]! >>> lane) & 1;
        else warp.predicates[slot] = (warp.predicates[slot]! & ~(1 << lane)) | (saved[at]! << lane);
        at++;
        continue;
      }
      const { words } = assembler.register(fn, id);
      for (let w = 0; w < words; w++, at++) {
        const word = warp.base + slot + lane * words + w;
        if (save) saved[at] = file.i32[word]!;
        else file.i32[word] = saved[at]!;
      }
    }
  }

  /** The lanes of `mask` return. Gives those that return from the kernel itself: they exit. */
  return(warp: Warp, mask: number): number {
    const env = this.#env;
    const { file, calls } = this.#program;
    let leaving = 0;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const frame = warp.frames[l]!.pop();
      if (frame === undefined) {
        leaving |= 1 << l;
        continue;
      }
      const base = lanePhysical(env, warp, l);
      const calleeFrame = base + warp.stack[l]!;
      const plan = calls[frame.site]!;
      const { returns } = this.#parameters[frame.callee]!;
      // A register result must be read before the outer call's registers come back.
      const results = plan.returns.map((to, index) => ({ to, from: returns[index] }));
      if (frame.saved !== undefined) {
        const before = results.map(({ from }) =>
          from?.kind === 'register' ? this.#readRegister(warp, l, from) : undefined,
        );
        this.#swapRegisters(warp, l, frame.callee, frame.saved, false);
        for (const [index, { to, from }] of results.entries()) {
          const words = before[index];
          if (words !== undefined && to.kind === 'register') this.#writeRegister(warp, l, to, words);
          else if (from !== undefined)
            copyValue(env, file.i32, warp, l, from, calleeFrame, to, base + frame.callerStack);
        }
      } else {
        for (const { to, from } of results) {
          if (from !== undefined) copyValue(env, file.i32, warp, l, from, calleeFrame, to, base + frame.callerStack);
        }
      }
      warp.stack[l] = frame.callerStack;
      warp.callDepth[l]!--;
      warp.pc[l] = frame.returnTo;
    }
    return leaving;
  }

  #readRegister(warp: Warp, lane: number, place: Extract<ValuePlace, { kind: 'register' }>): number[] {
    const { ref } = place;
    const at = ref.slot + warp.base + lane * ref.words;
    return Array.from({ length: ref.words }, (_, w) => this.#program.file.i32[at + w]!);
  }

  #writeRegister(
    warp: Warp,
    lane: number,
    place: Extract<ValuePlace, { kind: 'register' }>,
    words: readonly number[],
  ): void {
    const { ref } = place;
    const at = ref.slot + warp.base + lane * ref.words;
    for (let w = 0; w < ref.words; w++) this.#program.file.i32[at + w] = words[w] ?? 0;
  }
}
