/**
 * Tasks that are one plain product of matrices, which cuBLAS does in one call: matmul or a linear layer without bias, perhaps of transposed operands. The plan has the
 * task's buffers and no steps; the call stands in their place.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from '../../../kernel/index.ts';
import { elementBytes, elementCount, type GraphNode, type Task } from '../../../task/index.ts';
import { CUBLAS_LIBRARIES, DATA_TYPE, type Gemm } from '../driver/cublas.ts';
import type { Contraction } from '../timing/cublas-work.ts';
import type { TimedPlan } from '../timing/instance.ts';

/** The task as one call of cuBLAS; or, as a sentence, why it is none. `libraries`: files to try. */
export function contractionOf(task: Task, libraries: readonly string[]): TimedPlan | string {
  const { graph, signature } = task;
  const none = 'The task is not one plain product of matrices, which is what cuBLAS is timed on.';
  const arguments_ = [...graph.inputs, ...graph.parameters];
  const producers = new Map(graph.nodes.map((node) => [node.outputs[0]!.id, node]));
  const [result] = graph.outputs;
  const product = result === undefined ? undefined : producers.get(result);
  if (product === undefined || graph.outputs.length !== 1 || signature.entry === 'backward') return none;
  const linear = product.op === 'linear' && product.attributes.bias !== true;
  if (product.op !== 'matmul' && !linear) return none;
  const sides = product.inputs.slice(0, 2).map((id) => {
    const moved = producers.get(id);
    const turned = moved !== undefined && swapsLastTwo(moved);
    if (moved !== undefined && !turned) return undefined;
    const place = arguments_.findIndex((one) => one.id === (turned ? moved.inputs[0] : id));
    return place < 0 ? undefined : { place, turned, shape: signature.tensors[place]!.spec.shape };
  });
  const [a, b] = sides;
  const used = new Set([product, ...product.inputs.flatMap((id) => producers.get(id) ?? [])]);
  const output = signature.outputs[0]!;
  if (!a || !b || used.size !== graph.nodes.length) return none;
  const { dtype } = output;
  if (!(dtype in DATA_TYPE)) return `cuBLAS is not timed on ${dtype}.`;
  const gemm = linear ? gemmOfLinear(a.shape, b.shape) : gemmOfMatmul(a, b, output.shape);
  if (gemm === undefined || (linear && (a.turned || b.turned))) return none;
  const plan: Plan = {
    buffers: [
      ...signature.tensors.map(({ name, spec }, id) => ({
        ...{ id, name, kind: 'argument' as const, argument: id },
        bytes: elementCount(spec.shape) * elementBytes[spec.dtype],
      })),
      {
        ...{ id: signature.tensors.length, name: 'out', kind: 'workspace' as const },
        bytes: elementCount(output.shape) * elementBytes[dtype],
      },
    ],
    steps: [],
    outputs: [
      { buffer: signature.tensors.length, dtype, shape: output.shape, strides: rowMajor(output.shape), offset: 0 },
    ],
  };
  const build = { hash: '', ptx: '', cubin: '', arch: '', resources: [], compiler: '', milliseconds: 0, cached: true };
  const type = dtype as keyof typeof DATA_TYPE;
  const contraction: Contraction = {
    gemm: { ...gemm, dtype: type, precision: task.precision },
    ...{ a: a.place, b: b.place, libraries },
  };
  return { plan, build, contraction };
}

type Shape = readonly number[];
type Sizes = Omit<Gemm, 'dtype' | 'precision'>;

/** x [..., k] with a weight [n, k]: all rows of x are one matrix. */
function gemmOfLinear(x: Shape, weight: Shape): Sizes {
  const [n, k] = weight as [number, number];
  const m = x.slice(0, -1).reduce((product, extent) => product * extent, 1);
  return { m, n, k, batch: 1, a: { transposed: false, stride: 0 }, b: { transposed: true, stride: 0 } };
}

/** Batches must be equal, or the second operand be one matrix; other broadcasts are several calls, and are left. */
function gemmOfMatmul(
  a: { turned: boolean; shape: Shape },
  b: { turned: boolean; shape: Shape },
  out: Shape,
): Sizes | undefined {
  const [m, n] = out.slice(-2) as [number, number];
  const k = a.shape.at(a.turned ? -2 : -1)!;
  const batches = [a.shape.slice(0, -2), b.shape.slice(0, -2)] as const;
  const count = batches[0].reduce((product, extent) => product * extent, 1);
  const same = batches[0].join() === batches[1].join();
  const one = batches[1].length === 0;
  if (!same && !one) return undefined;
  const sides = { a: { transposed: a.turned, stride: m * k }, b: { transposed: b.turned, stride: one ? 0 : k * n } };
  // One matrix on the right and rows that follow each other on the left: one product.
  if (one && !a.turned) return { m: count * m, n, k, batch: 1, ...sides };
  return { m, n, k, batch: count, ...sides };
}

function swapsLastTwo({ op, attributes, inputs }: GraphNode): boolean {
  if (op !== 'permute' || inputs.length !== 1 || !Array.isArray(attributes.dims)) return false;
  const dims = attributes.dims as number[];
  const rank = dims.length;
  if (rank < 2) return false;
  const wanted = [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2];
  return dims.every((dim, i) => (dim + rank) % rank === wanted[i]);
}

function rowMajor(shape: Shape): number[] {
  let stride = 1;
  return shape
    .toReversed()
    .map((extent) => {
      const own = stride;
      stride *= extent;
      return own;
    })
    .reverse();
}

/** Where cuBLAS may be: ASSAY_CUBLAS, what the loader finds, and beside a PyTorch that brings its own. */
export function cublasFiles(torchFolders: readonly string[] = []): string[] {
  const named = process.env.ASSAY_CUBLAS;
  if (named) return [named];
  const beside = torchFolders.flatMap((folder) => {
    const nvidia = [join(folder, 'nvidia'), join(folder, 'site-packages/nvidia')].filter((one) => existsSync(one));
    return nvidia.flatMap((root) =>
      readdirSync(root).flatMap((name) =>
        CUBLAS_LIBRARIES.map((file) => join(root, name, 'lib', file)).filter((file) => existsSync(file)),
      ),
    );
  });
  return [...beside, ...CUBLAS_LIBRARIES];
}
