"""
Prints the plain attributes (numbers, strings, tuples, None) of modules, one module a line as JSON. With a folder as argument the `torch` that lies
there is asked, else PyTorch.
"""

import json
import sys

if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])

from torch import nn

MODULES = """
Linear(3, 4); Bilinear(2, 3, 4); Embedding(5, 3); Conv1d(2, 3, 3); Conv2d(2, 4, (3, 5), 2, 1, 1, 2, False); Conv2d(2, 3, 3, padding='same'); Conv3d(2, 3, 3)
ConvTranspose1d(2, 3, 3); ConvTranspose2d(2, 3, 3, 2, 1, 1); ConvTranspose3d(2, 3, 3); MaxPool1d(3); MaxPool2d(3); MaxPool2d(3, 2, 1); MaxPool2d((2, 3)); MaxPool3d(3)
AvgPool1d(3); AvgPool1d(3, 2, 1); AvgPool2d(3); AvgPool2d(3, 2); AvgPool3d((2, 3, 1)); LPPool2d(2, 3); AdaptiveAvgPool2d(1); AdaptiveMaxPool1d(2); Unfold(2)
Upsample(); Upsample(None, 2); Upsample(None, (2, 3), 'bilinear'); UpsamplingNearest2d(None, 2); UpsamplingBilinear2d((3, 4)); PixelShuffle(2); PixelUnshuffle(2)
ZeroPad2d(1); ConstantPad1d((1, 2), 2.0); ConstantPad3d(1, 2.0); ReflectionPad2d(1); ReplicationPad1d(1); CircularPad2d((1, 2, 3, 4)); Flatten(); Unflatten(1, (2, 3))
BatchNorm2d(3); InstanceNorm2d(3); GroupNorm(1, 3); LayerNorm(3); LayerNorm((3, 4)); RMSNorm(3); LocalResponseNorm(2); Dropout(0.0); Softmax(1); LogSoftmax(1); GLU()
LeakyReLU(); ELU(); CELU(); SELU(); Softplus(); Softshrink(); Hardshrink(); Hardtanh(); Threshold(1, 2); PReLU(); GELU('tanh'); CosineSimilarity(); PairwiseDistance()
LSTM(3, 4); GRU(3, 4, 2); RNN(3, 4, nonlinearity='relu'); LSTMCell(3, 4); GRUCell(3, 4); RNNCell(3, 4); CrossEntropyLoss(); NLLLoss(); MSELoss(); SmoothL1Loss()
HuberLoss(); KLDivLoss(); TripletMarginLoss(); MarginRankingLoss(); CosineEmbeddingLoss(); HingeEmbeddingLoss()
"""

# What a module has of its class and of Python, and `name`, which nobody reads.
OTHERS = {'training', 'dump_patches', 'call_super_init', 'T_destination', 'all_weights', 'name'}

for call in MODULES.replace('\n', ';').split(';'):
    if call.strip():
        made = eval(f'nn.{call.strip()}')  # noqa: S307 - the calls above
        plain = {}
        for key in sorted(set(dir(made)) - OTHERS):
            value = getattr(made, key, None)
            if not key.startswith('_') and isinstance(value, (int, float, str, tuple, list, type(None))):
                plain[key] = repr(value)
        print(json.dumps([call.strip(), plain]))
