"""Writes the expected half of the golden files here: `.code` of the last function of each case. torch 2.13."""
import glob, os, re, torch

here = os.path.dirname(os.path.abspath(__file__))
for path in sorted(glob.glob(os.path.join(here, "*.txt"))):
    text = open(path).read()
    cases = re.findall(r"^# (.*)\n((?:(?!==>).*\n)+)==>\n((?:(?!# ).*\n)*)", text, re.M)
    out = []
    for name, source, _ in cases:
        unit = torch.jit.CompilationUnit(source)
        last = re.findall(r"^def (\w+)", source, re.M)[-1]
        out.append(f"# {name}\n{source}==>\n{unit.find_function(last).code}")
    open(path, "w").write("".join(out))
