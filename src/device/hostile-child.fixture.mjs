/**
 * A child that lies to its parent in the way that the hash of the request's build names (`lie:half`), in the place of a device's own child; else it says what is
 * right of the one plan that the test has, which copies its input. Plain JavaScript that speaks to the pipe itself: it starts at once, and breaks rules that our code keeps.
 */
import { readSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';

const PIPE = 3;

const frame = (body, length = body.length) => {
  const header = Buffer.alloc(4);
  header.writeUInt32LE(length);
  return Buffer.concat([header, body]);
};
const raw = (bytes) => writeSync(PIPE, bytes);
const say = (value) => raw(frame(serialize(value)));

const call = { changedInputs: [], threadInstructions: 1, milliseconds: 1 };
const completed = (calls) => ({ status: 'completed', calls, findings: [], printed: '' });
const outputs = (bytes, written) => [{ bytes: new Uint8Array(bytes), written: new Uint8Array(written).fill(1) }];
const whole = { ...call, outputs: outputs(1200, 300) };

/** As exchange.ts packs, with bytes that the file does not hold. */
const packed = (value) => {
  if (value instanceof Uint8Array) return { bytes: [0, value.length] };
  if (Array.isArray(value)) return value.length > 1e6 ? value : value.map(packed);
  if (typeof value !== 'object' || value === null) return value;
  return { fields: Object.fromEntries(Object.entries(value).map(([key, one]) => [key, packed(one)])) };
};

/** A result, as it is or as a GPU's child wraps it. */
const claim = (id, result, cuda) =>
  say({ id, content: cuda ? packed({ ok: true, value: { result, usable: true } }) : result });

const hang = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);

/** Each lie, by its name. */
const lies = {
  garbage: () => raw(Buffer.alloc(4096, 0xa5)),
  'no clone': () => raw(frame(Buffer.alloc(300, 0x41))),
  nothing: () => raw(frame(Buffer.alloc(0))),
  half: () => {
    raw(frame(Buffer.alloc(100), 200));
    hang();
  },
  'half and gone': () => {
    raw(frame(Buffer.alloc(100), 200));
    process.exit(0);
  },
  enormous: () => raw(frame(Buffer.alloc(10), 0xffff_fff0)),
  'another id': (_, cuda) => claim('00000000-0000-0000-0000-000000000000', completed([whole]), cuda),
  'no id': () => say(completed([whole])),
  hang,
  'an endless loop': () => {
    for (;;);
  },
  gone: () => process.exit(0),
  killed: () => {
    process.kill(process.pid, 'SIGKILL');
    // Where `unshare` walls it in it is the first process of its namespace, which no SIGKILL from within ends; a trap does.
    process.abort();
  },
  thrown: () => {
    throw new Error('it broke');
  },
  'much on standard error': (id) => {
    for (let i = 0; i < 20; i++) writeSync(2, 'x'.repeat(10_000));
    say({ id, content: 7 });
  },
  'no calls': (id, cuda) => claim(id, completed(undefined), cuda),
  'a call too few': (id, cuda) => claim(id, completed([]), cuda),
  'a call too many': (id, cuda) => claim(id, completed([whole, whole]), cuda),
  'no outputs': (id, cuda) => claim(id, completed([{ ...call, outputs: [] }]), cuda),
  'outputs without bytes': (id, cuda) => claim(id, completed([{ ...call, outputs: [{}] }]), cuda),
  'bytes too few': (id, cuda) => claim(id, completed([{ ...call, outputs: outputs(1199, 300) }]), cuda),
  'no word of what was written': (id, cuda) => claim(id, completed([{ ...call, outputs: outputs(1200, 0) }]), cuda),
  'instructions that are no number': (id, cuda) => claim(id, completed([{ ...whole, threadInstructions: NaN }]), cuda),
  'a measured time': (id, cuda) => claim(id, { ...completed([whole]), measured: { kind: 'measured' } }, cuda),
  'a list of a thousand million': (id, cuda) => {
    const findings = [];
    findings.length = 1e9;
    claim(id, { ...completed([whole]), findings }, cuda);
  },
  correct: (id, cuda) => claim(id, { status: 'correct' }, cuda),
};

/** What a GPU's child says when it is opened; it must be believed, or there would be nothing to lie about afterwards. */
const opened = {
  identity: {
    ...{ name: 'no GPU', uuid: 'GPU-0', capability: [9, 0], multiprocessors: 1, l2Bytes: 1, memoryBytes: 1 },
    cuda: '13.0',
  },
  simulated: true,
};

/** Waits for so many bytes; ends with the parent. The pipe does not block. */
function take(length) {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    try {
      const count = readSync(PIPE, bytes, done, length - done, null);
      if (count === 0) process.exit(0);
      done += count;
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
  return bytes;
}

for (;;) {
  const { id, content } = deserialize(take(take(4).readUInt32LE()));
  const cuda = 'name' in content;
  const lie = /"lie:([a-z ]+)"/.exec(JSON.stringify(content))?.[1];
  if (lie !== undefined) lies[lie](id, cuda);
  else if (cuda) say({ id, content: packed({ ok: true, value: opened }) });
  else {
    const { calls, build } = content.whole;
    const one = () => ({ ...call, outputs: [{ bytes: calls[0].inputs[0], written: new Uint8Array(300).fill(1) }] });
    say({ id, content: completed([one()]) });
    // And once more, when nobody asks.
    if (build.hash === 'twice') say({ id, content: completed([one()]) });
  }
}
