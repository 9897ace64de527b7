/** A matrix product's kernel around its body: what it computes in a comment, and one block a tile of the output. */
import type { Group } from '../groups.ts';
import type { Contraction, Program } from '../program.ts';
import { product } from '../strides.ts';
import type { Kernel, KernelContext } from './kernel-context.ts';
import type { TileShape } from './operand-tile.ts';
import { CodeWriter } from './writer.ts';

export interface ProductKernel {
  name: string;
  program: Program;
  group: Group;
  stored: readonly number[];
  context: KernelContext;
  contraction: Contraction;
  shape: Pick<TileShape, 'blockM' | 'blockN'>;
  threads: number;
  /** How the product is done, after its sizes: ` on tensor cores`, or nothing. */
  how: string;
  /** What a thread or a warp makes: `a thread 8 x 8`. */
  share: string;
  body: CodeWriter;
  /** Blocks along x and y where they do not lie as the tiles of the output do. */
  grid?: readonly [x: number, y: number];
  /** Shared memory that the launch asks for. */
  sharedBytes?: number;
}

/** The kernel; blocks along x take columns and along y rows, where the kernel does not order them itself, along z matrices of the batch. */
export function productKernel(own: ProductKernel): Kernel {
  const { name, program, group, stored, threads } = own;
  const { m, n, k, batch } = own.contraction;
  const { blockM, blockN } = own.shape;
  const { text: parameters, pointers } = own.context.parameters(stored);
  const operators = [...new Set(group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))].join(', ');
  const many = batch.length ? `, ${product(batch)} of them` : '';
  const writer = new CodeWriter();
  writer.line(
    `// ${operators}: [${m}, ${k}] x [${k}, ${n}]${many}${own.how}; a block makes ${blockM} x ${blockN}, ${own.share}.`,
  );
  writer.open(`__global__ void __launch_bounds__(${threads}) ${name}(${parameters}) {`);
  writer.line(own.body.toString().trimEnd());
  writer.close();
  return {
    name,
    text: writer.toString(),
    pointers,
    writes: stored,
    grid: [...(own.grid ?? [Math.ceil(n / blockN), Math.ceil(m / blockM)]), product(batch)] as const,
    block: threads,
    ...(own.sharedBytes !== undefined && { sharedBytes: own.sharedBytes }),
  };
}
