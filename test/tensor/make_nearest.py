"""Writes nearest.json: logarithms, sines and cosines rounded once, by mpmath (which comes with torch), and normal numbers of PyTorch."""
import json
import random
from pathlib import Path

import mpmath
import torch

mpmath.mp.prec = 300


def main():
    random.seed(1)
    torch.manual_seed(5)
    torch.set_num_threads(1)
    ranges = {
        "log": [random.random() for _ in range(150)] + [1 + random.gauss(0, 0.01) for _ in range(60)]
        + [10.0 ** random.uniform(-300, 300) for _ in range(60)] + [1.0, 2.0, 0.5],
        "sin": [random.uniform(-7, 7) for _ in range(150)] + [random.uniform(-8000, 8000) for _ in range(60)]
        + [3.141592653589793 * k / 4 for k in range(-9, 10)] + [random.gauss(0, 1e-6) for _ in range(20)],
    }
    ranges["cos"] = ranges["sin"]
    ranges["exp"] = [random.uniform(-700, 700) for _ in range(100)] + [random.gauss(0, 1) for _ in range(150)]
    bases = [10.0 ** random.uniform(-3, 3) for _ in range(250)]
    powers = [[x, y, float(mpmath.power(mpmath.mpf(x), mpmath.mpf(y)))] for x in bases for y in [random.uniform(-20, 20)]]
    functions = {name: [[x, float(getattr(mpmath, name)(mpmath.mpf(x)))] for x in xs] for name, xs in ranges.items()}
    record = {"torch": torch.__version__, "functions": functions, "powers": powers, "randn": torch.randn(400, dtype=torch.float64).tolist()}
    Path(__file__).with_name("nearest.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


main()
