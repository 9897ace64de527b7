/** The candidate's file: device functions, kernels, the host function that allocates and launches, the binding. */
import type { DType, Signature } from '../../../../task/index.ts';
import type { Program } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import { type Kernel, type Preamble, STATIC_SHARED } from './kernel-context.ts';
import { workspace } from './workspace.ts';
import { CodeWriter } from './writer.ts';

/** A task's kernels for the shapes of one signature. */
export interface Version {
  program: Program;
  signature: Signature;
  kernels: readonly Kernel[];
  /** In words, what its shapes are: `the file's own shapes`. */
  shapes?: string;
}

/**
 * CUDA C++ in the form of a PyTorch extension. `about` is the comment at its head. Two versions are one candidate for two sets of shapes: the
 * host function takes the first where its shapes are given, else the second.
 */
export function candidateSource(versions: readonly Version[], preamble: Preamble, about: readonly string[]): string {
  const [{ signature }] = versions as [Version];
  // A kernel that is launched several times is written once.
  const kernels = versions.flatMap((version) => [...new Map(version.kernels.map((own) => [own.name, own])).values()]);
  const device = `${preamble.toString()}${kernels.map((kernel) => kernel.text).join('\n')}`;
  const includes = ['#include <torch/extension.h>', '#include <ATen/cuda/CUDAContext.h>', '#include <cuda_runtime.h>'];
  if (device.includes('__half')) includes.push('#include <cuda_fp16.h>');
  if (device.includes('__nv_bfloat16')) includes.push('#include <cuda_bf16.h>');
  if (device.includes('nvcuda::wmma')) includes.push('#include <mma.h>');
  if (device.includes('cooperative_groups::')) includes.push('#include <cooperative_groups.h>');
  if (device.includes('_t')) includes.push('#include <cstdint>');
  return [
    about.map((line) => `// ${line}`.trimEnd()).join('\n'),
    '',
    ...includes,
    '',
    `${device.trimEnd()}`,
    '',
    hostFunctions(versions).trimEnd(),
    '',
    'PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {',
    `  m.def("${entryOf(signature)}", &${entryOf(signature)});`,
    '}',
    '',
  ].join('\n');
}

/** The name that the judge looks for. */
const entryOf = (signature: Signature): string => signature.entry ?? 'forward';

function hostFunctions(versions: readonly Version[]): string {
  const [first, second] = versions as [Version, Version?];
  const entry = entryOf(first.signature);
  if (!second) return hostFunction(first, entry);
  const names = [`${entry}_at_own_shapes`, `${entry}_at_verified_shapes`] as const;
  const parameters = first.program.arguments.map((id) => first.program.values[id]!.name);
  const writer = new CodeWriter();
  writer.open(`${header(first, entry)} {`);
  writer.line(`if (${tellingApart(first, second)}) return ${names[0]}(${parameters.join(', ')});`);
  writer.line(`return ${names[1]}(${parameters.join(', ')});`);
  writer.close();
  return [hostFunction(first, names[0]), hostFunction(second, names[1]), writer.toString()].join('\n');
}

/** C++ that is true for the first version's shapes. */
function tellingApart({ program, signature }: Version, other: Version): string {
  for (const [k, { spec }] of signature.tensors.entries()) {
    const at = spec.shape.findIndex((size, d) => size !== other.signature.tensors[k]!.spec.shape[d]);
    if (at >= 0) return `${program.values[program.arguments[k]!]!.name}.size(${at}) == ${spec.shape[at]}`;
  }
  throw new Error('two versions of a candidate take the same shapes');
}

function header({ program }: Version, name: string): string {
  const result = program.outputs.length === 1 ? 'torch::Tensor' : 'std::vector<torch::Tensor>';
  return `${result} ${name}(${program.arguments.map((id) => `torch::Tensor ${program.values[id]!.name}`).join(', ')})`;
}

function hostFunction(version: Version, name: string): string {
  const { program, signature, kernels } = version;
  const writer = new CodeWriter();
  const argumentsOf = program.arguments.map((id) => program.values[id]!);
  const used = new Set(kernels.flatMap((kernel) => kernel.pointers));
  writer.open(`${header(version, name)} {${version.shapes ? `  // for ${version.shapes}` : ''}`);
  argumentsOf.forEach((value, k) => {
    if (!used.has(value.id)) return;
    const shape = signature.tensors[k]?.spec.shape ?? value.shape;
    writer.line(
      `TORCH_CHECK(${value.name}.is_cuda() && ${value.name}.is_contiguous() && ${value.name}.numel() == ${product(shape)}, "${value.name}: expected a contiguous CUDA tensor of shape [${shape.join(', ')}]");`,
    );
  });
  const outputs = new Map(program.outputs.map((output) => [output.value, output.shape]));
  const device = argumentsOf[0]?.name;
  if (!device) throw new Error('a task without tensors has nothing to launch on');
  const holder = new Map<number, string>();
  const allocate = (own: string, dtype: DType, shape: readonly number[], holds = '') =>
    writer.line(
      `auto ${own} = torch::empty({${shape.join(', ')}}, torch::dtype(${storage[dtype].scalarType}).device(${device}.device()));${holds}`,
    );
  const buffers = workspace(program, kernels);
  if (buffers.some(({ values }) => values.length > 1))
    writer.line(
      '// A buffer holds one result after another, each from the kernel that makes it to the last that reads it.',
    );
  buffers.forEach(({ dtype, elements, values }, k) => {
    const [first] = values;
    const { name: alone, shape } = program.values[first!]!;
    const own = values.length === 1 ? alone : `buffer_${k + 1}`;
    for (const id of values) holder.set(id, own);
    const names = values.map((id) => program.values[id]!.name);
    if (values.length === 1) allocate(own, dtype, shape);
    else
      allocate(
        own,
        dtype,
        [elements],
        `  // ${names.slice(0, 6).join(', ')}${names.length > 6 ? ` and ${names.length - 6} more` : ''}`,
      );
  });
  for (const [id, shape] of outputs) allocate(program.values[id]!.name, program.values[id]!.dtype, shape);
  writer.line('auto stream = at::cuda::getCurrentCUDAStream();');
  for (const { name, sharedBytes = 0 } of new Map(kernels.map((own) => [own.name, own])).values())
    if (sharedBytes > STATIC_SHARED)
      writer.line(
        `cudaFuncSetAttribute(${name}, cudaFuncAttributeMaxDynamicSharedMemorySize, ${sharedBytes});  // beyond 48 KiB a kernel must ask`,
      );
  const waiting = new Map(kernels.map((own) => [own.name, own])).values();
  for (const { name, block, sharedBytes = 0, together = 0 } of waiting)
    if (together > 0) {
      writer.line(`int ${name}_blocks = 0;`);
      writer.line(`cudaOccupancyMaxActiveBlocksPerMultiprocessor(&${name}_blocks, ${name}, ${block}, ${sharedBytes});`);
      writer.line(
        `TORCH_CHECK(${name}_blocks * at::cuda::getCurrentDeviceProperties()->multiProcessorCount >= ${together}, "${name}: ${together} blocks wait for each other, and this GPU does not hold so many at once");`,
      );
    }
  kernels.forEach((kernel, index) => {
    const scratch = (kernel.scratch ?? []).map((own) => ({ ...own, name: `${kernel.name}_${own.name}_${index + 1}` }));
    for (const { name: own, type, elements, zero } of scratch)
      writer.line(
        `auto ${own} = torch::${zero ? 'zeros' : 'empty'}({${elements}}, torch::dtype(${SCRATCH[type]}).device(${device}.device()));`,
      );
    writer.line(launch({ ...kernel, scratch }, program, holder));
  });
  const results = program.outputs.map((output) => program.values[output.value]!.name);
  writer.line(results.length === 1 ? `return ${results[0]};` : `return {${results.join(', ')}};`);
  writer.close();
  return writer.toString();
}

const SCRATCH = { int: 'torch::kInt32', float: 'torch::kFloat32' } as const;

/** `holder`: the buffer that a value lies in, where that is not one of its own name. */
function launch(kernel: Kernel, program: Program, holder: ReadonlyMap<number, string>): string {
  const [x, y, z] = kernel.grid;
  const grid = y === 1 && z === 1 ? `${x}` : `dim3(${x}, ${y}, ${z})`;
  const pointers = kernel.pointers.map((id, k) => {
    const value = program.values[id]!;
    const { host, type } = storage[value.dtype];
    const offset = kernel.offsets?.[k] ? ` + ${kernel.offsets[k]}` : '';
    const pointer = `${holder.get(id) ?? value.name}.data_ptr<${host}>()${offset}`;
    if (type === host) return pointer;
    const constness = kernel.writes.includes(id) ? '' : 'const ';
    return `reinterpret_cast<${constness}${type}*>(${pointer})`;
  });
  const scratch = (kernel.scratch ?? []).map(({ name, type }) => `${name}.data_ptr<${type}>()`);
  return `${kernel.name}<<<${grid}, ${kernel.block}, ${kernel.sharedBytes ?? 0}, stream>>>(${[...pointers, ...scratch].join(', ')});`;
}
