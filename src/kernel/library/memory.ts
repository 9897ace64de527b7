/** Device memory as the CUDA runtime's calls see it: memset, memcpy, malloc, and the candidate's own device variables. */
import type { Expression } from '../cpp/ast.ts';
import { hostBytes } from '../encode.ts';
import { fails, invalid, refused } from '../error.ts';
import { Scope } from '../interpret/scope.ts';
import { variableType } from '../interpret/statements.ts';
import { sizeOf, ULONG } from '../interpret/types.ts';
import { describeValue, intValue, type PointerValue, type TensorView, type Value } from '../interpret/values.ts';
import type { LibraryCall, LibraryFunction } from './call.ts';
import { SUCCESS } from './status.ts';

/** A raw byte range of a buffer, as a tensor of bytes, for memset and memcpy. */
function byteRange(call: LibraryCall, i: number, bytes: number): TensorView {
  const value = call.value(i);
  if (value.kind !== 'pointer' || value.target.kind !== 'device') {
    throw refused(
      `argument ${i + 1} of ${call.name} is not device memory (${describeValue(value)}): data of the host cannot enter a plan`,
      call.line,
    );
  }
  const { buffer, offset } = value.target;
  const size = call.m.world.buffers[buffer]?.bytes ?? 0;
  if (offset < 0n || Number(offset) + bytes > size) {
    throw fails(
      `${call.name} of ${bytes} bytes at ${offset} of ${call.m.world.buffers[buffer]?.name}, which has ${size} bytes`,
      call.line,
    );
  }
  return {
    buffer,
    dtype: 'uint8',
    shape: [bytes],
    strides: [1],
    offset: Number(offset),
    device: 'cuda',
    name: call.m.world.buffers[buffer]?.name ?? '',
  };
}

const memset: LibraryFunction = (call) => {
  const bytes = call.index(2);
  call.m.world.fill(byteRange(call, 0, bytes), call.index(1) & 255, call.line);
  return SUCCESS;
};

/** cudaMemcpyKind, driver_types.h. */
const HOST_TO_DEVICE = 1;
const DEVICE_TO_DEVICE = 3;
const DEFAULT = 4;

/** The host's memory that a value names, where it is that: a pointer, or an array that decays to one. */
function hostMemory(value: Value): PointerValue | undefined {
  if (value.kind === 'list' && value.container === 'built-in array') {
    return {
      kind: 'pointer',
      to: value.element ?? { kind: 'void' },
      target: { kind: 'element', list: value, index: 0 },
    };
  }
  return value.kind === 'pointer' && (value.target.kind === 'cell' || value.target.kind === 'element')
    ? value
    : undefined;
}

/** Copies `bytes` bytes from argument `from` to a place in device memory: from other device memory, or values the host function knows. */
function copyInto(call: LibraryCall, to: TensorView, from: number, bytes: number, kind: number): Value {
  const source = hostMemory(call.value(from));
  if (source) {
    if (kind !== HOST_TO_DEVICE && kind !== DEFAULT)
      throw fails(`${call.name} from a host variable needs cudaMemcpyHostToDevice`, call.line);
    const content = hostBytes(source, bytes, `argument ${from + 1} of ${call.name}`, call.line);
    const { pointers } = content;
    const { buffer, offset: byteOffset } = to;
    call.m.world.write({
      buffer,
      byteOffset,
      bytes: content.bytes,
      ...(pointers.length > 0 && { pointers }),
      line: call.line,
    });
    return SUCCESS;
  }
  if (kind !== DEVICE_TO_DEVICE && kind !== DEFAULT) {
    throw fails(`${call.name} from device memory needs cudaMemcpyDeviceToDevice`, call.line);
  }
  call.m.world.copy(byteRange(call, from, bytes), to, call.line);
  return SUCCESS;
}

const memcpy: LibraryFunction = (call) => {
  const kind = call.count > 3 ? call.index(3) : DEFAULT;
  if (hostMemory(call.value(0)))
    throw refused(
      `${call.name} to the host: the plan is made from shapes alone, before any kernel runs, so there is nothing to read`,
      call.line,
    );
  const bytes = call.index(2);
  return copyInto(call, byteRange(call, 0, bytes), 1, bytes, kind);
};

/** cudaMalloc(&p, n): workspace like any tensor's. */
const malloc: LibraryFunction = (call) => {
  const pointer = call.value(0);
  if (pointer.kind !== 'pointer' || pointer.target.kind !== 'cell')
    throw invalid('cudaMalloc needs the address of a pointer', call.line);
  const { cell } = pointer.target;
  const buffer = call.m.world.allocate(call.index(1), `cudaMalloc at line ${call.line}`, call.line);
  const to = cell.type.kind === 'pointer' ? cell.type.to : ({ kind: 'void' } as const);
  cell.value = { kind: 'pointer', to, target: { kind: 'device', buffer, offset: 0n } };
  return SUCCESS;
};

/** The device variable that an argument names (`symbol`, `&symbol`), as bytes. */
function symbolOf(call: LibraryCall, i: number): TensorView {
  let e: Expression | undefined = call.expressions[i];
  while (e?.kind === 'cast' || (e?.kind === 'unary' && e.operator === '&')) e = e.operand;
  const { m, line, scope } = call;
  const path = e?.kind === 'name' ? e.name.path : [];
  const item = e?.kind === 'name' ? m.program.findVariable(path, scope.namespace) : undefined;
  const name = path.at(-1) ?? '';
  const declarator = item?.space === 'device' ? item.declarators.find((d) => d.name === name) : undefined;
  if (!item || !declarator)
    throw invalid(`argument ${i + 1} of ${call.name} must name a __device__ or __constant__ variable`, line);
  const bytes = sizeOf(variableType(m, declarator, new Scope(m.globals, item.namespace)));
  const buffer = m.world.symbol([...item.namespace, name], bytes, line);
  return { buffer, dtype: 'uint8', shape: [bytes], strides: [1], offset: 0, device: 'cuda', name };
}

/** A part of a device variable. */
function symbolRange(call: LibraryCall, i: number, bytes: number, offset: number): TensorView {
  const whole = symbolOf(call, i);
  if (offset < 0 || offset + bytes > (whole.shape[0] ?? 0)) {
    throw fails(
      `${call.name} of ${bytes} bytes at ${offset} of ${whole.name}, which has ${whole.shape[0]} bytes`,
      call.line,
    );
  }
  return { ...whole, shape: [bytes], offset };
}

/** cudaMemcpyToSymbol(symbol, source, bytes, offset = 0, kind = cudaMemcpyHostToDevice). */
const memcpyToSymbol: LibraryFunction = (call) => {
  const bytes = call.index(2);
  const to = symbolRange(call, 0, bytes, call.count > 3 ? call.index(3) : 0);
  return copyInto(call, to, 1, bytes, call.count > 4 ? call.index(4) : HOST_TO_DEVICE);
};

const memcpyFromSymbol: LibraryFunction = (call) => {
  const bytes = call.index(2);
  const from = symbolRange(call, 1, bytes, call.count > 3 ? call.index(3) : 0);
  if (hostMemory(call.value(0)))
    throw refused(`${call.name} reads device memory on the host, where there is none`, call.line);
  call.m.world.copy(from, byteRange(call, 0, bytes), call.line);
  return SUCCESS;
};

const symbolAddress: LibraryFunction = (call) => {
  const { buffer } = symbolOf(call, 1);
  call.writeTo(0, { kind: 'pointer', to: { kind: 'void' }, target: { kind: 'device', buffer, offset: 0n } });
  return SUCCESS;
};

export const MEMORY_FUNCTIONS: Readonly<Record<string, LibraryFunction>> = {
  cudaMalloc: malloc,
  cudaMallocAsync: malloc,
  cudaMemset: memset,
  cudaMemsetAsync: memset,
  cudaMemcpy: memcpy,
  cudaMemcpyAsync: memcpy,
  cudaMemcpyToSymbol: memcpyToSymbol,
  cudaMemcpyToSymbolAsync: memcpyToSymbol,
  cudaMemcpyFromSymbol: memcpyFromSymbol,
  cudaMemcpyFromSymbolAsync: memcpyFromSymbol,
  cudaGetSymbolAddress: symbolAddress,
  cudaGetSymbolSize: (call) => {
    call.writeTo(0, intValue(symbolOf(call, 1).shape[0] ?? 0, ULONG));
    return SUCCESS;
  },
};
