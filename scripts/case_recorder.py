"""Records what PyTorch says of an archive: a folder with model.pt and case.json (shared/conformance/README.md). Needs torch."""
import base64
import hashlib
import json
import math
import os
import zipfile

import torch


def _number(value):
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if value != value else "inf" if value > 0 else "-inf"


def encode(value):
    """One VALUE; tensors as contiguous little-endian bytes."""
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).replace("torch.", "")
        flat = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return {"t": "tensor", "dtype": dtype, "shape": list(value.shape), "data": base64.b64encode(raw).decode(), "requires_grad": False}
    if value is None:
        return {"t": "none"}
    if isinstance(value, bool):
        return {"t": "bool", "v": value}
    if isinstance(value, int):
        return {"t": "int", "v": str(value)}
    if isinstance(value, float):
        return {"t": "float", "v": _number(value)}
    if isinstance(value, str):
        return {"t": "str", "v": value}
    if isinstance(value, list):
        return {"t": "list", "v": [encode(v) for v in value]}
    if isinstance(value, dict):
        return {"t": "dict", "v": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, tuple):
        named = {"name": type(value).__name__, "fields": list(value._fields)} if hasattr(value, "_fields") else {}
        return {"t": "tuple", "v": [encode(v) for v in value], **named}
    raise TypeError(f"cannot record a {type(value).__name__}")


def tensors_in(value):
    """Every tensor of a nested result."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors_in(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from tensors_in(v)


def _codes(module):
    out = {}
    for name, sub in module.named_modules():
        for method in sub._c._method_names():
            try:
                text = sub.code if method == "forward" else getattr(sub, method).code
            except Exception:
                continue  # PyTorch has no text for it
            out[(name + "." if name else "") + method] = str(text)
    return out


def _records(path):
    with zipfile.ZipFile(path) as z:
        out = []
        for info in sorted(z.infolist(), key=lambda i: i.header_offset):
            digest = hashlib.sha256()
            with z.open(info) as f:
                while chunk := f.read(1 << 22):
                    digest.update(chunk)
            out.append([info.filename.split("/", 1)[1], info.file_size, digest.hexdigest()[:16]])
        return out


def _resaved(path):
    """Records of PyTorch's own load-and-save; a null hash where a second round differs."""
    rounds = []
    for source, target in ((path, path + ".once"), (path + ".once", path + ".twice")):
        torch.jit.load(source).save(target)
        rounds.append(_records(target))
    os.remove(path + ".once")
    os.remove(path + ".twice")
    twice = {r[0]: r[2] for r in rounds[1]}
    return [[n, s, h if twice.get(n) == h else None] for n, s, h in rounds[0] if n != ".data/serialization_id"]


def record(folder, module, calls, rtol=1e-4, atol=1e-5):
    """Writes model.pt and case.json. `calls`: argument tuples of forward, in order on one loaded instance, without gradients.

    The absolute tolerance is relative to each result's largest value: untrained nets blow up or die out on the way, and the
    rounding of a sum goes with its largest term, not with what is left of it.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.pt")
    torch.jit.save(module, path)
    m = torch.jit.load(path)
    recorded, largest = [], []
    with torch.no_grad():
        for args in calls:
            inputs = [encode(a) for a in args]
            result = m(*args)
            for t in tensors_in(result):
                if t.is_floating_point() and t.numel() > 0:
                    top = float(t.abs().max())
                    if not math.isfinite(top):
                        raise ValueError("the result is not finite")
                    largest.append(top)
            recorded.append({"method": "forward", "inputs": inputs, "expected": encode(result)})
    document = {
        "suite": "test:models",
        "test": os.path.basename(folder),
        "torch": torch.__version__,
        "str": str(m),
        "code": m.code,
        "codes": _codes(m),
        "graph": str(m.graph),
        "inlined_graph": str(m.inlined_graph),
        "state_dict": {
            k: [str(v.dtype).replace("torch.", ""), list(v.shape), list(v.stride())]
            for k, v in m.state_dict().items()
            if isinstance(v, torch.Tensor) and not v.is_sparse
        },
        "calls": recorded,
        "rtol": rtol,
        "atol": atol * max(largest, default=1.0),
        "resaved": _resaved(path),
    }
    # written last and moved into place: a folder with a case.json is complete
    with open(os.path.join(folder, "case.json.tmp"), "w") as f:
        json.dump(document, f)
    os.replace(os.path.join(folder, "case.json.tmp"), os.path.join(folder, "case.json"))
