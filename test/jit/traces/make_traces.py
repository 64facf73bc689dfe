"""Records what PyTorch's tracer makes of the functions and modules that test/jit/traces/*_cases.ts define as well.

Run: python test/jit/traces/make_traces.py   (PyTorch 2.13; writes traces.json beside this file)
"""
import json
import os
import re
import sys
import warnings

import torch

sys.path.insert(0, os.path.dirname(__file__))
import trace_functions
import trace_library
import trace_modules

warnings.simplefilter("ignore")
torch.set_grad_enabled(False)


def clean(text):
    text = re.sub(r" # .*", "", str(text))
    text = re.sub(r"___torch_mangle_[0-9]+\.", "", text)
    # the names that the classes would have in a program of their own
    return text.replace("trace_modules.", "")


def record(name, make):
    torch.manual_seed(0)
    made = make()
    target, inputs, options = made if len(made) == 3 else (*made, {})
    if isinstance(target, torch.nn.Module) and not options.pop("train", False):
        target.eval()
    try:
        traced = torch.jit.trace(target, inputs, check_trace=False, **options)
    except Exception as error:  # the refusal is what is compared
        return {"error": str(error)}
    result = {"code": clean(traced.code)}
    if not isinstance(target, torch.nn.Module):
        result["graph"] = clean(traced.graph)
        return result
    result["text"] = str(traced)
    graphs = {}
    for path, module in traced.named_modules():
        for method in module._c._method_names():
            graphs[f"{path}:{method}"] = clean(module._c._get_method(method).graph)
    result["graphs"] = graphs
    return result


def main():
    traces = {}
    for group in (trace_functions, trace_modules, trace_library):
        for name, make in group.CASES.items():
            traces[name] = record(name, make)
            if "error" in traces[name]:
                print(name, traces[name]["error"][:150])
    with open(os.path.join(os.path.dirname(__file__), "traces.json"), "w") as file:
        json.dump(traces, file, indent=1)
        file.write("\n")


main()
