// Mutations of archives: bytes of the file, and of its records (pickles, code, constants, debug records), zipped again.

/** A seeded generator of numbers below `limit` (mulberry32). */
export function seededRandom(seed) {
  let state = (seed * 0x9e3779b1) >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const INTERESTING = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x28, 0x2e, 0x29, 0x5d, 0x7d, 0x52, 0x62, 0x71, 0x68, 0x85, 0x86, 0x4a, 0x8a, 0x51,
];
const NUMBERS = [
  "0",
  "1",
  "-1",
  "2147483648",
  "9223372036854775807",
  "-9223372036854775808",
  "1e308",
  "1000000000000",
  "255",
  "3.",
];
const FRAGMENTS = [
  "self",
  "torch",
  "ops",
  "None",
  "True",
  "annotate(List[int], [])",
  "torch.zeros([1000000, 1000000])",
  "torch.aten.nothing(x)",
  "(self).forward(self)",
  "  while True:\n    pass\n",
  "CONSTANTS.c0",
  "CONSTANTS.c99999",
  "__torch__",
  "uninitialized(Tensor)",
  "unchecked_cast(int, self)",
  "List[",
  "Optional[Tensor]",
  "Dict[Tensor, Tensor]",
  "__torch__.nothing.Here",
  "[",
  "(",
  ")",
  "]",
  '"',
  "\n",
  "    ",
  "  ",
  "if",
  "for i in range(1000000000):\n    pass\n",
  "((((((((((",
  "-".repeat(3000),
  "not ".repeat(2000),
  "[".repeat(5000),
  "x" + ".a".repeat(3000),
  "1 + ".repeat(3000),
  "(x)[0]",
  "torch.append(self, self)",
  'ops.prim.RaiseException("", "")',
];

const pick = (random, list) => list[random(list.length)];

function mutateBytes(bytes, random) {
  let out = Uint8Array.from(bytes);
  for (let n = 1 + random(4); n > 0 && out.length > 0; n--) {
    const at = random(out.length);
    switch (random(7)) {
      case 0:
        out[at] = random(256);
        break;
      case 1:
        out[at] ^= 1 << random(8);
        break;
      case 2:
        out[at] = pick(random, INTERESTING);
        break;
      case 3:
        out = splice(out, at, random(16), new Uint8Array(0));
        break;
      case 4:
        out = splice(out, at, 0, out.subarray(at, at + 1 + random(64)));
        break;
      case 5: {
        const from = random(out.length);
        out = splice(out, at, random(32), out.slice(from, from + random(32)));
        break;
      }
      default:
        for (let i = 0; i < 4 && at + i < out.length; i++) out[at + i] = pick(random, [0, 0xff, 0x7f, 0x80]);
    }
  }
  return out;
}

function splice(bytes, at, remove, insert) {
  const tail = bytes.subarray(Math.min(bytes.length, at + remove));
  const out = new Uint8Array(at + insert.length + tail.length);
  out.set(bytes.subarray(0, at));
  out.set(insert, at);
  out.set(tail, at + insert.length);
  return out;
}

/** Token by token: what a parser takes apart and a type checker believes. */
function mutateText(text, random) {
  let tokens = text.split(/(\s+|[()[\]{},:=."]|\b)/).filter((t) => t !== "");
  if (tokens.length === 0) return pick(random, FRAGMENTS);
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(tokens.length);
    switch (random(8)) {
      case 0:
        tokens[at] = pick(random, FRAGMENTS);
        break;
      case 1:
        tokens.splice(at, 1 + random(3));
        break;
      case 2:
        tokens[at] = pick(random, tokens);
        break;
      case 3: {
        const other = random(tokens.length);
        [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
        break;
      }
      case 4: {
        const i = tokens.findIndex((t, k) => k >= at && /^\d+$/.test(t));
        if (i >= 0) tokens[i] = pick(random, NUMBERS);
        break;
      }
      case 5: {
        const i = tokens.findIndex((t, k) => k >= at && /^[a-z]\w+$/.test(t));
        if (i >= 0)
          tokens[i] = pick(
            random,
            tokens.filter((t) => /^[A-Za-z]\w*$/.test(t)),
          );
        break;
      }
      case 6: {
        const from = random(tokens.length);
        tokens.splice(at, 0, ...tokens.slice(from, from + random(40)));
        break;
      }
      default: {
        const lines = tokens.join("").split("\n");
        const from = random(lines.length);
        lines.splice(random(lines.length), 0, ...lines.slice(from, from + 1 + random(3)));
        tokens = lines
          .join("\n")
          .split(/(\s+|[()[\]{},:=."]|\b)/)
          .filter((t) => t !== "");
      }
    }
    if (tokens.length === 0) return "";
  }
  return tokens.join("");
}

/** Numbers, names and structure of a pickle, opcode by opcode. */
function mutatePickle(api, bytes, random) {
  let parts;
  try {
    parts = [...api.disassemble(bytes)].map(({ byteOffset, nbytes, name }) => ({
      name,
      bytes: bytes.slice(byteOffset, byteOffset + nbytes),
    }));
  } catch {
    return mutateBytes(bytes, random);
  }
  const long = (value) => {
    const out = new Uint8Array(10);
    out[0] = 0x8a;
    out[1] = 8;
    new DataView(out.buffer).setBigInt64(2, BigInt.asIntN(64, value), true);
    return out;
  };
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(parts.length);
    const ints = parts.flatMap((p, i) => (/^BININT/.test(p.name) ? [i] : []));
    switch (random(8)) {
      case 0:
        parts.splice(at, 1);
        break;
      case 1:
        parts.splice(at, 0, { ...pick(random, parts) });
        break;
      case 2: {
        const other = random(parts.length);
        [parts[at], parts[other]] = [parts[other], parts[at]];
        break;
      }
      case 3:
      case 4:
        if (ints.length > 0)
          parts[pick(random, ints)] = {
            name: "LONG1",
            bytes: long(
              pick(random, [
                0n,
                1n,
                -1n,
                255n,
                1n << 31n,
                1n << 40n,
                1n << 53n,
                (1n << 63n) - 1n,
                -(1n << 63n),
                BigInt(random(100)),
              ]),
            ),
          };
        break;
      case 5: {
        const gets = parts.flatMap((p, i) => (p.name === "BINGET" ? [i] : []));
        if (gets.length > 0) parts[pick(random, gets)] = { name: "BINGET", bytes: Uint8Array.of(0x68, random(40)) };
        break;
      }
      case 6: {
        const globals = parts.flatMap((p, i) => (p.name === "GLOBAL" ? [i] : []));
        if (globals.length > 1) parts[pick(random, globals)] = { ...parts[pick(random, globals)] };
        break;
      }
      default: {
        const from = random(parts.length);
        parts.splice(at, random(4), ...parts.slice(from, from + random(20)));
      }
    }
    if (parts.length === 0) return bytes;
  }
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.bytes.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part.bytes, at);
    at += part.bytes.length;
  }
  return out;
}

/** A mutated copy: bytes of the file, or of one or two records, zipped again with right checksums. */
export function mutateArchive(api, bytes, random) {
  const { ArchiveReader, ArchiveWriter, MemorySink } = api;
  if (random(5) === 0) return mutateBytes(bytes, random);
  const reader = ArchiveReader.open(Uint8Array.from(bytes), { verifyCrc: false });
  const names = reader.recordNames().filter((name) => !/^(version|byteorder)$|^\.data\//.test(name));
  const records = new Map(names.map((name) => [name, reader.read(name)]));
  for (let n = 1 + random(2); n > 0; n--) {
    const weighted = names.flatMap((name) =>
      /\.py$|^data\.pkl$/.test(name) ? [name, name, name] : /pkl$/.test(name) ? [name] : random(8) === 0 ? [name] : [],
    );
    if (weighted.length === 0) break;
    const name = pick(random, weighted);
    const data = records.get(name);
    if (!data) continue;
    if (random(40) === 0) records.delete(name);
    else if (name.endsWith(".py"))
      records.set(name, new TextEncoder().encode(mutateText(new TextDecoder().decode(data), random)));
    else if (name.endsWith("pkl"))
      records.set(name, random(4) === 0 ? mutateBytes(data, random) : mutatePickle(api, data, random));
    else records.set(name, random(2) === 0 ? data.slice(0, random(data.length + 1)) : mutateBytes(data, random));
  }
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink, { rootName: "m" });
  for (const [name, data] of records) writer.writeRecord(name, data);
  writer.finish({ version: random(20) === 0 ? 1 + random(10) : reader.version() });
  sink.close();
  return sink.bytes();
}
