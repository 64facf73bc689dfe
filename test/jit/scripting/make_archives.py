"""Records the archives that PyTorch writes of scripted modules: archives.json (data.pkl and code; archives.test.ts builds the same modules).

Run: python make_archives.py (torch 2.13)
"""

import collections
import io
import json
import os
import zipfile

import torch
from torch import nn

MODULES = {
    "mlp": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()
    ),
    "nested": lambda: nn.Sequential(
        nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()), nn.Linear(4, 4)
    ),
    "gru": lambda: nn.GRU(4, 5, num_layers=2, batch_first=True),
    "attention": lambda: nn.MultiheadAttention(8, 2),
    "encoder": lambda: nn.TransformerEncoderLayer(8, 2, dim_feedforward=16).eval(),
    "embedding": lambda: nn.Sequential(nn.Embedding(10, 4), nn.LayerNorm(4), nn.GELU()),
    "upsampling": lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2), nn.Upsample(scale_factor=2)),
    "named": lambda: nn.Sequential(collections.OrderedDict([("fc", nn.Linear(2, 2)), ("act", nn.ReLU())])),
    "list": lambda: nn.ModuleList([nn.Linear(2, 2)]),
    "dict": lambda: nn.ModuleDict({"b": nn.Linear(2, 2), "a": nn.ReLU()}),
}


def sorted_constants(text):
    """Constants come in the order of a Python set, which differs from process to process."""
    out, block = [], []
    for line in text.split("\n"):
        if " : Final[" in line:
            block.append(line)
            continue
        out += sorted(block) + [line]
        block = []
    return "\n".join(out)


def main():
    recorded = {}
    for name, make in MODULES.items():
        # a child process each: names and types start anew
        read, write = os.pipe()
        if os.fork() == 0:
            module = torch.jit.script(make())
            buffer = io.BytesIO()
            torch.jit.save(module, buffer)
            archive = zipfile.ZipFile(buffer)
            records = [n.split("/", 1)[1] for n in archive.namelist()]
            entry = {
                "records": records,
                "data": archive.read("archive/data.pkl").hex(),
                "code": {n: sorted_constants(archive.read("archive/" + n).decode()) for n in records if n.endswith(".py")},
            }
            with os.fdopen(write, "w") as f:
                json.dump(entry, f)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as f:
            recorded[name] = json.load(f)
        os.wait()
    with open(os.path.join(os.path.dirname(__file__), "archives.json"), "w") as f:
        json.dump({"torch": torch.__version__, "archives": recorded}, f, indent=1)
        f.write("\n")


main()
