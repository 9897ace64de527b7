/** What a model is told of the task and the GPU: the signature that a candidate must have, the graph, the arithmetic allowed, the floor. */
import { graphText, type PrecisionPolicy, signatureText, specText, type Task } from '../../task/index.ts';
import type { GpuTarget } from '../../vgpu/index.ts';
import type { Setting } from '../ports.ts';
import { asData } from './data.ts';

const arithmetic: Readonly<Record<PrecisionPolicy, string>> = {
  fp32: 'IEEE float32. Tensor cores that read operands as tf32, bf16 or fp16 lose too much and will be rejected (a product split into several tf32 or bf16 products that together keep float32 accuracy is fine).',
  tf32: 'float32, and tensor cores may read operands as tf32 with sums in float32.',
  fp16: 'tensors are float16; sums and intermediate results in float32; tensor cores may be used.',
  bf16: 'tensors are bfloat16; sums and intermediate results in float32; tensor cores may be used.',
};

/** Everything that stays the same over a run. */
export function taskBrief({ task, full, target, floor }: Pick<Setting, 'task' | 'full' | 'target' | 'floor'>): string {
  const { signature, graph } = task;
  const tensors = signature.tensors.map(
    ({ name, role, spec }) => `- ${name.replaceAll('.', '_')}: ${role}, ${specText(spec)}`,
  );
  const scalars = signature.scalars.map(
    ({ name, value }) => `- ${name} = ${JSON.stringify(value)} (a parameter of this name gets it)`,
  );
  return [
    'The host function that you must write, with what it is given:',
    asData('signature', [signatureText(task), ...tensors, ...scalars].join('\n')),
    `It returns ${signature.outputs.map(specText).join(', ')}. All tensors are contiguous, in row-major order${full ? '' : '; shapes are always these'}.`,
    ...(full ? [otherShapes(full)] : []),
    '',
    `Arithmetic: ${arithmetic[task.precision]}`,
    '',
    'The task as operators:',
    asData('graph', graphText(graph).join('\n')),
    '',
    `The PyTorch file that it was traced from${task.mode === 'eval' ? ', in evaluation mode (`model.eval()`)' : ''}:`,
    asData('task-file', task.source),
    '',
    `The GPU: ${gpuWords(target)}`,
    `No kernel can take less than ${micro(floor.microseconds)} here (the floor: ${floor.limitedBy}).`,
  ].join('\n');
}

/** A task that was scaled is judged at one size and timed at another: one candidate for both. */
function otherShapes({ signature }: Task): string {
  const tensors = signature.tensors.map(({ name, spec }) => `${name.replaceAll('.', '_')} ${specText(spec)}`);
  return (
    'It is judged at these shapes, and its time is that at the shapes of the file: ' +
    `${tensors.join(', ')}. So take sizes from the tensors (x.size(0)), pass them to the kernels, and choose tiles for the larger ones.`
  );
}

/** A time for a prompt: four digits, microseconds. */
export function micro(microseconds: number): string {
  return `${Number(microseconds.toPrecision(4))} us`;
}

function gpuWords(gpu: GpuTarget): string {
  const tera = (rate: number) => `${Number((rate / 1e12).toPrecision(3))}`;
  const { flops } = gpu;
  return (
    `${gpu.name} (${gpu.arch}), ${gpu.sms} multiprocessors at ${Number((gpu.clockHz / 1e9).toPrecision(3))} GHz; memory ${tera(gpu.memoryBandwidth)} TB/s, ` +
    `L2 ${Math.round(gpu.l2Bytes / 2 ** 20)} MiB at ${tera(gpu.l2Bandwidth)} TB/s; ${Math.round(gpu.sharedBytesPerBlock / 1024)} KiB of shared memory a block ` +
    `(over 48 KiB needs cudaFuncSetAttribute), ${Math.round(gpu.sharedBytesPerSm / 1024)} KiB and ${gpu.registersPerSm} registers a multiprocessor; ` +
    `dense TFLOP/s: fp32 ${tera(flops.fp32)}, tf32 ${tera(flops.tf32)}, fp16 ${tera(flops.fp16)}, bf16 ${tera(flops.bf16)}. ` +
    `A launch takes ${micro(1e6 * gpu.launchSeconds)} beyond its work.`
  );
}
