import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { refusal, serveOnHttp } from './mcp.ts';
import { taskFileUnder } from './task-files.ts';
import { Workshop } from './workshop.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-server-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const name = { name: 'assay', version: '1' };

const dropout = `import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = torch.nn.Dropout(0.5)
    def forward(self, x):
        return torch.relu(self.drop(x))
def get_inputs():
    return [torch.randn(4, 8)]
`;

describe('the MCP server over HTTP', () => {
  it('serves whoever knows the token, and nobody else', async () => {
    const places = { home: folder, traces: join(folder, 'traces'), builds: join(folder, 'builds'), root: folder };
    const workshop = await Workshop.open({ ...places, judgements: 1 });
    const serving = await serveOnHttp(workshop, name, { port: 0 });
    try {
      assert.match(serving.url, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
      const open = (token: string) => {
        const requestInit = { headers: { authorization: `Bearer ${token}` } };
        const client = new Client({ name: 'test', version: '1' });
        const transport = new StreamableHTTPClientTransport(new URL(serving.url), { requestInit });
        return client.connect(transport).then(() => client);
      };
      const client = await open(serving.token);
      const { tools } = await client.listTools();
      assert.equal(tools.length, 8);
      const reading = tools.flatMap(({ name, annotations }) => (annotations?.readOnlyHint ? [name] : []));
      assert.deepEqual(reading, ['inspect_task', 'query_archive'], 'a run may be taken up by looking at its frontier');
      writeFileSync(join(folder, 'drop.py'), dropout);
      const asked = { name: 'inspect_task', arguments: { task: 'drop.py', eval: true } };
      const evaluated = (await client.callTool(asked)).structuredContent as { name: string; brief: string };
      assert.equal(evaluated.name, 'drop-eval');
      assert.match(evaluated.brief, /in evaluation mode \(`model\.eval\(\)`\)/);
      assert.match(evaluated.brief, /\] = relu\(x\) {3}line/);
      assert.doesNotMatch(evaluated.brief, /= dropout\(/);
      const missing = await client.callTool({ name: 'inspect_task', arguments: { task: 'nothing.py' } });
      assert.equal(missing.isError, true);
      await client.close();
      await assert.rejects(open('wrong'), 'a wrong token was taken');
    } finally {
      await serving.close();
      await workshop.close();
    }
  });

  it('refuses names that a web page could have bound to this machine, pages of other origins, and wrong tokens', () => {
    const ask = (headers: Record<string, string>) =>
      refusal(new Request('http://127.0.0.1:4000/mcp', { headers }), 4000, 'secret')?.status;
    const authorization = 'Bearer secret';
    assert.equal(ask({ host: '127.0.0.1:4000', authorization }), undefined);
    assert.equal(ask({ host: 'localhost:4000', origin: 'http://localhost:4000', authorization }), undefined);
    assert.equal(ask({ host: 'evil.example:4000', authorization }), 403);
    assert.equal(ask({ host: '127.0.0.1:4001', authorization }), 403);
    assert.equal(ask({ host: '127.0.0.1:4000', origin: 'https://evil.example', authorization }), 403);
    assert.equal(ask({ host: '127.0.0.1:4000', authorization: 'Bearer wrong!' }), 401);
    assert.equal(ask({ host: '127.0.0.1:4000' }), 401);
  });
});

describe('task files', () => {
  it('are those under the folder, links followed', () => {
    const root = join(folder, 'tasks');
    mkdirSync(root);
    writeFileSync(join(root, 'a.py'), '');
    writeFileSync(join(folder, 'outside.py'), '');
    symlinkSync(join(folder, 'outside.py'), join(root, 'link.py'));
    assert.equal(taskFileUnder(root, 'a.py').endsWith('a.py'), true);
    assert.throws(() => taskFileUnder(root, '../outside.py'), /outside of the folder/);
    assert.throws(() => taskFileUnder(root, join(folder, 'outside.py')), /outside of the folder/);
    assert.throws(() => taskFileUnder(root, 'link.py'), /outside of the folder/);
    assert.throws(() => taskFileUnder(root, 'b.py'), /There is no file/);
  });
});
