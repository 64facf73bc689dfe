"""Makes case folders of real models with real PyTorch; `npm run test:models` calls it.

    python make_models.py --list [PACKAGE...]           one JSON line per model, `missing` lines for packages not to be had
    python make_models.py --out FOLDER PACKAGE/NAME...  FOLDER/PACKAGE-NAME-KIND/{model.pt,case.json}, one JSON line each
"""
import argparse
import json
import os
import shutil
import sys
import time
import warnings

warnings.filterwarnings("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch  # noqa: E402

import model_zoo  # noqa: E402
from case_recorder import record  # noqa: E402


def say(**line):
    print(json.dumps(line), flush=True)


def make(entry, out):
    built = None
    for kind in entry.kinds:
        label = {"package": entry.package, "family": entry.family, "name": entry.name, "kind": kind}
        folder = os.path.join(out, f"{entry.package}-{entry.name}-{kind}")
        if os.path.exists(os.path.join(folder, "case.json")) and os.path.exists(os.path.join(folder, "model.pt")):
            say(**label, folder=folder, seconds=0)
            continue
        started = time.time()
        try:
            if built is None:
                torch.manual_seed(0)
                built = entry.build()
            model, calls = built
            with torch.no_grad():
                for args in calls:
                    model(*args)  # what PyTorch cannot run eagerly is not the archive's fault
            if kind == "script":
                module = torch.jit.script(model)
            else:
                module = torch.jit.trace(model, calls[0], check_trace=False, strict=False)
                # sizes are constants of a trace: the second call has the shapes of the first
                same = len(calls) > 1 and [a.shape for a in calls[1]] == [a.shape for a in calls[0]]
                calls = [calls[0], calls[1] if same else tuple(a.flip(-1) for a in calls[0])]
            record(folder, module, calls)
            say(**label, folder=folder, seconds=round(time.time() - started, 1))
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            text = [line for line in str(error).splitlines() if line.strip()] or [""]
            say(**label, failed=f"{type(error).__name__}: {text[0].strip()}"[:300])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    packages = {n.split("/")[0].split("-")[0] for n in args.names} or {"torchvision", "timm", "transformers"}
    found = model_zoo.entries(packages)
    for package, why in model_zoo.MISSING.items():
        say(missing=package, why=why)
    if args.list:
        for e in found:
            say(package=e.package, family=e.family, name=e.name, kinds=e.kinds)
        return
    wanted = set(args.names)
    for e in found:
        if f"{e.package}/{e.name}" in wanted:
            make(e, args.out)


main()
