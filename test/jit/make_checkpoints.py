"""Records checkpoints.json: files of torch.save in both formats (base64) with what they hold. Run with the Python that has torch."""
import base64
import collections
import io
import json
import pathlib
import warnings

import torch

warnings.filterwarnings("ignore")


def build():
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    base = torch.arange(6.0).view(2, 3)
    weight = torch.nn.Parameter(torch.tensor([0.5, -1.5]))
    shared = [1, 2]
    optimizer = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}, 1: {}},
        "param_groups": [{"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-08, "amsgrad": False, "params": [0, 1]}],
    }
    return {
        "tensor": base,
        "views": [base, base[1], base.t()],
        "state_dict": net.state_dict(),
        "checkpoint": {"model": net.state_dict(), "optimizer": optimizer, "epoch": 7, "best": None, "name": "run"},
        "plain": [1, -2, 300, 70000, 2**31, -(2**40), 2**70, 2.5, True, None, "text é", (), (1,), (1, (2, 3)), {}, [], [[]]],
        "twice": [shared, shared],
        "parameters": [weight, torch.nn.Parameter(torch.ones(1), requires_grad=False), weight],
        "dtypes": [
            torch.tensor([1, -1], dtype=d)
            for d in (torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float64)
        ]
        + [torch.tensor([True, False]), torch.tensor([200], dtype=torch.uint8)],
        "new dtypes": [
            torch.tensor([65535], dtype=torch.uint16),
            torch.tensor([4294967295], dtype=torch.uint32),
            torch.tensor([0.5]).to(torch.float8_e5m2),
        ],
        "complex": [torch.tensor([1 + 2j, 3j]), torch.tensor([1 + 2j]).conj(), 1 + 2j],
        "sparse": [
            torch.sparse_coo_tensor([[0, 2]], [1.0, 2.0], (3,)).coalesce(),
            torch.tensor([[0.0, 5.0], [6.0, 0.0]]).to_sparse_csr(),
        ],
        "quantized": [
            torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.1, 3, torch.quint8),
            torch.quantize_per_channel(torch.ones(2, 2), torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, torch.qint8),
        ],
        "meta": torch.empty(2, 3, device="meta"),
        "others": [torch.float32, torch.device("cpu"), torch.device("cuda", 1), {1}, b"ab", b"", torch.Size([2, 3])],
        "ordered": collections.OrderedDict([("b", 1), ("a", [2])]),
        "keys": {1: "a", "10": "b", (1, 2): "c"},
        "requires_grad": torch.ones(2, requires_grad=True),
        "empty": torch.empty(0, 2),
        "many": {f"k{i:04}": i for i in range(1000)},
        "long list": list(range(2001)),
    }


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def text(value):
    """What the test compares: tensors as printed, containers by kind."""
    if isinstance(value, torch.nn.Parameter):
        return f"parameter {value.requires_grad} {value.data}"
    if isinstance(value, torch.Tensor):
        return str(value)
    if isinstance(value, collections.OrderedDict):
        return {"ordered": [[k, text(v)] for k, v in value.items()]}
    if isinstance(value, dict):
        return {"dict": [[text(k), text(v)] for k, v in value.items()]}
    if isinstance(value, (tuple, torch.Size)):
        return {"tuple": [text(v) for v in value]}
    if isinstance(value, list):
        return [text(v) for v in value]
    if isinstance(value, set):
        return {"set": sorted(value)}
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"int": str(value)}
    if isinstance(value, (torch.dtype, torch.device, complex)):
        return str(value)
    return value


values = build()
NOT_LEGACY = {"new dtypes", "many", "long list"}
record = {
    "torch": torch.__version__.split("+")[0],
    "cases": {
        name: {
            "zip": saved(value),
            "legacy": None if name in NOT_LEGACY else saved(value, _use_new_zipfile_serialization=False),
            "text": text(value),
        }
        for name, value in values.items()
    },
    "refused": saved(torch.nn.Linear(1, 1)),
    "refused_legacy": saved(torch.nn.Linear(1, 1), _use_new_zipfile_serialization=False),
}
path = pathlib.Path(__file__).with_name("checkpoints.json")
path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
