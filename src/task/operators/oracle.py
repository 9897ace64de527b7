"""Real PyTorch's answer to each operator of operators.md, for the tests: reads cases as JSON lines, writes results as JSON lines.
A case is {op, attributes, inputs: [{shape, dtype, data: base64}]}; a result is {outputs: [...]} in the same form, or {error}. A case with `grads`, gradients of the
outputs, and `wrt`, which operands, asks for gradients too: {gradients: [... or null]}."""
import base64
import json
import math
import sys

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
# oneDNN's pointwise functions, which torch takes on processors with AVX-512, say NaN for gelu(inf).
torch._C._set_mkldnn_enabled(False)


def tensor(t):
    dtype = getattr(torch, t["dtype"])
    raw = bytearray(base64.b64decode(t["data"]))
    if not raw:
        return torch.zeros(t["shape"], dtype=dtype)
    return torch.frombuffer(raw, dtype=dtype).reshape(t["shape"]).clone()


def plain(x):
    x = x.detach().contiguous()
    data = bytes(x.reshape(-1).view(torch.uint8).numpy().tobytes()) if x.numel() else b""
    return {"shape": list(x.shape), "dtype": str(x.dtype)[6:], "data": base64.b64encode(data).decode()}


def number(v):
    return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}.get(v, v) if isinstance(v, str) else v


def take(ts, a, names):
    """The optional operands after the fixed ones, by their boolean attributes."""
    ts = list(ts)
    return [ts.pop(0) if a[n] else None for n in names]


UNARY = {
    name: getattr(torch, name)
    for name in "neg abs sign floor ceil round trunc frac exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos "
    "atan sinh cosh asinh acosh atanh erf erfc tanh sigmoid relu logical_not isnan isinf isfinite".split()
}
UNARY.update(
    logsigmoid=F.logsigmoid, silu=F.silu, mish=F.mish, softsign=F.softsign, selu=F.selu, hardsigmoid=F.hardsigmoid, hardswish=F.hardswish
)
BINARY = {
    name: getattr(torch, name)
    for name in "add sub mul pow atan2 fmod remainder minimum maximum eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and "
    "bitwise_or bitwise_xor".split()
}


def binary(op, t, a):
    f = (lambda x, y: torch.div(x, y, rounding_mode=a["rounding"])) if op == "div" else BINARY[op]
    if "other" in a:
        o = number(a["other"])
        if op in ("minimum", "maximum", "atan2"):
            o = torch.tensor(o, dtype=t[0].dtype)
        elif a["reverse"] and op in ("fmod", "div", "lt", "le", "gt", "ge", "eq", "ne", "sub", "add", "mul"):
            o = torch.tensor(o, dtype=t[0].dtype)
        return f(o, t[0]) if a["reverse"] else f(t[0], o)
    return f(t[0], t[1])


def rnn(op, t, a):
    states = 2 if op == "lstm" else 1
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[op]
    extra = {"nonlinearity": a["nonlinearity"]} if op == "rnn" else {}
    m = kind(
        t[0].shape[2], a["hidden_size"], a["num_layers"], bias=a["bias"], batch_first=a["batch_first"], bidirectional=a["bidirectional"],
        dtype=t[0].dtype, **extra,
    )
    weights = {name: w for (name, _), w in zip(m.named_parameters(), t[1 + states :], strict=True)}
    out, h = torch.func.functional_call(m, weights, (t[0], (t[1], t[2]) if op == "lstm" else t[1]))
    return (out, *h) if op == "lstm" else (out, h)


def run(op, t, a):
    if op in UNARY:
        return UNARY[op](t[0])
    if op in BINARY or op == "div":
        return binary(op, t, a)
    match op:
        case "leaky_relu":
            return F.leaky_relu(t[0], a["negative_slope"])
        case "elu" | "celu":
            return getattr(F, op)(t[0], a["alpha"])
        case "gelu":
            return F.gelu(t[0], approximate=a["approximate"])
        case "softplus":
            return F.softplus(t[0], a["beta"], a["threshold"])
        case "hardtanh":
            return F.hardtanh(t[0], a["min_val"], a["max_val"])
        case "softshrink" | "hardshrink":
            return getattr(F, op)(t[0], a["lambd"])
        case "clamp":
            return torch.clamp(t[0], number(a["min"]), number(a["max"]))
        case "cast":
            return t[0].to(getattr(torch, a["dtype"]))
        case "where":
            return torch.where(*t)
        case "masked_fill":
            return t[0].masked_fill(t[1], number(a["value"]))
        case "sum" | "mean" | "logsumexp":
            return getattr(torch, op)(t[0], a["dims"], keepdim=a["keepdim"]) if a["dims"] else t[0].clone()
        case "max" | "min":
            if a["ties"] == "first" and len(a["dims"]) == 1 and t[0].ndim:
                return getattr(torch, op)(t[0], a["dims"][0], keepdim=a["keepdim"])[0]
            return getattr(torch, "a" + op)(t[0], a["dims"], keepdim=a["keepdim"])
        case "prod" | "any" | "all":
            x = t[0]
            for d in reversed(a["dims"]):
                x = getattr(torch, op)(x, d, keepdim=a["keepdim"])
            return x
        case "var" | "std":
            return getattr(torch, op)(t[0], a["dims"], correction=a["correction"], keepdim=a["keepdim"])
        case "norm":
            return torch.linalg.vector_norm(t[0], number(a["p"]), a["dims"], keepdim=a["keepdim"])
        case "argmax" | "argmin":
            return getattr(torch, op)(t[0], a["dim"], keepdim=a["keepdim"])
        case "softmax" | "log_softmax" | "cumsum" | "cumprod" | "logcumsumexp":
            return getattr(torch, op)(t[0], a["dim"])
        case "cummax" | "cummin":
            return getattr(torch, op)(t[0], a["dim"])[0]
        case "sort":
            return tuple(torch.sort(t[0], dim=a["dim"], descending=a["descending"], stable=True))
        case "topk":
            return tuple(torch.topk(t[0], a["k"], a["dim"], a["largest"], True))
        case "layer_norm":
            w, b = take(t[1:], a, ["weight", "bias"])
            return F.layer_norm(t[0], a["normalized_shape"], w, b, a["eps"])
        case "rms_norm":
            return F.rms_norm(t[0], a["normalized_shape"], take(t[1:], a, ["weight"])[0], a["eps"])
        case "batch_norm":
            rest = t[1:] if a["training"] else t[3:]
            w, b = take(rest, a, ["weight", "bias"])
            m, v = (None, None) if a["training"] else (t[1], t[2])
            return F.batch_norm(t[0], m, v, w, b, a["training"], a["momentum"] or 0.0, a["eps"])
        case "group_norm":
            w, b = take(t[1:], a, ["weight", "bias"])
            return F.group_norm(t[0], a["num_groups"], w, b, a["eps"])
        case "instance_norm":
            w, b = take(t[1:], a, ["weight", "bias"])
            return F.instance_norm(t[0], weight=w, bias=b, eps=a["eps"])
        case "matmul":
            return torch.matmul(*t)
        case "linear":
            return F.linear(t[0], t[1], t[2] if a["bias"] else None)
        case "einsum":
            return torch.einsum(a["equation"], *t)
        case "conv1d" | "conv2d" | "conv3d":
            return getattr(F, op)(t[0], t[1], t[2] if a["bias"] else None, a["stride"], a["padding"], a["dilation"], a["groups"])
        case "conv_transpose1d" | "conv_transpose2d" | "conv_transpose3d":
            return getattr(F, op)(
                t[0], t[1], t[2] if a["bias"] else None, a["stride"], a["padding"], a["output_padding"], a["groups"], a["dilation"]
            )
        case "scaled_dot_product_attention":
            return F.scaled_dot_product_attention(*t[:3], attn_mask=t[3] if a["mask"] else None, is_causal=a["is_causal"], scale=a["scale"])
        case "max_pool1d" | "max_pool2d" | "max_pool3d":
            return getattr(F, op)(t[0], a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])
        case "avg_pool1d":
            return F.avg_pool1d(t[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"])
        case "avg_pool2d" | "avg_pool3d":
            return getattr(F, op)(t[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"], a["divisor"])
        case "adaptive_avg_pool" | "adaptive_max_pool":
            return getattr(F, f"{op}{len(a['output_size'])}d")(t[0], a["output_size"])
        case "interpolate":
            given = [s for s in a["scales"] if s is not None]
            size = {"scale_factor": given} if given else {"size": a["output_size"]}
            corners = a["align_corners"] if a["mode"] in ("linear", "bilinear", "trilinear", "bicubic") else None
            return F.interpolate(t[0], mode=a["mode"], align_corners=corners, **size)
        case "cross_entropy":
            w = take(t[2:], a, ["weight"])[0]
            return F.cross_entropy(
                t[0], t[1], w, ignore_index=a["ignore_index"], reduction=a["reduction"], label_smoothing=a["label_smoothing"]
            )
        case "nll_loss":
            return F.nll_loss(t[0], t[1], take(t[2:], a, ["weight"])[0], ignore_index=a["ignore_index"], reduction=a["reduction"])
        case "mse_loss" | "l1_loss":
            return getattr(F, op)(t[0], t[1], reduction=a["reduction"])
        case "smooth_l1_loss":
            return F.smooth_l1_loss(t[0], t[1], reduction=a["reduction"], beta=a["beta"])
        case "huber_loss":
            return F.huber_loss(t[0], t[1], reduction=a["reduction"], delta=a["delta"])
        case "kl_div":
            return F.kl_div(t[0], t[1], reduction=a["reduction"], log_target=a["log_target"])
        case "binary_cross_entropy":
            return F.binary_cross_entropy(t[0], t[1], take(t[2:], a, ["weight"])[0], reduction=a["reduction"])
        case "binary_cross_entropy_with_logits":
            w, p = take(t[2:], a, ["weight", "pos_weight"])
            return F.binary_cross_entropy_with_logits(t[0], t[1], w, pos_weight=p, reduction=a["reduction"])
        case "reshape" | "permute" | "expand":
            return getattr(t[0], op)(a["dims" if op == "permute" else "shape"])
        case "slice":
            return t[0][(slice(None),) * a["dim"] + (slice(a["start"], a["end"], a["step"]),)]
        case "select":
            return t[0].select(a["dim"], a["index"])
        case "slice_scatter":
            return torch.slice_scatter(t[0], t[1], a["dim"], a["start"], a["end"], a["step"])
        case "select_scatter":
            return torch.select_scatter(t[0], t[1], a["dim"], a["index"])
        case "cat" | "stack":
            return getattr(torch, op)(t, a["dim"])
        case "pad":
            pairs = [v for b, e in reversed(list(zip(a["before"], a["after"]))) for v in (b, e)]
            if a["mode"] == "constant":
                return F.pad(t[0], pairs, value=number(a["value"]))
            while pairs[-2:] == [0, 0] and len(pairs) > 2:
                pairs = pairs[:-2]
            return F.pad(t[0], pairs, mode=a["mode"])
        case "tril" | "triu":
            return getattr(torch, op)(t[0], a["diagonal"])
        case "diag_embed":
            return torch.diag_embed(t[0], a["offset"])
        case "diagonal":
            return torch.diagonal(t[0], a["offset"], a["dim1"], a["dim2"])
        case "flip":
            return torch.flip(t[0], a["dims"])
        case "roll":
            return torch.roll(t[0], a["shifts"], a["dims"])
        case "gather":
            return torch.gather(t[0], a["dim"], t[1])
        case "scatter":
            return torch.scatter(t[0], a["dim"], t[1], t[2]) if a["reduce"] is None else torch.scatter_add(t[0], a["dim"], t[1], t[2])
        case "index_select":
            return t[0][(slice(None),) * a["dim"] + (t[1],)]
        case "embedding":
            return F.embedding(t[0], t[1])
        case "one_hot":
            return F.one_hot(t[0], a["num_classes"])
        case "unfold":
            return t[0].unfold(a["dim"], a["size"], a["step"])
        case "im2col":
            return F.unfold(t[0], a["kernel"], a["dilation"], a["padding"], a["stride"])
        case "lstm" | "gru" | "rnn":
            return rnn(op, t, a)
    raise KeyError(f"no oracle for {op}")


def backward(out, t, grads):
    """Gradients of the operands that ask for them, None where nothing flows, given those of the outputs that take part."""
    leaves = [x for x in t if x.requires_grad]
    smooth = [x for x in out if x.requires_grad]
    if not smooth:
        return [None] * len(leaves)
    made = torch.autograd.grad(smooth, leaves, [tensor(g) for g in grads[: len(smooth)]], allow_unused=True)
    return [None if x is None else plain(x) for x in made]


def main():
    with open(sys.argv[1]) as cases, open(sys.argv[2], "w") as results:
        for line in cases:
            case = json.loads(line)
            try:
                t = [tensor(x) for x in case["inputs"]]
                for i in case.get("wrt", []):
                    t[i].requires_grad_()
                out = run(case["op"], t, case["attributes"])
                out = out if isinstance(out, tuple) else (out,)
                answer = {"outputs": [plain(x) for x in out]}
                if "wrt" in case:
                    answer["gradients"] = backward(out, t, case["grads"])
            except Exception as error:  # the test decides whether an error was expected
                answer = {"error": f"{type(error).__name__}: {error}"}
            results.write(json.dumps(answer) + "\n")


main()
