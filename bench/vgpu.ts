/**
 * How fast the virtual GPU is: thread-instructions a second of six kernels, by executor, unchecked and checked, beside
 * the same computation in plain C++ (g++ -O2). Times are CPU time, the least of several repeats, so that other work on the
 * machine disturbs little.
 *
 *     node --import tsx bench/vgpu.ts [kernel ...]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dim3, Executor } from '../src/vgpu/index.ts';
import { VirtualGpu } from '../src/vgpu/index.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from '../src/vgpu/nvcc-testing.ts';
import { CPP, CUDA } from './vgpu-kernels.ts';

interface Bench {
  readonly name: string;
  readonly kernel: string;
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly arguments: (gpu: VirtualGpu) => Uint8Array[];
}

const random = (count: number): Float32Array => {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
};

function input(gpu: VirtualGpu, count: number): Uint8Array {
  const pointer = gpu.allocate(4 * count);
  gpu.write(pointer, bytesOf(random(count)));
  return arg.pointer(pointer);
}

const output = (gpu: VirtualGpu, count: number): Uint8Array => arg.pointer(gpu.allocate(4 * count));

const N = 1 << 22;
const BENCHES: readonly Bench[] = [
  {
    name: 'saxpy 4M',
    kernel: 'saxpy',
    grid: [N / 256, 1, 1],
    block: [256, 1, 1],
    arguments: (gpu) => [arg.i32(N), arg.f32(2), input(gpu, N), input(gpu, N)],
  },
  {
    name: 'sgemm 512^3, 16x16 tiles',
    kernel: 'sgemm16',
    grid: [32, 32, 1],
    block: [16, 16, 1],
    arguments: (gpu) => [input(gpu, 1 << 18), input(gpu, 1 << 18), output(gpu, 1 << 18), arg.i32(512)],
  },
  {
    name: 'sgemm 512^3, 64x64 tiles',
    kernel: 'sgemm64',
    grid: [8, 8, 1],
    block: [16, 16, 1],
    arguments: (gpu) => [input(gpu, 1 << 18), input(gpu, 1 << 18), output(gpu, 1 << 18), arg.i32(512)],
  },
  {
    name: 'reduce 4M, shuffles',
    kernel: 'reduce',
    grid: [256, 1, 1],
    block: [256, 1, 1],
    arguments: (gpu) => [input(gpu, N), output(gpu, 256), arg.i32(N)],
  },
  {
    name: 'softmax 1024 x 1024',
    kernel: 'softmax',
    grid: [1024, 1, 1],
    block: [256, 1, 1],
    arguments: (gpu) => [input(gpu, 1 << 20), output(gpu, 1 << 20), arg.i32(1024)],
  },
  {
    name: 'mandelbrot 1024 x 1024',
    kernel: 'mandel',
    grid: [64, 64, 1],
    block: [16, 16, 1],
    arguments: (gpu) => [output(gpu, 1 << 20), arg.i32(1024), arg.i32(1024), arg.i32(256)],
  },
];

interface Timing {
  readonly first: number;
  readonly best: number;
  readonly instructions: number;
}

/** CPU milliseconds of the first launch and of the best of `repeats` more. */
function measure(
  ptx: string,
  bench: Bench,
  executor: Executor,
  checked: boolean,
  repeats: number,
  blocks?: number[],
): Timing {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 28 });
  const module = gpu.load(ptx, { name: 'bench' });
  const args = bench.arguments(gpu);
  const launch = (): { ms: number; instructions: number } => {
    const start = process.cpuUsage();
    const report = gpu.launch(module, bench.kernel, {
      grid: bench.grid,
      block: bench.block,
      arguments: args,
      executor,
      checked,
      blocks,
    });
    const used = process.cpuUsage(start);
    if (report.findings.length > 0) throw new Error(`${bench.name}: ${report.findings[0]!.message}`);
    return { ms: (used.user + used.system) / 1000, instructions: report.threadInstructions };
  };
  const first = launch();
  let best = first.ms;
  for (let repeat = 0; repeat < repeats; repeat++) best = Math.min(best, launch().ms);
  return { first: first.ms, best, instructions: first.instructions };
}

/** CPU milliseconds of plain C++ loops by kernel name; empty without g++. */
function native(): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-bench-'));
  try {
    const source = join(folder, 'plain.cpp');
    writeFileSync(source, CPP);
    execFileSync('g++', ['-O2', source, '-o', join(folder, 'plain')], { stdio: 'pipe' });
    const lines = execFileSync(join(folder, 'plain'), { encoding: 'utf8' }).trim().split('\n');
    return new Map(lines.map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]));
  } catch {
    return new Map();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const skip = skipWithoutNvcc();
if (skip) throw new Error(`${skip}: the kernels of this benchmark are CUDA source.`);
const ptx = compileCuda(CUDA);
const plain = native();
const wanted = process.argv.slice(2);
const rate = (timing: Timing): string => (timing.instructions / timing.best / 1e6).toFixed(2);
const pad = (text: string, width: number): string => text.padStart(width);
console.log(
  'G thread-instructions a second (CPU time, one core); first launch and best in ms; C++ is g++ -O2 on one core.',
);
console.log(
  `${'kernel'.padEnd(26)}${['simd', 'simd checked', 'scalar', 'scalar chk', 'interpreter', 'first/best ms', 'C++ ms', 'simd chk/C++'].map((head) => pad(head, 14)).join('')}`,
);
const logs = { simd: 0, checked: 0, count: 0 };
for (const bench of BENCHES) {
  if (wanted.length > 0 && !wanted.includes(bench.kernel)) continue;
  const simd = measure(ptx, bench, 'simd', false, 8);
  const simdChecked = measure(ptx, bench, 'simd', true, 8);
  const scalar = measure(ptx, bench, 'scalar', false, 2);
  const scalarChecked = measure(ptx, bench, 'scalar', true, 2);
  // The interpreter runs a few blocks of the same launch.
  const interpreted = measure(ptx, bench, 'interpreter', true, 0, [0, 1]);
  const cpp = plain.get(bench.kernel);
  logs.simd += Math.log(simd.instructions / simd.best / 1e6);
  logs.checked += Math.log(simdChecked.instructions / simdChecked.best / 1e6);
  logs.count++;
  const cells = [
    rate(simd),
    rate(simdChecked),
    rate(scalar),
    rate(scalarChecked),
    rate(interpreted),
    `${simdChecked.first.toFixed(0)}/${simdChecked.best.toFixed(1)}`,
    cpp?.toFixed(1) ?? '-',
    cpp ? (simdChecked.best / cpp).toFixed(1) : '-',
  ];
  console.log(`${bench.name.padEnd(26)}${cells.map((cell) => pad(cell, 14)).join('')}`);
}
if (logs.count > 0)
  console.log(
    `geometric mean: simd ${Math.exp(logs.simd / logs.count).toFixed(2)} G/s, checked ${Math.exp(logs.checked / logs.count).toFixed(2)} G/s`,
  );
console.log('Races: not measured here; `races: true` also runs compiled.');
