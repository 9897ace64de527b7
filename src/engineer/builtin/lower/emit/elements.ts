/**
 * The inside of a loop: computes element values from their operands, one element or one pack of neighbours at a time.
 *
 * Evaluation is by demand: only what the loop's results need is computed. Values that an earlier loop kept (in registers or
 * shared memory) are taken from there.
 */

import { helperFunctions } from '../pointwise.ts';
import { type MapStep, type Step, stepOutputs } from '../program.ts';
import { storage } from '../scalar.ts';
import { type Affine, contiguousStrides, refineAffine } from '../strides.ts';
import { type KernelContext, requirePack } from './kernel-context.ts';
import type { Walk } from './walk.ts';
import type { CodeWriter } from './writer.ts';

/** A read of memory that an expression needs. */
export interface Load {
  value: number;
  access: Affine;
  variable: string;
}

/** All accesses of a group's steps and stores, over its refined dimensions, made once so that a walk can be built on them. */
export class Accesses {
  readonly #context: KernelContext;
  readonly #operands = new Map<Step, Affine[]>();
  readonly #stores = new Map<number, Affine>();

  constructor(context: KernelContext, stored: readonly number[]) {
    this.#context = context;
    const { group } = context;
    for (const step of group.steps) {
      if (step.kind === 'reduce' || step.kind === 'sort')
        this.#operands.set(step, [context.refine(step.domain, step.input)]);
      else if (step.kind === 'scan')
        this.#operands.set(
          step,
          step.inputs.map((input) => context.refine(step.domain, input)),
        );
      else if (step.kind !== 'map') throw new Error(`a ${step.kind} step has no walk`);
      else if (this.#isElement(step.out)) {
        this.#operands.set(
          step,
          step.operands.map((operand) => context.refine(step.shape, operand)),
        );
      } else {
        this.#operands.set(
          step,
          step.operands.map((operand) => this.#overRows(step.shape, operand)),
        );
      }
    }
    for (const id of stored) {
      const { shape } = context.value(id);
      const whole = { strides: contiguousStrides(shape), offset: 0 };
      this.#stores.set(id, this.#isElement(id) ? context.refine(shape, whole) : this.#overRows(shape, whole));
    }
  }

  all(): Affine[] {
    return [...[...this.#operands.values()].flat(), ...this.#stores.values()];
  }

  /** Those of the maps of row values: what an epilogue reads. */
  ofRowMaps(): Affine[] {
    return rowMaps(this.#context).flatMap((step) => this.#operands.get(step)!);
  }

  operand(step: Step, k: number): Affine {
    return this.#operands.get(step)![k]!;
  }

  store(id: number): Affine {
    return this.#stores.get(id)!;
  }

  #isElement(id: number): boolean {
    return this.#context.group.structure.role.get(id) === 'element';
  }

  /** A row step's access: strides over the outer dimensions, zero along the folded ones. */
  #overRows(shape: readonly number[], access: Affine): Affine {
    const { dimensions } = this.#context.group.structure;
    const outer = dimensions.filter((dimension) => !dimension.folded).map((dimension) => dimension.size);
    const { strides } = refineAffine(shape, access, outer);
    let seen = 0;
    return {
      offset: access.offset,
      strides: dimensions.map((dimension) => (dimension.folded ? 0 : strides[seen++]!)),
    };
  }
}

/** What one loop evaluates: reads, then steps, in an order that respects their dependences. */
export interface Evaluation {
  loads: readonly Load[];
  steps: readonly MapStep[];
}

/** Finds what must be read and computed for `wanted` element values, given those that are known already. */
export function planEvaluation(
  context: KernelContext,
  accesses: Accesses,
  walk: Walk,
  wanted: readonly { step?: MapStep; load?: { value: number; access: Affine } }[],
  isKnown: (key: string) => boolean,
): Evaluation {
  const makers = new Map<number, MapStep>();
  for (const step of context.group.steps) if (step.kind === 'map') makers.set(step.out, step);
  const loads = new Map<string, Load>();
  const steps = new Set<MapStep>();
  const visitLoad = (value: number, access: Affine) => {
    const key = loadKey(walk, value, access);
    if (!isKnown(key) && !loads.has(key))
      loads.set(key, { value, access, variable: loadVariable(context, walk, value, access) });
  };
  const visit = (step: MapStep) => {
    if (steps.has(step) || isKnown(valueKey(step.out))) return;
    step.operands.forEach((operand, k) => {
      if (operand.kind !== 'load' || operand.lazy) return;
      const role = context.group.structure.role.get(operand.value);
      if (role === 'row') return;
      const maker = makers.get(operand.value);
      if (maker) visit(maker);
      else if (role !== 'element') visitLoad(operand.value, accesses.operand(step, k));
    });
    steps.add(step);
  };
  for (const item of wanted) {
    if (item.step) visit(item.step);
    else if (item.load) visitLoad(item.load.value, item.load.access);
  }
  return { loads: [...loads.values()], steps: [...steps] };
}

export const valueKey = (id: number): string => `value:${id}`;
export const loadKey = (walk: Walk, value: number, access: Affine): string => `load:${value}:${walk.key(access)}`;

const loadNumbers = new WeakMap<KernelContext, Map<string, string>>();

/** The variable of a read: the value's name, numbered when it is read in several ways. */
export function loadVariable(context: KernelContext, walk: Walk, value: number, access: Affine): string {
  let names = loadNumbers.get(context);
  if (!names) {
    names = new Map();
    loadNumbers.set(context, names);
  }
  const key = loadKey(walk, value, access);
  const known = names.get(key);
  if (known) return known;
  const earlier = [...names.keys()].filter((other) => other.startsWith(`load:${value}:`)).length;
  const name = earlier === 0 ? context.variable(value) : `${context.variable(value)}${earlier + 1}`;
  names.set(key, name);
  return name;
}

/** Writes the reads of packs and broadcast values, which stand before the loop over a pack's elements. */
export function writePackLoads(
  writer: CodeWriter,
  context: KernelContext,
  walk: Walk,
  loads: readonly Load[],
  width: number,
): void {
  for (const load of loads) {
    const { dtype, name } = context.value(load.value);
    if (walk.innermostStride(load.access) === 0) {
      writer.line(
        `const ${context.computeType(load.value)} ${load.variable} = ${context.read(load.value, walk.index(load.access))};`,
      );
    } else if (context.isMemory(load.value) && walk.isPacked(load.access, width)) {
      requirePack(context.preamble);
      context.usePointer(load.value);
      const pack = `Pack<${storage[dtype].type}, ${width}>`;
      writer.line(
        `const ${pack} ${load.variable}_pack = *reinterpret_cast<const ${pack}*>(${name} + ${walk.index(load.access)});`,
      );
    }
  }
}

/** Writes one element's reads and computations. `k`: the element's position in its pack, absent for single elements. */
export function writeElement(
  writer: CodeWriter,
  context: KernelContext,
  accesses: Accesses,
  walk: Walk,
  evaluation: Evaluation,
  pack?: { width: number; k: string },
): void {
  for (const load of evaluation.loads) {
    const type = context.computeType(load.value);
    if (pack && walk.innermostStride(load.access) === 0) continue;
    const packed = pack && context.isMemory(load.value) && walk.isPacked(load.access, pack.width);
    const text = packed
      ? storage[context.value(load.value).dtype].load(`${load.variable}_pack.at[${pack.k}]`)
      : context.read(load.value, walk.index(load.access, pack?.k));
    writer.line(`const ${type} ${load.variable} = ${text};`);
  }
  for (const step of evaluation.steps) writeStep(writer, context, accesses, walk, step, pack?.k);
}

/** Writes `const T name = expression;` for one step. */
export function writeStep(
  writer: CodeWriter,
  context: KernelContext,
  accesses: Accesses,
  walk: Walk,
  step: MapStep,
  k?: string,
): void {
  const args = step.operands.map((operand, index) => {
    const access = accesses.operand(step, index);
    const at = (extra: string) => {
      if (operand.kind !== 'load') throw new Error('an index cannot be read from');
      const base = walk.index(access, k);
      return context.read(operand.value, extra === '0' ? base : base === '0' ? extra : `${base} + ${extra}`);
    };
    if (operand.kind === 'index') return { text: `(${walk.index(access, k)})`, at };
    if (operand.lazy) return { text: at('0'), at };
    const own = context.group.structure.role.has(operand.value);
    return { text: own ? context.variable(operand.value) : loadVariable(context, walk, operand.value, access), at };
  });
  const type = context.computeType(step.out);
  const expression = step.expression(args, type);
  for (const helper of step.helpers ?? []) {
    if (expression.includes(`${helper}<`)) context.preamble.require(helper, helperFunctions[helper]!);
  }
  writer.line(`const ${type} ${context.variable(step.out)} = ${expression};`);
}

/** Steps of a group that make row values by maps. */
export function rowMaps(context: KernelContext): MapStep[] {
  const { role } = context.group.structure;
  return context.group.steps.filter(
    (step): step is MapStep => step.kind === 'map' && stepOutputs(step).every((out) => role.get(out) === 'row'),
  );
}
