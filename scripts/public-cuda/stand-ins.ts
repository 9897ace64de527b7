/**
 * Headers of host libraries (cuBLAS, cuFFT, NCCL, MPI ...) that a machine without them needs to parse other people's files.
 * They call those libraries from host code only, which is parsed and never compiled to PTX nor run. A stand-in declares
 * every name of the library that the collection mentions: types as numbers, functions as templates that take anything,
 * the rest as constants. Device libraries (cuRAND's generators) have none: what needs them does not count as compiling.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface HostLibrary {
  readonly headers: readonly string[];
  /** Names that belong to the library. */
  readonly names: RegExp;
  /** Names of that form that are types although they do not end in `_t`. */
  readonly types?: readonly string[];
  /** Declarations that the general rule cannot make; the names in them are left out of it. */
  readonly special?: string;
  /** Names of that form which the collections define themselves. */
  readonly theirs?: RegExp;
}

const LIBRARIES: readonly HostLibrary[] = [
  {
    headers: ['cublas_v2.h', 'cublasLt.h'],
    names: /\b(?:cublas[A-Z]\w*|CUBLAS(?:LT)?_\w+)\b/g,
    special:
      '#include <stdint.h>\n#include <cuda_fp16.h>\n#include <cuda_bf16.h>\nstruct cublasLtMatmulHeuristicResult_t { int algo; };',
    theirs: /^cublasCheck$|^CUBLAS_LOWP|^CUBLAS_CHECK/,
  },
  {
    headers: ['nccl.h'],
    names: /\bnccl[A-Z]\w*\b/g,
    types: ['ncclComm_t', 'ncclUniqueId', 'ncclDataType_t', 'ncclResult_t'],
    theirs: /^nccl(Check|FloatX|FloatN)$/,
    special: 'template <class... A> const char* ncclGetErrorString(A...);',
  },
  { headers: ['mpi.h'], names: /\bMPI_\w+\b/g, types: ['MPI_Status', 'MPI_Comm'], theirs: /^MPI_CHECK$/ },
  {
    headers: ['cufft.h', 'cufftXt.h'],
    names: /\b(?:cufft[A-Z]\w*|CUFFT_\w+|cudaLibXtDesc)\b/g,
    types: ['cufftHandle', 'cufftResult', 'cufftType', 'cufftXtSubFormat', 'cufftXtCopyType'],
    special: [
      'typedef float cufftReal; typedef double cufftDoubleReal; typedef float2 cufftComplex; typedef double2 cufftDoubleComplex;',
      'struct cudaXtDesc { int version, nGPUs, GPUs[64]; void* data[64]; size_t size[64]; void* cudaXtState; };',
      'struct cudaLibXtDesc { int version; cudaXtDesc* descriptor; int library, subFormat; void* libDescriptor; };',
      'typedef cufftComplex (*cufftCallbackLoadC)(void*, size_t, void*, void*);',
      'typedef void (*cufftCallbackStoreC)(void*, size_t, cufftComplex, void*, void*);',
      'typedef cufftReal (*cufftCallbackLoadR)(void*, size_t, void*, void*);',
    ].join('\n'),
  },
  {
    headers: ['cusparse.h', 'curand.h'],
    names: /\b(?:cusparse[A-Z]\w*|CUSPARSE_\w+|curandGenerator_t|curandCreateGenerator|CURAND_\w+)\b/g,
  },
];

/** Writes the stand-ins for a collection into a folder and returns it. */
export function writeStandIns(collection: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const text = readdirSync(collection, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cu|cuh|h|hpp)$/.test(name))
    .map((name) => readFileSync(join(collection, name), 'utf8'))
    .join('\n');
  for (const library of LIBRARIES) {
    const declarations = declare(library, text);
    for (const header of library.headers)
      writeFileSync(join(folder, header), `#pragma once\n#include "stand-in-${library.headers[0]}"\n`);
    writeFileSync(
      join(folder, `stand-in-${library.headers[0]}`),
      `#pragma once\n#include <stddef.h>\n${declarations}\n`,
    );
  }
  return folder;
}

function declare({ names, types = [], special = '', theirs }: HostLibrary, text: string): string {
  const lines: string[] = [];
  let constants = 0;
  for (const name of new Set(text.match(names))) {
    if (theirs?.test(name) || new RegExp(`\\b${name}\\b`).test(special)) continue;
    if (name.endsWith('_t') || types.includes(name)) lines.unshift(`typedef int ${name};`);
    else if (/[a-z]/.test(name.slice(-3)) && new RegExp(`\\b${name}\\s*\\(`).test(text))
      lines.push(`template <class... A> int ${name}(A...);`);
    else lines.push(`constexpr int ${name} = ${constants++};`);
  }
  return `${special}\n${lines.join('\n')}`;
}
