/** std::map, std::set, pairs and their kin in host code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, valuesOf } from '../interpret/try-host.fixture.ts';

const out = (types: string, statements: string, before = ''): unknown[] =>
  valuesOf(statements, types, 'x[4,8]', before);

test('maps: indexing, lookup, insertion, order', () => {
  assert.deepEqual(
    out(
      'int,int,int,int',
      `std::map<std::string, int> m = {{"b", 2}, {"a", 1}}; m["c"] += 7; m["a"]++; int order = 0;
       for (const auto& [name, n] : m) order = order * 10 + n;
       auto at = m.find("c"); int found = at != m.end() ? at->second : -1;
       out<<<1,1>>>(order, found, m.count("zz") + m.size(), m.at("b"))`,
    ),
    [227, 7, 3, 2],
  );
  assert.deepEqual(
    out(
      'int,int,int',
      `std::unordered_map<int, float> m; m[256] = 1.5f; auto [at, isNew] = m.insert({256, 9.f}); m.emplace(7, 2.f);
       m.erase(7); std::map<std::pair<int, int>, int> tiles = {{{32, 4}, 3}};
       out<<<1,1>>>(isNew ? 1 : 0, m.contains(256) + m.size() * 10, m[256] * 2)`,
    ),
    [0, 11, 3],
  );
  assert.deepEqual(
    out(
      'int,int',
      'std::set<int> s = {5, 1, 5}; s.insert(3); int o = 0; for (int v : s) o = o * 10 + v; out<<<1,1>>>(o, s.count(9))',
    ),
    [135, 0],
  );
});

test('a table of launch configurations', () => {
  const before = `struct Config { int threads; int unroll; };
static const std::map<int, Config> TABLE = {{64, {128, 2}}, {8, {256, 4}}};`;
  assert.deepEqual(
    out(
      'int,int',
      'auto it = TABLE.find(x.size(1)); if (it == TABLE.end()) return x; Config c = it->second; out<<<1,1>>>(c.threads, c.unroll)',
      before,
    ),
    [256, 4],
  );
});

test('functions kept in variables', () => {
  assert.deepEqual(
    out('int', 'std::function<int(int)> f = [&](int n) { return n < 2 ? 1 : n * f(n - 1); }; out<<<1,1>>>(f(5))'),
    [120],
  );
});

test('what maps may not do', () => {
  const refused = (body: string, message: RegExp, kind: 'unsupported' | 'invalid' = 'unsupported'): void =>
    assertRefused(`torch::Tensor forward(torch::Tensor x) {\n  ${body}\n  return x; }`, 'x[4]', kind, message, 2);
  refused(
    'std::unordered_map<int, int> m = {{1, 2}}; for (auto& p : m) {}',
    /unordered_map, whose order C\+\+ leaves open/,
  );
  refused('std::map<int, int, std::greater<int>> m;', /an order or a hash of its own/);
  refused('std::map<int, int> m; m.at(3);', /a key that the std::map does not have/, 'invalid');
});
