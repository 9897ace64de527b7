"""Files of a submission: what it writes itself, in the sandbox's memory, to give to torch.utils.cpp_extension.load. No file of the judge's is there."""

import builtins
import io
import os
import sys

from ._record import recorder, unsupported

_real_open = builtins.open
_own = set()


def _place(path):
    return os.path.realpath(os.fspath(path))


def open_(file, mode='r', *args, **kw):
    """The builtin, for files that the submission has written; others are refused."""
    if isinstance(file, int):
        raise unsupported('open() of a file descriptor')
    if recorder().in_forward:
        raise unsupported('open() in forward', 'a call computes from its inputs alone; write what load compiles before')
    place = _place(file)
    if place not in _own:
        if not any(c in mode for c in 'wax') or os.path.exists(place):
            raise unsupported(f'open({str(file)!r}, {mode!r})', 'a submission has no files but those that it writes itself')
        if place.endswith(('.py', '.pth', '.so')) or any(place.startswith(os.path.realpath(p) + '/') for p in sys.path if p):
            raise unsupported(f'open({str(file)!r}, {mode!r})', 'a submission writes no Python modules')
        recorder().remark('It writes files: they exist in the sandbox alone, for this run.')
    made = _real_open(place, mode, *args, **kw)
    _own.add(place)
    return made


def text_of(path):
    """What the submission wrote there, None for any other file."""
    place = _place(path)
    if place not in _own:
        return None
    with io.open(place, encoding='utf-8') as file:
        return file.read()
