/** Elements of a strided view, in row-major order of its shape. */
import type { PlanTensor } from '../../kernel/index.ts';

/** Calls `visit` with the element offset into the buffer and the row-major index, for each element of `tensor`. */
export function forEachElement(tensor: PlanTensor, visit: (offset: number, index: number) => void): void {
  const { shape, strides } = tensor;
  const rank = shape.length;
  const count = shape.reduce((product, size) => product * size, 1);
  const position = new Array<number>(rank).fill(0);
  let offset = tensor.offset;
  for (let index = 0; index < count; index++) {
    visit(offset, index);
    for (let axis = rank - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      offset -= strides[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
}

/** Number of elements. */
export function elementCount(tensor: PlanTensor): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}

/** True when the elements lie one after the other in row-major order. */
export function isContiguous(tensor: PlanTensor): boolean {
  let expected = 1;
  for (let axis = tensor.shape.length - 1; axis >= 0; axis--) {
    if (tensor.shape[axis] !== 1 && tensor.strides[axis] !== expected) return false;
    expected *= tensor.shape[axis]!;
  }
  return true;
}
