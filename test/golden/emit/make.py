"""Regenerates test/golden/emit/*.txt: keeps names and sources, writes what PyTorch 2.13 makes of them.

Format: "# name", the source, "==>", the graphs of its functions or "error: " and the message. Run with PyTorch's Python:
    python make.py *.txt
"""
import re
import sys

import torch


def expected(source):
    unit = torch._C.CompilationUnit()
    try:
        unit.define(source, lambda name: {"torch": torch.ops.aten}.get(name))
        return "".join(str(unit.find_function(name).graph) for name in re.findall(r"^def (\w+)", source, re.M))
    except Exception as error:
        return "error: " + str(error).strip("\n") + "\n"


for path in sys.argv[1:]:
    with open(path) as file:
        text = file.read()
    out = []
    for part in re.split(r"^# ", text, flags=re.M)[1:]:
        head, _, rest = part.partition("\n")
        source = rest.split("==>\n")[0].strip("\n") + "\n"
        out.append("# %s\n%s==>\n%s\n" % (head, source, expected(source).rstrip("\n") + "\n"))
    with open(path, "w") as file:
        file.write("".join(out))
