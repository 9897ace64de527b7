/** A program behind the wall that tries what its parent tells it to, and says what became of it. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { answerParent } from './node-child.ts';

/** What it can be told; `of` is a path, a port, a number of a process or of bytes. */
export type Attempt =
  | 'environment'
  | 'connect'
  | 'read'
  | 'write'
  | 'list'
  | 'signal'
  | 'user'
  | 'processes'
  | 'reserve'
  | 'allocate'
  | 'spin';

export interface Told {
  readonly attempt: Attempt;
  readonly of?: string | number;
}

/** TypeScript's library knows it as a browser's only. */
const wasm = (globalThis as unknown as { WebAssembly: { Memory: new (of: object) => { buffer: ArrayBuffer } } })
  .WebAssembly;

const attempts: Readonly<Record<Attempt, (of: string | number) => unknown>> = {
  environment: () => [...Object.keys(process.env), ...readFileSync('/proc/self/environ', 'utf8').split('\0')].join(' '),
  connect: (port) =>
    new Promise((resolve, reject) => {
      connect(Number(port), '127.0.0.1')
        .once('connect', () => resolve('connected'))
        .once('error', reject);
    }),
  read: (path) => readFileSync(String(path), 'utf8'),
  write: (path) => writeFileSync(String(path), 'x'),
  list: (path) => readdirSync(String(path)),
  signal: (number) => process.kill(Number(number), 0),
  user: () => process.geteuid?.(),
  processes: async (most) => {
    let started = 0;
    for (; started < Number(most); started++) {
      const child = spawn('/bin/sh', ['-c', 'read x'], { stdio: ['pipe', 'ignore', 'ignore'] });
      child.on('error', () => undefined);
      if (child.pid === undefined) break;
    }
    return started;
  },
  reserve: (pages) => new wasm.Memory({ initial: 1, maximum: Number(pages) }).buffer.byteLength,
  allocate: (bytes) => Buffer.alloc(Number(bytes), 1).length,
  spin: () => {
    for (;;);
  },
};

answerParent(async (message) => {
  const { attempt, of = '' } = message as Told;
  try {
    return { done: await attempts[attempt](of) };
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
});
