"""What a submission may see of the Python that runs it: a plain one, on Linux, without a harness.

A text that can tell that it is being judged can do one thing here and another elsewhere. Modules that show the surroundings are there in part: what honest
programs ask of them is answered, the rest is an error that names it. Inside one interpreter no wall is high enough for a determined text; but all that
comes out of it is a plan, and the plan is what is judged and timed, whatever the text would do elsewhere.
"""

import ast
import sys
import types

WHY = 'a submission may not look at what runs it'

# Module -> (names that are there as they are, names with a value of their own). Everything else is refused.
SHOWN = {
    'sys': (
        'version version_info hexversion implementation maxsize byteorder float_info int_info hash_info stdout stderr exit exc_info intern getsizeof '
        'getrecursionlimit setrecursionlimit getdefaultencoding api_version warnoptions flags maxunicode',
        {'platform': 'linux', 'argv': ['model.py'], 'path': [], 'executable': '/usr/bin/python3', 'prefix': '/usr', 'base_prefix': '/usr'},
    ),
    'gc': ('collect enable disable isenabled freeze unfreeze get_threshold set_threshold get_count', {}),
    'inspect': (
        'signature Parameter Signature getsource getdoc isclass isfunction ismethod ismodule isbuiltin isgeneratorfunction iscoroutinefunction cleandoc',
        {},
    ),
    'platform': (
        'python_version python_version_tuple python_implementation',
        {'system': lambda: 'Linux', 'machine': lambda: 'x86_64', 'processor': lambda: 'x86_64', 'node': lambda: 'localhost', 'release': lambda: '6.8.0'},
    ),
    'importlib': ('', {}),
}  # fmt: skip

# Ways from an object to the frames, code and globals of others.
WAYS_OUT = {
    '__globals__', '__code__', '__closure__', '__subclasses__', '__builtins__', 'f_back', 'f_locals', 'f_globals', 'f_builtins', 'tb_frame', 'gi_frame',
    'cr_frame', '__file__', '__loader__', '__spec__',
}  # fmt: skip

# What tells one tensor from another and is no shape, type or value.
HISTORY = {'_version', '_cdata', '_base'}


def looks(tree):
    """(sentence, line) on the first name in the text, as an attribute or a string, that shows more than a submission may see; None if there is none."""
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Name) and node.id == '__builtins__':
            name = node.id
        if name in WAYS_OUT:
            return f'{name} leads out of the file: {WHY}', node.lineno
        if name in HISTORY:
            return f'{name} tells one tensor from another; a result may depend on shapes and values alone', node.lineno
    return None


def _hidden(name):
    return name == '__main__' or name.split('.')[0].startswith(('assay_', '_pyodide', 'pyodide'))


def _unsupported(what):
    return sys.modules['torch._record'].unsupported(what, WHY)


def _facade(name, real, import_):
    shown, own = SHOWN[name]
    module = types.ModuleType(name, real.__doc__)
    module.__dict__.update({key: getattr(real, key) for key in shown.split() if hasattr(real, key)}, **own)
    if name == 'importlib':
        module.import_module = lambda full, package=None: import_(full, fromlist=('',))

    def refuse(attribute):
        if attribute.startswith('__'):
            raise AttributeError(attribute)
        raise _unsupported(f'{name}.{attribute}')

    module.__getattr__ = refuse
    return module


def importing(original):
    """`__import__` for a submission."""
    facades = {}

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if _hidden(name):
            raise _unsupported(f'import {name}')
        root = name.split('.')[0]
        if root in SHOWN and name != root:
            raise _unsupported(f'import {name}')
        module = original(name, globals, locals, fromlist, level)
        if root not in SHOWN:
            return module
        if root not in facades:
            facades[root] = _facade(root, module, import_)
        return facades[root]

    return import_
