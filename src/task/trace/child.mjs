/**
 * The process that runs a task file. Plain JavaScript, because it runs without a loader under Node's permission model: it may read
 * pyodide and the tracer and nothing else, write nothing, start nothing, make no code from strings. A task file has no way out of CPython in WebAssembly that we
 * know of; should there be one, it ends here, in a process without environment, files or network.
 *
 * argv: directory of pyodide, directory of the tracer's Python, a snapshot to start from or '', memory limit in bytes, output limit in characters.
 * Messages in: {kind: 'snapshot'}, {kind: 'trace', request: JSON text} or {kind: 'submit', request: JSON text}. Out: {kind: 'ready'},
 * {kind: 'snapshot', bytes}, {kind: 'traced', result: JSON text}, {kind: 'failed', reason}. A submission asks questions while it runs and waits for
 * each answer: these go over a pipe of their own (file descriptor 4), a length in four bytes, little-endian, then JSON text.
 */
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import v8 from 'node:v8';

const [pyodideDirectory, pythonDirectory, snapshot, memoryLimit, outputLimit] = process.argv.slice(2);
const send = process.send.bind(process);

/** Every .py file under a directory: path relative to it, text. */
function pythonFiles(directory, prefix = '') {
  return fs.readdirSync(path.join(directory, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(prefix, entry.name);
    if (entry.isDirectory()) return pythonFiles(directory, name);
    return name.endsWith('.py') ? [[name, fs.readFileSync(path.join(directory, name), 'utf8')]] : [];
  });
}

/** WebAssembly memory stops growing at the limit; CPython then raises MemoryError. */
function limitMemory(bytes) {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * 65536 > bytes) throw new RangeError('memory limit');
    return grow.call(this, pages);
  };
}

/** Take away what could reach a network or the process, before any Python runs. */
function disarm() {
  const refuse = () => {
    throw new Error('refused in the task sandbox');
  };
  net.Socket.prototype.connect = refuse;
  net.Server.prototype.listen = refuse;
  for (const name of ['send', 'bind', 'connect']) dgram.Socket.prototype[name] = refuse;
  for (const name of ['lookup', 'resolve', 'Resolver']) dns[name] = refuse;
  for (const name of ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest']) delete globalThis[name];
  // pyodide asks for the constants alone; the permission model refuses the real function.
  process.binding = (name) => (name === 'constants' ? { fs: fs.constants } : refuse());
  process.dlopen = process.kill = process.chdir = refuse;
  process.getBuiltinModule = refuse;
}

/**
 * How much of CPython runs (about bytes of its code) before V8 optimises a function of it. By its own measure V8 optimises hundreds of functions in the
 * half second that a usual trace takes, for a third of the trace's processor time, and hardly one of them is used again.
 */
const TIERING_BUDGET = 300_000_000;

async function start() {
  v8.setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  limitMemory(Number(memoryLimit));
  const { loadPyodide } = await import(pathToFileURL(path.join(pyodideDirectory, 'pyodide.mjs')).href);
  disarm();
  const files = pythonFiles(pythonDirectory);
  const quiet = () => {};
  const options = { jsglobals: {}, env: { HOME: '/home/task' }, stdout: quiet, stderr: quiet, stdin: () => null };
  const python = await loadPyodide(
    snapshot ? { ...options, _loadSnapshot: fs.readFileSync(snapshot) } : { ...options, _makeSnapshot: true },
  );
  for (const [name, text] of files) {
    python.FS.mkdirTree(path.posix.dirname(`/tracer/${name}`));
    python.FS.writeFile(`/tracer/${name}`, text);
  }
  return python;
}

const IMPORT = `
import sys
if '/tracer' not in sys.path: sys.path.insert(0, '/tracer')
import assay_trace, assay_submission, torch, torch._extension, numpy, einops
`;

const QUESTIONS = 4;

/** Blocks until all of `bytes` is read or written. The pipe is a blocking one. */
function throughPipe(operate, bytes) {
  for (let done = 0; done < bytes.length; ) {
    const moved = operate(QUESTIONS, bytes, done, bytes.length - done);
    if (moved === 0) throw new Error('the judge is gone');
    done += moved;
  }
  return bytes;
}

function ask(question) {
  const text = Buffer.from(String(question), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  throughPipe(fs.writeSync, Buffer.concat([length, text]));
  const size = throughPipe(fs.readSync, Buffer.alloc(4)).readUInt32LE();
  return throughPipe(fs.readSync, Buffer.alloc(size)).toString('utf8');
}

process.on('disconnect', () => process.exit(0));
try {
  const python = await start();
  python.runPython(IMPORT);
  let tracer;
  process.on('message', (message) => {
    try {
      if (message.kind === 'snapshot') {
        send({ kind: 'snapshot', bytes: Buffer.from(python.makeMemorySnapshot()) });
        return;
      }
      if (!tracer) {
        python.runPython('assay_trace.prepare()');
        tracer = {
          trace: python.globals.get('assay_trace').trace,
          submit: python.globals.get('assay_submission').submit,
        };
      }
      const result = message.kind === 'submit' ? tracer.submit(message.request, ask) : tracer.trace(message.request);
      if (typeof result !== 'string') send({ kind: 'failed', reason: 'the tracer returned no text' });
      else if (result.length > Number(outputLimit)) send({ kind: 'failed', reason: 'output' });
      else send({ kind: 'traced', result });
    } catch (error) {
      send({ kind: 'failed', reason: String(error?.message ?? error).slice(-2000) });
    }
  });
  send({ kind: 'ready' });
} catch (error) {
  send({ kind: 'failed', reason: String(error?.stack ?? error).slice(-2000) });
}
