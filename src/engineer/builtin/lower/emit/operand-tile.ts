/** The operands of a product as a block reads them: tiles of a matrix on their way from global to shared memory. */
import type { Group } from '../groups.ts';
import type { Contraction, Gather, Program, ReduceStep } from '../program.ts';
import { storage } from '../scalar.ts';
import { type KernelContext, requirePack } from './kernel-context.ts';
import type { CodeWriter } from './writer.ts';

/** The group's contraction, when it is one and in a type that tiles are written for. */
export function tileableContraction(program: Program, group: Group): ReduceStep & { contraction: Contraction } {
  const step = group.steps.find((own): own is ReduceStep => own.kind === 'reduce' && own.contraction !== undefined);
  if (!step || !isTileable(program, group)) throw new Error('the group has no matrix product to tile');
  return step as ReduceStep & { contraction: Contraction };
}

/** Whether the group has a product of operands in memory (a constant tensor may be a table of the text). */
export function isTileable(program: Program, group: Group): boolean {
  const step = group.steps.find((own): own is ReduceStep => own.kind === 'reduce' && own.contraction !== undefined);
  if (!step?.contraction) return false;
  const { a, b } = step.contraction;
  return [a, b].every(({ value }) => {
    const { dtype, origin } = program.values[value]!;
    return /^(b?float(16|32|64))$/.test(dtype) && origin.kind !== 'table';
  });
}

/** What both kinds of tile kernel choose about their tiles in shared memory. */
export interface TileShape {
  /** Output rows and columns a block, and depth of the tiles. */
  blockM: number;
  blockN: number;
  blockK: number;
  /** Neighbours in one read of global memory, where an operand's layout allows. */
  vector: number;
}

/** One operand's tile: how threads walk it in memory and where they put it. */
export interface Side {
  /** `a` is [m, k], `b` is [k, n]; `outer` is m or n. */
  name: 'a' | 'b';
  outer: 'm' | 'n';
  extent: number;
  block: number;
  /** Strides of the operand along the outer dimension and along k. */
  outerStride: number;
  depthStride: number;
  /** Whether neighbours in memory lie along k. */
  alongDepth: boolean;
  vector: number;
  base: string;
  /** Id of the operand. */
  value: number;
  /** Of a convolution's windows; then `offset` is not in the matrix's start, which would lie before the tensor. */
  gather?: Gather;
  offset: number;
  indexType: string;
}

/** Strides of an operand along m or n, and along k. */
function stridesOf(contraction: Contraction, name: 'a' | 'b'): [outer: number, depth: number] {
  const { strides } = contraction[name];
  const [first, second] = [strides.at(-2)!, strides.at(-1)!];
  return name === 'a' ? [first, second] : [second, first];
}

/** Whether an operand's neighbours in memory lie along k. */
export function liesAlongDepth(contraction: Contraction, name: 'a' | 'b'): boolean {
  const [outer, depth] = stridesOf(contraction, name);
  return depth === 1 && outer !== 1;
}

/** Neighbours of an operand in one read: `wanted` where its layout and sizes allow that, else 1. */
export function packWidth(context: KernelContext, contraction: Contraction, name: 'a' | 'b', wanted: number): number {
  const access = contraction[name];
  const [outerStride, depthStride] = stridesOf(contraction, name);
  const alongDepth = liesAlongDepth(contraction, name);
  const rest = [...access.strides.slice(0, -2), access.offset, alongDepth ? outerStride : depthStride];
  const run = alongDepth ? contraction.k : name === 'a' ? contraction.m : contraction.n;
  const packs =
    !(name === 'b' && contraction.b.gather) &&
    (alongDepth ? depthStride : outerStride) === 1 &&
    context.isMemory(access.value) &&
    run % wanted === 0 &&
    storage[context.value(access.value).dtype].bytes * wanted <= 16 &&
    rest.every((stride) => stride % wanted === 0);
  return packs ? wanted : 1;
}

/** How one operand is read: along whichever of its dimensions neighbours lie. */
export function side(context: KernelContext, contraction: Contraction, name: 'a' | 'b', knobs: TileShape): Side {
  const access = contraction[name];
  const gather = name === 'b' ? contraction.b.gather : undefined;
  const [outerStride, depthStride] = stridesOf(contraction, name);
  const extent = name === 'a' ? contraction.m : contraction.n;
  const alongDepth = liesAlongDepth(contraction, name);
  return {
    name,
    outer: name === 'a' ? 'm' : 'n',
    extent,
    block: name === 'a' ? knobs.blockM : knobs.blockN,
    outerStride,
    depthStride,
    alongDepth,
    vector: packWidth(context, contraction, name, knobs.vector),
    base: context.value(access.value).name,
    value: access.value,
    gather,
    offset: gather ? access.offset : 0,
    indexType: context.indexType,
  };
}

/** Where this block's matrices of the batch begin. */
export function writeBatch(
  body: CodeWriter,
  context: KernelContext,
  contraction: Contraction,
  sides: readonly Side[],
): void {
  const { batch } = contraction;
  const coordinates: string[] = [];
  let divisor = 1;
  for (let d = batch.length - 1; d >= 0; d--) {
    const quotient = divisor === 1 ? 'blockIdx.z' : `blockIdx.z / ${divisor}`;
    coordinates[d] = d === 0 ? quotient : `${divisor === 1 ? quotient : `(${quotient})`} % ${batch[d]}`;
    divisor *= batch[d]!;
  }
  for (const own of sides) {
    const access = contraction[own.name];
    const terms = batch.flatMap((_, d) => {
      const stride = access.strides[d]!;
      if (stride === 0 || batch[d] === 1) return [];
      return [`static_cast<${context.indexType}>(${coordinates[d]}) * ${stride}`];
    });
    if (access.offset !== 0 && !own.gather) terms.push(`${access.offset}`);
    context.usePointer(access.value);
    const { type } = storage[context.value(access.value).dtype];
    body.line(
      `const ${type}* __restrict__ ${own.name}_matrix = ${own.base}${terms.map((term) => ` + ${term}`).join('')};`,
    );
  }
}

/** Declares a thread's `p`-th place in an operand's tile: `outer_at`, `depth_at` within the tile. */
export function writePlace(body: CodeWriter, own: Side, knobs: TileShape, threads: number, p: string): void {
  const { vector } = own;
  const fast = own.alongDepth ? knobs.blockK : own.block;
  body.line(`const int place = (threadIdx.x + ${p} * ${threads})${vector === 1 ? '' : ` * ${vector}`};`);
  const [depth, outer] = own.alongDepth
    ? [`place % ${fast}`, `place / ${fast}`]
    : [`place / ${fast}`, `place % ${fast}`];
  body.line(`const int ${own.outer}_at = ${outer};`);
  body.line(`const int k_at = ${depth};`);
}

/** Where an operand's element is, from its matrix's start, and what must hold for it to be there; empty where it always is. */
export interface Reach {
  index: string;
  inside: string;
}

/** Writes what must be computed first to reach the operand at the place declared by {@link writePlace}, `k0` deep. */
export function writeReach(body: CodeWriter, own: Side, knobs: TileShape, k: number, k0: string): Reach {
  const tests: string[] = [];
  const [outer, depth] = [`block_${own.outer} + ${own.outer}_at`, `${k0} + k_at`];
  if (own.extent % own.block !== 0) tests.push(`${outer} < ${own.extent}`);
  if (k % knobs.blockK !== 0) tests.push(`${depth} < ${k}`);
  if (own.gather) return writeGather(body, own, own.gather, { tests, outer, depth });
  const term = (text: string, stride: number) => (stride === 1 ? `(${text})` : `(${text}) * ${stride}`);
  return {
    index: `${term(outer, own.outerStride)} + ${term(depth, own.depthStride)}`,
    inside: tests.join(' && '),
  };
}

/** A window's element: depth and column are cut into coordinates, and tested where windows reach beyond the edge. */
function writeGather(
  body: CodeWriter,
  own: Side,
  { k, n, inside }: Gather,
  { tests, outer, depth }: { tests: string[]; outer: string; depth: string },
): Reach {
  const terms: string[] = [];
  for (const [name, text, { sizes, strides }] of [
    ['k', depth, k],
    ['n', outer, n],
  ] as const) {
    body.line(`const int ${name}_all = ${text};`);
    let divisor = 1;
    for (let d = sizes.length - 1; d >= 0; d--) {
      const quotient = divisor === 1 ? `${name}_all` : `${name}_all / ${divisor}`;
      const value = d === 0 ? quotient : divisor === 1 ? `${quotient} % ${sizes[d]}` : `(${quotient}) % ${sizes[d]}`;
      if (sizes[d] !== 1) {
        body.line(`const int ${name}_${d} = ${value};`);
        terms.push(strides[d] === 1 ? `${name}_${d}` : `static_cast<${own.indexType}>(${name}_${d}) * ${strides[d]}`);
      }
      divisor *= sizes[d]!;
    }
  }
  for (const { ofN, stepN, ofK, stepK, offset, size } of inside) {
    const part = (name: string, sizes: readonly number[], d: number, step: number) =>
      sizes[d] === 1 ? [] : [step === 1 ? `${name}_${d}` : `${name}_${d} * ${step}`];
    const sum = [...part('n', n.sizes, ofN, stepN), ...part('k', k.sizes, ofK, stepK)].join(' + ') || '0';
    // As an unsigned number, what is below zero is beyond every size.
    tests.push(
      `static_cast<unsigned>(${sum}${offset < 0 ? ` - ${-offset}` : offset > 0 ? ` + ${offset}` : ''}) < ${size}u`,
    );
  }
  if (own.offset !== 0 || terms.length === 0) terms.push(`${own.offset}`);
  return { index: terms.join(' + ').replaceAll('+ -', '- '), inside: tests.join(' && ') };
}

/** Rounds of reads that a thread makes to fill its share of a tile. */
export function rounds(own: Side, knobs: TileShape, threads: number): number {
  return (own.block * knobs.blockK) / (threads * own.vector);
}

/** The value (or pack) at a thread's place, zero outside the matrix. */
export function writeRead(
  body: CodeWriter,
  context: KernelContext,
  own: Side,
  knobs: TileShape,
  k: number,
  k0: string,
  give: (v: number, text: string) => string,
): void {
  const { dtype } = context.value(own.value);
  const { type, load, compute } = storage[dtype];
  const { index, inside } = writeReach(body, own, knobs, k, k0);
  if (own.vector === 1) {
    const read = load(`${own.name}_matrix[${index}]`);
    body.line(give(0, inside ? `(${inside}) ? ${read} : ${compute}(0)` : read));
    return;
  }
  requirePack(context.preamble);
  const pack = `Pack<${type}, ${own.vector}>`;
  body.line(`${pack} pack = {};`);
  const read = `pack = *reinterpret_cast<const ${pack}*>(${own.name}_matrix + ${index});`;
  body.line(inside ? `if (${inside}) ${read}` : read);
  for (let v = 0; v < own.vector; v++) body.line(give(v, load(`pack.at[${v}]`)));
}
