"""Multi-head attention and the transformer layers, composed of linear, matmul and softmax as PyTorch's slow path computes them."""

import math

from .._contract import bmm, linear
from .._create import zeros
from .._dtypes import bool_
from .._layers import dropout
from .._pointwise import add, masked_fill, mul
from .._record import unsupported
from .._reduce import mean, softmax
from .._views import chunk, copy_reshape, expand


def _additive(mask, dtype):
    """A bool mask (true: do not attend) as one to add."""
    if mask is None or mask.dtype is not bool_:
        return mask
    return masked_fill(zeros(mask.shape, dtype=dtype), mask, float('-inf'))


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, dropout_p, out_proj_weight,
    out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
    k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None, average_attn_weights=True, is_causal=False,
):  # fmt: skip
    if bias_k is not None or bias_v is not None or add_zero_attn or static_k is not None or static_v is not None:
        raise unsupported('MultiheadAttention with bias_k, bias_v, add_zero_attn, static_k or static_v')
    unbatched = query.ndim == 2
    if unbatched:
        query, key, value = [x.unsqueeze(1) for x in (query, key, value)]
    length, batch, width = query.shape
    if width != embed_dim_to_check:
        raise AssertionError(f'was expecting embedding dimension of {embed_dim_to_check}, but got {width}')
    source, head = key.shape[0], width // num_heads
    if use_separate_proj_weight:
        biases = chunk(in_proj_bias, 3) if in_proj_bias is not None else (None,) * 3
        q, k, v = [
            linear(x, w, b)
            for x, w, b in zip((query, key, value), (q_proj_weight, k_proj_weight, v_proj_weight), biases)
        ]
    elif query is key and key is value:
        q, k, v = chunk(linear(query, in_proj_weight, in_proj_bias), 3, -1)
    else:
        weights = chunk(in_proj_weight, 3)
        biases = chunk(in_proj_bias, 3) if in_proj_bias is not None else (None,) * 3
        q, k, v = [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]
    heads = lambda x, n: copy_reshape(x, (n, batch * num_heads, head)).transpose(0, 1)
    q, k, v = heads(q, length), heads(k, source), heads(v, source)
    mask = _additive(attn_mask, q.dtype)
    if mask is not None and mask.ndim == 2:
        mask = mask.unsqueeze(0)
    if key_padding_mask is not None:
        if unbatched:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        padding = copy_reshape(_additive(key_padding_mask, q.dtype), (batch, 1, 1, source))
        padding = copy_reshape(expand(padding, (batch, num_heads, 1, source)), (batch * num_heads, 1, source))
        mask = padding if mask is None else add(mask, padding)
    scores = bmm(mul(q, 1.0 / math.sqrt(head)), k.transpose(-2, -1))
    weights = softmax(scores if mask is None else add(scores, mask), -1)
    weights = dropout(weights, dropout_p, training)
    y = copy_reshape(bmm(weights, v).transpose(0, 1), (length * batch, width))
    y = copy_reshape(linear(y, out_proj_weight, out_proj_bias), (length, batch, width))
    if unbatched:
        y = y.squeeze(1)
    if not need_weights:
        return y, None
    weights = copy_reshape(weights, (batch, num_heads, length, source))
    if average_attn_weights:
        weights = mean(weights, 1)
    return y, weights.squeeze(0) if unbatched else weights


def attention_masks(seq_len, dtype):
    """nn.Transformer.generate_square_subsequent_mask"""
    from .._create import full
    from .._views import triu

    return triu(full((seq_len, seq_len), float('-inf'), dtype=dtype), 1)
