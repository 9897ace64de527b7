import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type AssayEvent, EventStream } from './index.ts';

it('hands events to every listener in order until it unsubscribes', () => {
  const stream = new EventStream();
  const seen: string[] = [];
  const stop = stream.subscribe((event) => seen.push(`a:${event.type}`));
  stream.subscribe((event) => seen.push(`b:${event.type}`));
  const note: AssayEvent = { type: 'note', level: 'info', message: 'hello' };
  stream.emit(note);
  stop();
  stream.emit(note);
  assert.deepEqual(seen, ['a:note', 'b:note', 'b:note']);
});
