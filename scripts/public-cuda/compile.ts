/** One file of a public collection to PTX: nvcc's device pass, cached by content in the home folder. Nothing is executed. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface CompileRequest {
  /** The file, as an absolute path. */
  readonly file: string;
  /** Text after the file's own: what makes templates and static kernels come out. */
  readonly append?: string;
  readonly includeFolders: readonly string[];
  readonly flags?: readonly string[];
  /** Where PTX and messages are kept. */
  readonly cache: string;
}

export type Compiled = { readonly ptx: string } | { readonly error: string };

/** Architectures to try; the second where the first lacks something. */
const ARCHITECTURES = ['sm_80', 'sm_90'] as const;

/** What nvcc's message must hold to be worth another try, and with what. */
const RETRIES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/separate compilation mode/, ['-rdc=true']],
  [/lambda/, ['--extended-lambda']],
  [/constexpr/, ['--expt-relaxed-constexpr']],
];

/** PTX with line information, or nvcc's first complaint. */
export async function compileFile(request: CompileRequest): Promise<Compiled> {
  const key = createHash('sha256')
    .update(JSON.stringify([3, request.file, request.append, request.flags, request.includeFolders]))
    .update(readFileSync(request.file))
    .digest('hex');
  const stored = join(request.cache, key);
  if (existsSync(`${stored}.ptx`)) return { ptx: readFileSync(`${stored}.ptx`, 'utf8') };
  mkdirSync(request.cache, { recursive: true });
  // The text is included, not copied, so that what it includes by relative names is found.
  const input = `${stored}.cu`;
  writeFileSync(input, `#include "${request.file}"\n${request.append ?? ''}\n`);
  let flags = [...(request.flags ?? [])];
  let error = '';
  try {
    for (const arch of ARCHITECTURES) {
      error = await attempt(request, input, stored, [`-arch=${arch}`, ...flags]);
      const retry = RETRIES.find(([pattern]) => pattern.test(error));
      if (error !== '' && retry) {
        flags = [...flags, ...retry[1]];
        error = await attempt(request, input, stored, [`-arch=${arch}`, ...flags]);
      }
      if (error === '') return { ptx: readFileSync(`${stored}.ptx`, 'utf8') };
      if (!/sm_\d\d|__CUDA_ARCH__/.test(error)) break;
    }
  } finally {
    rmSync(input, { force: true });
  }
  return { error };
}

async function attempt(
  { file, includeFolders }: CompileRequest,
  input: string,
  stored: string,
  flags: readonly string[],
): Promise<string> {
  const partial = `${stored}.${randomUUID()}.ptx`;
  const folders = [dirname(file), ...includeFolders].map((folder) => `-I${folder}`);
  const command = ['-ptx', '-O3', '-lineinfo', '-std=c++17', '-w', ...flags, ...folders, input, '-o', partial];
  const message = await new Promise<string>((resolve) => {
    execFile('nvcc', command, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve(error === null ? '' : firstError(`${stderr}\n${stdout}`) || `${basename(file)}: ${error.message}`);
    });
  });
  if (message === '') renameSync(partial, `${stored}.ptx`);
  else rmSync(partial, { force: true });
  return message;
}

function firstError(output: string): string {
  const line = output.split('\n').find((each) => /error|fatal/.test(each)) ?? '';
  return line.replace(/^.*?(fatal error|error)[^:]*:\s*/, '').trim();
}
