/** The candidate's file: device functions, kernels, the host function that allocates and launches, the binding. */
import type { Signature } from '../../../../task/index.ts';
import type { Program } from '../program.ts';
import { storage } from '../scalar.ts';
import { product } from '../strides.ts';
import type { Kernel, Preamble } from './kernel-context.ts';
import { CodeWriter } from './writer.ts';

/** CUDA C++ in the form of a PyTorch extension. `about` is the comment at its head. */
export function candidateSource(
  program: Program,
  signature: Signature,
  kernels: readonly Kernel[],
  preamble: Preamble,
  about: readonly string[],
): string {
  const device = `${preamble.toString()}${kernels.map((kernel) => kernel.text).join('\n')}`;
  const includes = ['#include <torch/extension.h>', '#include <ATen/cuda/CUDAContext.h>', '#include <cuda_runtime.h>'];
  if (device.includes('__half')) includes.push('#include <cuda_fp16.h>');
  if (device.includes('__nv_bfloat16')) includes.push('#include <cuda_bf16.h>');
  if (device.includes('_t')) includes.push('#include <cstdint>');
  return [
    about.map((line) => `// ${line}`.trimEnd()).join('\n'),
    '',
    ...includes,
    '',
    `${device.trimEnd()}`,
    '',
    hostFunction(program, signature, kernels).trimEnd(),
    '',
    'PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {',
    `  m.def("${entryOf(signature)}", &${entryOf(signature)});`,
    '}',
    '',
  ].join('\n');
}

/** The name that the judge looks for. */
const entryOf = (signature: Signature): string => signature.entry ?? 'forward';

function hostFunction(program: Program, signature: Signature, kernels: readonly Kernel[]): string {
  const writer = new CodeWriter();
  const argumentsOf = program.arguments.map((id) => program.values[id]!);
  const result = program.outputs.length === 1 ? 'torch::Tensor' : 'std::vector<torch::Tensor>';
  const parameters = argumentsOf.map((value) => `torch::Tensor ${value.name}`).join(', ');
  const used = new Set(kernels.flatMap((kernel) => kernel.pointers));
  writer.open(`${result} ${entryOf(signature)}(${parameters}) {`);
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
  for (const id of kernels.flatMap((kernel) => kernel.writes)) {
    const value = program.values[id]!;
    const shape = outputs.get(id) ?? value.shape;
    writer.line(
      `auto ${value.name} = torch::empty({${shape.join(', ')}}, torch::dtype(${storage[value.dtype].scalarType}).device(${device}.device()));`,
    );
  }
  writer.line('auto stream = at::cuda::getCurrentCUDAStream();');
  for (const kernel of kernels) {
    const [x, y, z] = kernel.grid;
    const grid = y === 1 && z === 1 ? `${x}` : `dim3(${x}, ${y}, ${z})`;
    const pointers = kernel.pointers.map((id) => {
      const value = program.values[id]!;
      const { host, type } = storage[value.dtype];
      const pointer = `${value.name}.data_ptr<${host}>()`;
      if (type === host) return pointer;
      const constness = kernel.writes.includes(id) ? '' : 'const ';
      return `reinterpret_cast<${constness}${type}*>(${pointer})`;
    });
    writer.line(`${kernel.name}<<<${grid}, ${kernel.block}, 0, stream>>>(${pointers.join(', ')});`);
  }
  const results = program.outputs.map((output) => program.values[output.value]!.name);
  writer.line(results.length === 1 ? `return ${results[0]};` : `return {${results.join(', ')}};`);
  writer.close();
  return writer.toString();
}
