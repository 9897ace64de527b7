/** The device rooms' own tests, which know whether there is a GPU. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Stage } from './place.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = ['driver/header', 'known-devices', 'kernels/own-kernels', 'timing/session', 'cuda-device'];

export const testsStage: Stage = {
  name: 'tests',
  purpose: 'the tests of the device rooms on this machine',
  run: async () => {
    const paths = files.map((file) => `src/device/cuda/${file}.test.ts`);
    const { status, stdout } = spawnSync(process.execPath, ['scripts/test.mjs', ...paths], {
      cwd: root,
      encoding: 'utf8',
    });
    return { passed: status === 0, content: { output: stdout }, words: stdout.trim().split('\n').slice(-1).join('') };
  },
};
