"""Makes the modules of test/pytorch/pairs.py in PyTorch and compares them with what record_pairs.ts wrote. Called by pairs.mjs.

    python compare_pairs.py OUT NAME...

Prints a line for each pair, writes OUT/NAME.{trace,script}.py.pt (PyTorch's archives, for tsarchive to open) and OUT/compared.json."""
import base64, json, os, re, runpy, sys, traceback, warnings

import torch

warnings.filterwarnings("ignore")
torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.backends.nnpack.set_flags(False)  # says at every convolution that it does not know the processor
HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS_FILE = os.path.join(HERE, "..", "test", "pytorch", "pairs.py")
DTYPES = {str(d).replace("torch.", ""): d for d in vars(torch).values() if isinstance(d, torch.dtype)}


def decode(v):
    kind = v["t"]
    if kind == "tensor":
        raw = bytearray(base64.b64decode(v["data"]))
        return torch.frombuffer(raw, dtype=DTYPES[v["dtype"]]).reshape(v["shape"]).clone() if raw else torch.empty(v["shape"], dtype=DTYPES[v["dtype"]])
    if kind == "tuple": return [decode(x) for x in v["v"]]
    if kind == "dict": return {decode(k): decode(x) for k, x in v["v"]}
    return None if kind == "none" else v["v"]


def encode(value):
    if isinstance(value, torch.Tensor):
        flat = value.contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return {"t": "tensor", "dtype": str(value.dtype).replace("torch.", ""), "shape": list(value.shape), "data": base64.b64encode(raw).decode()}
    if value is None: return {"t": "none"}
    if isinstance(value, bool): return {"t": "bool", "v": value}
    if isinstance(value, (int, float)): return {"t": "number", "v": value}
    if isinstance(value, str): return {"t": "str", "v": value}
    if isinstance(value, (list, tuple)): return {"t": "tuple", "v": [encode(v) for v in value]}
    return {"t": "dict", "v": [[encode(k), encode(v)] for k, v in value.items()]}


def same(a, b, exact=False):
    """Whether two results are the same; floats within PyTorch's own tolerances unless `exact`."""
    if isinstance(a, torch.Tensor):
        if not isinstance(b, torch.Tensor) or a.dtype != b.dtype or a.shape != b.shape: return False
        return torch.equal(a, b) if exact else torch.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
    if isinstance(a, dict): return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k], exact) for k in a)
    if isinstance(a, (list, tuple)): return isinstance(b, (list, tuple)) and len(a) == len(b) and all(same(x, y, exact) for x, y in zip(a, b))
    return a == b


def bare(text):
    """A text without the file locations behind `#`."""
    return re.sub(r" # [^\n]*", "", text)


def check(pair, name, out):
    ours = json.load(open(os.path.join(out, name + ".ts.json")))
    results = []

    def say(what, good, detail=""):
        results.append((what, bool(good), "" if good else detail[:2000]))

    def differ(a, b):
        for i, (x, y) in enumerate(zip(a.split("\n"), b.split("\n"))):
            if x != y: return f"line {i + 1}\n      tsarchive: {x}\n      PyTorch:   {y}"
        return f"{len(a.splitlines())} lines in tsarchive, {len(b.splitlines())} in PyTorch"

    if "error" in ours:
        return [("made", False, ours["error"])]

    def fresh():
        torch.manual_seed(0)
        module = pair["make"]()
        module.train(pair["train"])
        torch.manual_seed(1)
        return module

    module = fresh()
    say("str", str(module) == ours["str"], differ(ours["str"], str(module)))
    state = module.state_dict()
    say("weights", list(state) == [n for n, _ in ours["state"]] and all(same(decode(v), state[n], exact=True) for n, v in ours["state"]), "initial weights differ")
    inputs = pair["inputs"]()
    say("inputs", same([decode(v) for v in ours["inputs"]], list(inputs), exact=True), "inputs differ")
    torch.manual_seed(2)
    expected = module(*inputs)
    say("eager", same(decode(ours["eager"]), expected), "eager outputs differ")
    for kind in ("trace", "script"):
        got = ours[kind]
        if got is None: continue
        if "error" in got:
            say(kind, False, got["error"])
            continue
        if kind == "trace":
            own = fresh()
            made = torch.jit.trace(own, pair["inputs"](), strict=pair["strict"])
        else:
            made = torch.jit.script(fresh())
        file = os.path.join(out, f"{name}.{kind}.py.pt")
        made.save(file)
        say(f"{kind} graph", bare(got["graph"]) == bare(str(made.graph)), differ(bare(got["graph"]), bare(str(made.graph))))
        say(f"{kind} code", got["code"] == made.code, differ(got["code"], made.code))
        say(f"{kind} str", got["str"] == str(made), differ(got["str"], str(made)))
        torch.manual_seed(2)
        answer = made(*inputs)
        say(f"{kind} output", same(decode(got["output"]), answer), "outputs differ")
        opened = torch.jit.load(got["file"])
        torch.manual_seed(2)
        say(f"{kind} opened by PyTorch", same(opened(*inputs), torch.jit.load(file)(*inputs)) if not pair["train"] else True, "the archive saved by tsarchive gives other answers")
        say(f"{kind} hierarchy", str(opened) == str(torch.jit.load(file)), differ(str(opened), str(torch.jit.load(file))))
        with open(os.path.join(out, f"{name}.{kind}.py.json"), "w") as f:
            again = torch.jit.load(file)
            torch.manual_seed(2)
            json.dump({"inputs": [encode(v) for v in inputs], "output": encode(again(*inputs))}, f)
    return results


out, names = sys.argv[1], sys.argv[2:]
pairs = runpy.run_path(PAIRS_FILE, run_name="__main__")["PAIRS"]
compared = {}
for name in names:
    # a process for each: names of classes are numbered by process
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            results = check(pairs[name], name, out)
        except Exception:
            results = [("compared", False, traceback.format_exc())]
        with os.fdopen(write, "w") as f:
            json.dump(results, f)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as f:
        compared[name] = json.load(f)
    os.waitpid(child, 0)
with open(os.path.join(out, "compared.json"), "w") as f:
    json.dump(compared, f)
