"""Records what PyTorch compiles of the library: graph and code of calls of functionals and of modules.

Run with PyTorch 2.13: python test/jit/make_library_scripts.py [traces] [modules] [functionals]
Writes test/jit/library/{traces,modules,functionals}.json, which library_*.test.ts compare with.
"""
import importlib.util
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
import warnings
import zipfile

import torch

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "library"))
HEAD = ("import math\nimport warnings\nfrom typing import *\nimport torch\nimport torch.nn as nn\n"
        "import torch.nn.functional as F\nfrom torch import Tensor\n")


def strip(graph):
    return re.sub(r" # \S+:\d+:\d+$", "", str(graph), flags=re.M)


def load(cases):
    """The functions, from a file: PyTorch reads their source."""
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "library_cases.py")
    with open(path, "w") as out:
        out.write(HEAD + "\n".join(cases.values()))
    spec = importlib.util.spec_from_file_location("__main__", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functionals():
    from functionals import CASES

    module = load(CASES)
    cases = []
    for name, source in CASES.items():
        entry = {"name": name, "source": source}
        try:
            fn = torch.jit.script(getattr(module, "f_" + name))
            entry.update(graph=strip(fn.graph), code=fn.code)
        except Exception as error:
            print(name, "cannot be compiled:", str(error).strip().splitlines()[0], file=sys.stderr)
            entry["error"] = True
        cases.append(entry)
    functions = {}
    for fn in torch.jit._state._python_cu.get_functions():
        if fn.qualified_name.startswith("__torch__.torch."):
            functions[fn.qualified_name] = {"graph": strip(fn.graph), "code": fn.code}
    return {"torch": torch.__version__, "cases": cases, "functions": functions}


def archived(module):
    """The code that an archive of the module holds, by file."""
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    with zipfile.ZipFile(buffer) as archive:
        code = {n.split("/code/", 1)[1]: archive.read(n).decode() for n in archive.namelist() if n.endswith(".py")}
    return dict(sorted(code.items()))


def modules():
    from modules import CASES

    cases = in_processes(one_module, CASES)
    # the same files again and again: each text once
    texts = sorted({text for case in cases.values() for text in case.get("code", {}).values()})
    number = {text: i for i, text in enumerate(texts)}
    for case in cases.values():
        if "code" in case:
            case["code"] = {name: number[text] for name, text in case["code"].items()}
    return {"torch": torch.__version__, "texts": texts, "cases": cases}


def one_module(name, writer):
    from modules import CASES

    torch.manual_seed(0)
    try:
        module = torch.jit.script(CASES[name]())
        found = {"graphs": {m: strip(module._c._get_method(m).graph) for m in sorted(module._c._method_names())}}
    except Exception as error:
        writer.send({"error": str(error).strip().splitlines()[0]})
        return
    try:
        found["code"] = archived(module)
    except Exception as error:
        print(name, "cannot be saved:", str(error).strip().splitlines()[0], file=sys.stderr)
    writer.send(found)


def one_trace(name, writer):
    from modules import CASES, INPUTS, input_of

    torch.manual_seed(0)
    try:
        # layers in evaluation mode: random ones would not trace to what runs
        module = CASES[name]().eval()
        inputs = tuple(input_of(spec) for spec in INPUTS[name])
        traced = torch.jit.trace(module, inputs, check_trace=False)
        found = {"graph": strip(traced.graph), "code": traced.code, "inlined": strip(traced.inlined_graph)}
        writer.send({"inputs": INPUTS[name], **found})
    except Exception as error:
        writer.send({"error": str(error).strip().splitlines()[0]})


def traces():
    from modules import INPUTS

    return {"torch": torch.__version__, "cases": in_processes(one_trace, INPUTS)}


def in_processes(run, names):
    """What `run` sends for each name, each in a process of its own: names start anew."""
    cases = {}
    fork = multiprocessing.get_context("fork")
    for name in names:
        reader, writer = multiprocessing.Pipe(duplex=False)
        process = fork.Process(target=run, args=(name, writer))
        process.start()
        cases[name] = reader.recv()
        process.join()
        if "error" in cases[name]:
            print(name, "cannot be compiled:", cases[name]["error"], file=sys.stderr)
    return cases


def write(name, data):
    with open(os.path.join(HERE, "library", name), "w") as out:
        json.dump(data, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    which = sys.argv[1:] or ["traces", "modules", "functionals"]
    with torch.no_grad():
        # first, while nothing is compiled yet
        if "traces" in which:
            write("traces.json", traces())
        if "modules" in which:
            write("modules.json", modules())
        if "functionals" in which:
            write("functionals.json", functionals())
