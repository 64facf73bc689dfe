"""Opens what tsarchive saved with real PyTorch and compares it with the archive it came from. Called by test_pytorch.mjs."""
import base64, json, sys, zipfile
import torch

DTYPES = {str(d).replace("torch.", ""): d for d in vars(torch).values() if isinstance(d, torch.dtype)}


def decode(v):
    kind = v["t"]
    if kind == "tensor":
        raw = bytearray(base64.b64decode(v["data"]))
        dtype = DTYPES[v["dtype"]]
        return torch.frombuffer(raw, dtype=dtype).reshape(v["shape"]).clone() if raw else torch.empty(v["shape"], dtype=dtype)
    if kind == "int": return int(v["v"])
    if kind == "float": return float(v["v"])
    if kind == "complex": return complex(float(v["v"][0]), float(v["v"][1]))
    if kind in ("bool", "str"): return v["v"]
    if kind == "none": return None
    if kind == "list": return [decode(x) for x in v["v"]]
    if kind == "tuple": return tuple(decode(x) for x in v["v"])
    if kind == "dict": return {decode(k): decode(x) for k, x in v["v"]}
    if kind == "device": return torch.device(v["v"])
    raise TypeError(kind)


def same(a, b):
    if isinstance(a, torch.Tensor):
        if a.is_quantized: a, b = a.dequantize(), b.dequantize()
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(torch.nan_to_num(a.double() if not a.is_complex() else torch.view_as_real(a).double()), torch.nan_to_num(b.double() if not b.is_complex() else torch.view_as_real(b).double()))
    if isinstance(a, dict): return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b or a != a or str(a) == str(b)


passed = failed = 0
for pair in json.load(open(sys.argv[1])):
    try:
        extra = {"note.txt": ""}
        ours, theirs = torch.jit.load(pair["copy"], _extra_files=extra), torch.jit.load(pair["model"])
        assert extra["note.txt"] == b"saved by tsarchive" or extra["note.txt"] == "saved by tsarchive", "extra file"
        assert str(ours) == str(theirs), "hierarchy"
        for (name, a), (other, b) in zip(ours.state_dict().items(), theirs.state_dict().items()):
            assert name == other and (not isinstance(a, torch.Tensor) or same(a, b)), f"state {name}"
        if "forward" in theirs._c._method_names(): assert ours.code == theirs.code, "code"
        assert zipfile.ZipFile(pair["copy"]).testzip() is None, "zip"
        calls = json.load(open(pair["case"]))["calls"]
        with torch.no_grad():
            for call in calls:
                results = [getattr(m, call["method"])(*[decode(i) for i in call["inputs"]]) for m in (ours, theirs)]
                assert same(*results), f"result of {call['method']}"
        passed += 1
        print(f"ok   {pair['name']}: opens in PyTorch {torch.__version__}, {len(calls)} calls equal")
    except Exception as error:
        failed += 1
        print(f"FAIL {pair['name']}: {type(error).__name__}: {str(error)[:300]}")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
