/** The tables of functions, constants and errors against an installed cuda.h: what is called must be what NVIDIA declares. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findToolchain } from '../../../kernel/index.ts';
import { cudaErrors } from './errors.ts';
import { constants, cudaFunctions, type ParameterKind } from './functions.ts';

const root = (await findToolchain())?.root;
const header = ['include', 'targets/x86_64-linux/include']
  .map((folder) => join(root ?? '/nowhere', folder, 'cuda.h'))
  .find((file) => existsSync(file));
const skip = header ? false : 'cuda.h is not installed';

/** How a parameter of cuda.h is passed. */
function kindOf(declaration: string): ParameterKind {
  const type = declaration
    .replace(/\bconst\b/g, '')
    .replace(/\b\w+$/, '')
    .trim();
  if (/^char \*$/.test(type)) return /\bconst\b/.test(declaration) ? 'text' : 'host';
  if (/\*|\[/.test(declaration)) return 'host';
  if (/^(CUdeviceptr|size_t|unsigned long long|cuuint64_t)$/.test(type)) return 'u64';
  if (/^(CUcontext|CUmodule|CUfunction|CUstream|CUevent|CUgraph|CUgraphExec)$/.test(type)) return 'u64';
  if (/^(unsigned (int|char|short)|CUdeviceptr_v1)$/.test(type)) return 'u32';
  if (/^(int|CUdevice|CUresult|CUlimit|CUdevice_attribute|CUfunction_attribute|CUstreamCaptureMode)$/.test(type))
    return 'i32';
  throw new Error(`a parameter of a type that is not known here: ${declaration}`);
}

/** Kinds of each declaration of an exported name: as it stands, and under the names that macros turn into it. */
function declarations(text: string, name: string): ParameterKind[][] {
  const renamed = [...text.matchAll(new RegExp(`#define (\\w+)\\s+(?:__CUDA_API_PT\\w+\\()?${name}\\b`, 'g'))];
  const names = [name, ...renamed.map(([, each]) => each)].join('|');
  const pattern = new RegExp(`CUresult CUDAAPI (?:${names})\\(([^)]*)\\)`, 'g');
  return [...text.matchAll(pattern)].map(([, list]) => {
    const parameters = list!.split(',').map((each) => each.trim());
    return parameters.filter((each) => each !== '' && each !== 'void').map(kindOf);
  });
}

/** Host memory that the driver reads later is passed by its address: asynchronous copies. */
const same = (ours: ParameterKind, theirs: ParameterKind): boolean =>
  ours === theirs || (ours === 'u64' && theirs === 'host');

describe('the tables of the driver', { skip }, () => {
  const text = header ? readFileSync(header, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '') : '';

  for (const [name, kinds] of Object.entries(cudaFunctions)) {
    it(`declare ${name} as cuda.h does`, () => {
      const found = declarations(text, name);
      const fits = found.some((each) => each.length === kinds.length && each.every((kind, i) => same(kinds[i]!, kind)));
      assert.ok(fits, `${name}: ours ${kinds.join(', ')}; cuda.h ${JSON.stringify(found)}`);
    });
  }

  it('have its error codes', () => {
    for (const [code, { name }] of Object.entries(cudaErrors)) {
      assert.match(text, new RegExp(`CUDA_ERROR_${name}\\s*=\\s*${code}\\b`), `${name} = ${code}`);
    }
  });

  it('have its numbers', () => {
    const names: Readonly<Record<keyof typeof constants, string>> = {
      STREAM_NON_BLOCKING: 'CU_STREAM_NON_BLOCKING',
      EVENT_DEFAULT: 'CU_EVENT_DEFAULT',
      CTX_SCHED_SPIN: 'CU_CTX_SCHED_SPIN',
      LIMIT_PRINTF_FIFO_SIZE: 'CU_LIMIT_PRINTF_FIFO_SIZE',
      LIMIT_PERSISTING_L2_CACHE_SIZE: 'CU_LIMIT_PERSISTING_L2_CACHE_SIZE',
      CAPTURE_THREAD_LOCAL: 'CU_STREAM_CAPTURE_MODE_THREAD_LOCAL',
      FUNC_MAX_DYNAMIC_SHARED: 'CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES',
      FUNC_NON_PORTABLE_CLUSTER: 'CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED',
      LAUNCH_COOPERATIVE: 'CU_LAUNCH_ATTRIBUTE_COOPERATIVE',
      LAUNCH_CLUSTER_DIMENSION: 'CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION',
      JIT_ERROR_LOG_BUFFER: 'CU_JIT_ERROR_LOG_BUFFER',
      JIT_ERROR_LOG_BUFFER_SIZE: 'CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES',
      DEVICE_MULTIPROCESSORS: 'CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT',
      DEVICE_L2_BYTES: 'CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE',
      DEVICE_CAPABILITY_MAJOR: 'CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR',
      DEVICE_CAPABILITY_MINOR: 'CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR',
    };
    for (const [ours, theirs] of Object.entries(names)) {
      const [, value] = new RegExp(`\\b${theirs}\\s*=\\s*(0x[0-9a-f]+|\\d+)`).exec(text) ?? [];
      assert.equal(Number(value), constants[ours as keyof typeof constants], theirs);
    }
  });
});
