/** Walls and limits hold: a program behind them tries to get past each. What it tries is possible from here, or the test would prove nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemProgram } from './bubblewrap.ts';
import { type Kept, standingEnclosure } from './enclosure.ts';
import type { ResourceLimits } from './limits.ts';
import { memoryLimitKiB, type NodeChild, startNodeChild } from './node-child.ts';
import type { Told } from './prisoner.fixture.ts';
import { programFiles } from './program-files.ts';

const program = fileURLToPath(new URL('./prisoner.fixture.ts', import.meta.url));

/** What a process was started with; nothing, where it is gone. */
function commandOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const roomy: ResourceLimits = { cpuSeconds: 60, dataKiB: memoryLimitKiB(2 ** 22), fileKiB: 0, processes: 256 };

const enclosure = await standingEnclosure();
/** Why a test of something that the wall keeps a program from does not run here. */
const unless = (kept: Kept) =>
  enclosure.keepsFrom.includes(kept) ? false : `the walls that stand here (${enclosure.name}) do not keep it from that`;

describe('a program behind the wall', () => {
  const folder = mkdtempSync(join(tmpdir(), 'assay-wall-'));
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'mine', { mode: 0o644 });
  const children: NodeChild[] = [];
  after(() => {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true });
  });

  const start = async (limits: Partial<ResourceLimits> = {}): Promise<NodeChild> => {
    const child = await startNodeChild({ program, limits: { ...roomy, ...limits }, environment: { GIVEN: 'yes' } });
    children.push(child);
    return child;
  };
  /** What it says; or how it ended. */
  const tell = (child: NodeChild, told: Told) =>
    new Promise<{ done?: unknown; failed?: string; ended?: string }>((resolve) => {
      const timer = setTimeout(() => resolve({ ended: 'no answer' }), 60_000);
      const settle = (said: object) => {
        clearTimeout(timer);
        resolve(said);
      };
      child.listen({ message: (said) => settle(said as object), ended: (why) => settle({ ended: why ?? 'it ended' }) });
      child.channel.send(told);
    });
  let kept: Promise<NodeChild> | undefined;
  const attempt = async (told: Told) => {
    kept ??= start();
    return tell(await kept, told);
  };

  test('has the variables that it was given, and no others', async () => {
    process.env.ASSAY_WALL_SECRET = 'hidden';
    const { done } = await attempt({ attempt: 'environment' });
    delete process.env.ASSAY_WALL_SECRET;
    assert.deepEqual(new Set(String(done).split(' ').filter(Boolean)), new Set(['GIVEN', 'GIVEN=yes']));
  });

  test('reaches no network', { skip: unless('network') }, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const said = await attempt({ attempt: 'connect', of: port });
    server.close();
    assert.match(said.failed ?? JSON.stringify(said), /ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL/);
  });

  test("reads nobody's files", { skip: unless('files') }, async () => {
    assert.equal(readFileSync(secret, 'utf8'), 'mine');
    assert.deepEqual(await attempt({ attempt: 'read', of: secret }), { failed: 'ENOENT' });
    for (const path of ['/etc/passwd', join(homedir(), '.profile')]) {
      assert.match((await attempt({ attempt: 'read', of: path })).failed ?? 'it was read', /ENOENT|EACCES/, path);
    }
    const said = await attempt({ attempt: 'list', of: homedir() });
    // Of the home no more than the way to the program itself.
    const own = [...programFiles(), program].map((path) => relative(homedir(), path).split('/')[0]);
    for (const name of (said.done as string[] | undefined) ?? []) assert.ok(own.includes(name), `it sees ${name}`);
  });

  test('writes nowhere', { skip: unless('files') }, async () => {
    const places = [folder, homedir(), '/tmp', '/dev/shm', '/usr', '/', fileURLToPath(new URL('.', import.meta.url))];
    for (const place of places) {
      const path = join(place, 'assay-was-here');
      const said = await attempt({ attempt: 'write', of: path });
      assert.match(said.failed ?? 'it was written', /ENOENT|EACCES|EROFS|EFBIG/, place);
      assert.throws(() => readFileSync(path), { code: 'ENOENT' }, place);
    }
  });

  test('has no other process to signal', { skip: unless('processes') }, async () => {
    assert.equal(process.kill(process.pid, 0), true);
    assert.deepEqual(await attempt({ attempt: 'signal', of: process.pid }), { failed: 'ESRCH' });
  });

  test('is another user', { skip: unless('user') }, async () => {
    const { done } = await attempt({ attempt: 'user' });
    assert.ok(Number(done) >= 61_184 && Number(done) <= 65_519, `it is user ${done}`);
  });

  test('starts so many processes, and no more', {
    skip: enclosure.countsProcesses ? false : 'nobody counts them here',
  }, async () => {
    const { done } = await attempt({ attempt: 'processes', of: 1000 });
    assert.ok(Number(done) > 0 && Number(done) < 256, `it started ${done} processes`);
  });

  test('reserves what WebAssembly needs, and uses no more memory than it may', {
    skip: process.platform !== 'linux' && 'Linux alone limits it',
  }, async () => {
    const child = await start({ dataKiB: 2 ** 20 });
    assert.deepEqual(await tell(child, { attempt: 'reserve', of: 65_536 }), { done: 65_536 });
    assert.deepEqual(await tell(child, { attempt: 'allocate', of: 2 ** 28 }), { done: 2 ** 28 });
    const said = await tell(child, { attempt: 'allocate', of: 2 ** 30 });
    assert.notEqual(said.done, 2 ** 30, 'it has a gibibyte more than it may');
  });

  test('does not begin an answer for a parent that is gone', async () => {
    const child = await start();
    const ended = once(child.process, 'exit');
    child.process.ref();
    child.channel.send({ attempt: 'spin' } satisfies Told);
    (child.process.stdio[3] as Duplex).end();
    assert.deepEqual(await ended, [0, null]);
  });

  test('leaves nothing when it is killed while it starts', {
    skip: process.platform !== 'linux' && 'Linux alone tells what runs',
  }, async () => {
    const mark = `started-and-killed-${process.pid}`;
    for (let k = 0; k < 24; k++) {
      const child = await startNodeChild({ program, limits: roomy, parameters: [mark] });
      const exit = once(child.process, 'exit');
      child.process.ref();
      await pause(k / 4);
      child.kill();
      await exit;
    }
    const left = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name).includes(mark));
    for (let k = 0; k < 50 && left().length > 0; k++) await pause(100);
    assert.deepEqual(left(), []);
  });

  test('is ended when its processor time is over', async () => {
    const child = await start({ cpuSeconds: 2 });
    const began = performance.now();
    assert.deepEqual(await tell(child, { attempt: 'spin' }), { ended: 'it ended' });
    assert.ok(performance.now() - began < 50_000, 'it ended because of that');
  });

  test('has the same walls whatever our environment says', () => {
    const before = systemProgram('bwrap');
    const path = process.env.PATH;
    process.env.PATH = '/nonexistent';
    const now = systemProgram('bwrap');
    process.env.PATH = path;
    assert.equal(now, before);
  });
});
