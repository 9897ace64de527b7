"""What a call of forward computes, in a form in which two calls can be compared: does the second make its results as the first did?

A call is its live part: the operators that its results need, and the extension's calls that write memory which they need. Warming up, timing and what
follows from parameters alone (fused weights that the first call makes and keeps) are no part of it. Values that another call made of its inputs are
told apart from this call's own.
"""

import hashlib
import json

VIEWS = ('reshape', 'permute', 'expand', 'slice', 'select')


class Call:
    """One call of forward: which inputs, operators and calls of extensions are its own."""

    def __init__(self, rec, inputs):
        self.rec, self.inputs = rec, set(inputs)
        self.nodes, self.calls = len(rec.nodes), len(rec.calls)
        self.outputs, self.end = [], None

    def close(self, outputs):
        self.outputs = outputs
        self.end = (len(self.rec.nodes), len(self.rec.calls))

    def operators(self):
        """Operators by name and shape, all of them. A parameter laid out otherwise is no work of a call."""
        rec = self.rec
        return [
            (node['op'], [tuple(rec.specs[i][0]) for i in node['outputs']])
            for at, node in enumerate(rec.nodes[self.nodes : self.end[0]], self.nodes)
            if node['op'] not in VIEWS and at not in rec.relaid
        ]

    def asked(self):
        """What was asked of extensions, in order."""
        return [event['described'] for event in self.rec.calls[self.calls : self.end[1]]]


def places(rec):
    """The value whose memory each value lies in: views lie where their operand does, results where the extension said."""
    base = list(range(len(rec.specs)))
    views = {node['outputs'][0]: node['inputs'][0] for node in rec.nodes if node['op'] in VIEWS}
    views.update((made, given) for event in rec.calls for made, given in event['results'] if given is not None)
    for made in sorted(views):
        base[made] = base[views[made]]
    return base


def _events(call):
    """Operators and calls of extensions in the order in which they happened; both are placed by the id that the next value had."""
    rec, (last_node, last_call) = call.rec, call.end
    nodes = [(node['outputs'][0], 1, node) for node in rec.nodes[call.nodes : last_node]]
    calls = [(asked['at'], 0, asked) for asked in rec.calls[call.calls : last_call]]
    return sorted(nodes + calls, key=lambda event: event[:2])


def _live(call, base):
    """The events that the results need."""
    rec, live = call.rec, []
    needed = {base[i] for i in call.outputs}
    for _, is_node, event in reversed(_events(call)):
        if is_node:
            if event['op'] in VIEWS or not any(i in needed for i in event['outputs']):
                continue
            needed.update(base[i] for i in event['inputs'])
        else:
            # No kernel may write the arguments of a call.
            written = {base[i] for i in event['given'] if rec.origin[base[i]][0] != 'argument'}
            written |= {base[i] for i, _ in event['results']}
            if not written & needed:
                continue
            needed.update(base[i] for i in event['given'])
        live.append((is_node, event))
    return live[::-1]


def signature(call, arguments, strange):
    """
    Plain data that is equal for two calls that make their results in the same way. `arguments`: value -> argument of the task;
    `strange`: inputs of other calls.
    """
    rec, base = call.rec, places(call.rec)
    known, text = {}, []

    def digest(*what):
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    own = {}  # results of this call's extension calls
    version = {}  # memory -> the last call that may have written it
    asked = 0
    live = {id(event) for _, event in _live(call, base)}
    seen = {}  # memory in the order in which it is named

    def read(i):
        return digest('read', known[i], version.get(base[i], 0))

    def place(i):
        return seen.setdefault(base[i], len(seen)), known[i]

    def node(n):
        inputs = [read(i) for i in n['inputs']]
        for k, i in enumerate(n['outputs']):
            known[i] = digest(n['op'], n['attributes'], inputs, k)

    nodes = iter(rec.nodes)
    calls = {}
    for event in rec.calls[call.calls : call.end[1]]:
        calls.setdefault(event['at'], []).append(event)
    for i in range(len(rec.specs) + 1):
        for event in calls.get(i, ()):
            if id(event) not in live:
                continue
            asked += 1
            text.append([event['described'], [place(g) for g in event['given']], [read(g) for g in event['given']]])
            for g in event['given']:
                if rec.origin[base[g]][0] != 'argument':
                    version[base[g]] = asked
            own.update((r, (asked, k)) for k, (r, _) in enumerate(event['results']))
        if i == len(rec.specs) or i in known:
            continue
        kind, *rest = rec.origin[i]
        if kind == 'node':
            node(next(nodes))
        elif kind == 'draw':
            known[i] = digest('draw', rest[0], list(rec.specs[i][0]), rec.specs[i][1].name)
        elif kind == 'argument' and i not in strange:
            known[i] = digest('argument', arguments.get(i, -1))
        else:
            known[i] = digest('result', own[i]) if i in own else digest('of another call', i)
    text.append([place(i) + (read(i),) for i in call.outputs])
    return text
