/**
 * Arguments of a task at sizes that are too large to draw: a drawn pattern, repeated from a tensor's start to its end. Its length is odd and
 * follows from the seed, so rows and planes of usual sizes differ, and an element that is read in another's place shows.
 */
import { elementCount } from '../operators/tensor.ts';
import type { Draw, Graph, HostTensor, TensorSpec } from '../types.ts';
import { AS_WRITTEN, drawParameter, drawTensor } from './draw.ts';
import { Random } from './random.ts';

/** Elements of the shortest pattern. */
const LEAST_PERIOD = 2 ** 18;
/** Elements of a tensor that is no repeated draw (listed, counted, computed) up to which it is made whole. */
const MOST_WHOLE = 2 ** 22;

export interface TiledTensor {
  /** Of the whole tensor. */
  spec: TensorSpec;
  /** Element i of the tensor is element i mod its length of this, which has one dimension. */
  pattern: HostTensor;
}

/** A draw whose elements are independent of each other and of their place. */
const repeats = (draw: Draw) => ['uniform', 'normal', 'integer', 'constant'].includes(draw.kind);

/**
 * Inputs, then parameters and buffers, from the file's own distributions; `seed` is 64 hex digits. Gives a sentence where one cannot be had so.
 */
export function drawTiled({ inputs, parameters }: Graph, seed: string): TiledTensor[] | string {
  const period = LEAST_PERIOD + 1 + 2 * (Number.parseInt(seed.slice(0, 4), 16) >>> 1);
  const tensors: TiledTensor[] = [];
  for (const argument of [...inputs, ...parameters]) {
    const { spec, draw, name } = argument;
    const count = elementCount(spec.shape);
    const whole = count <= period || (!repeats(draw) && count <= MOST_WHOLE);
    if (!whole && !repeats(draw)) return `${name} is computed by the file, and too large to be made`;
    const drawnSpec = whole ? spec : { shape: [period], dtype: spec.dtype };
    const random = new Random(seed, `tiled/${name}`);
    const parameter = parameters.find((one) => one === argument);
    const drawn = parameter
      ? drawParameter({ ...parameter, spec: drawnSpec }, random)
      : drawTensor(drawnSpec, draw, AS_WRITTEN, '', random);
    tensors.push({
      spec,
      pattern: { spec: { shape: [drawn.values.length], dtype: spec.dtype }, values: drawn.values },
    });
  }
  return tensors;
}

/** `count` elements of a tiled tensor from the flat index `from`. */
export function tiledElements({ pattern: { values } }: TiledTensor, from: number, count: number): Float64Array {
  const elements = new Float64Array(count);
  for (let i = 0, at = from % values.length; i < count; i++, at = at + 1 === values.length ? 0 : at + 1)
    elements[i] = values[at]!;
  return elements;
}
