"""Makes torchvision models with random weights for the benchmarks: python make_bench_models.py FOLDER NAME:FORM ...

Forms: scripted, traced (TorchScript archives), onnx. torchvision's compiled operators are not needed.
"""
import os
import sys
import types

sys.modules["torchvision._meta_registrations"] = types.ModuleType("stub")  # it needs the compiled operators
import torch  # noqa: E402
import torchvision  # noqa: E402

folder, *wanted = sys.argv[1:]
for item in wanted:
    name, form = item.split(":")
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None).eval()
    x = torch.rand(1, 3, 224, 224)
    path = os.path.join(folder, f"{name}.onnx" if form == "onnx" else f"{name}_{form}.pt")
    try:
        if form == "onnx":
            torch.onnx.export(model, (x,), path + ".tmp", input_names=["input"], output_names=["output"], dynamo=False)
        else:
            torch.jit.save(torch.jit.trace(model, x, check_trace=False) if form == "traced" else torch.jit.script(model), path + ".tmp")
        os.replace(path + ".tmp", path)
    except Exception as error:  # the other forms can still be made
        print(f"{item}: {type(error).__name__}: {str(error).splitlines()[0]}")
