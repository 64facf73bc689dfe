/** @file Loops over elements of which every function has its own. Upstream: none. Spec: none.
 *
 * Note [Own loops]: a loop that calls whatever function it is given calls many, and the engine then inlines none: 8 to 60 ns an element
 * for allocated numbers and calls. Here the loop is generated text, evaluated once for every function (by the text of the function and the
 * name of its kernel, as closures that differ in what they captured are inlined alike): 1 to 2 ns. The text is a template with numbers;
 * the function comes as an argument. Where the platform forbids evaluation there are none, and shared loops run. */
import { canGenerateCode, evaluate } from "../base/evaluate.ts";

/** Elements from which an own loop pays. */
export const MIN_OWN = 256;

/** What elements lie in: float32, float64, bytes that are true where they are not 0. */
export type Kind = "f" | "d" | "b";
type Numbers = Float32Array | Float64Array | Uint8Array;

/** out[o + r * row + i] = f(x[k][at[k] + r * rows[k] + i * steps[k]], ...) for i below `n` and r below `count`. */
export type OwnLoop = (
  f: (...x: number[]) => number,
  count: number,
  n: number,
  out: Numbers,
  o: number,
  row: number,
  x: readonly Numbers[],
  at: readonly number[],
  steps: readonly number[],
  rows: readonly number[],
) => void;

/** Elements of a row from which views of rows pay: their elements are then found without adding and comparing offsets. */
const MIN_ROW = 64;

const loops = new Map<string, OwnLoop>();

/** The loop of a function of numbers of the kinds `inputs` with these steps, in rows of `n`; undefined where there can be none. */
export function ownLoop(
  name: string,
  f: (...x: number[]) => number,
  inputs: string,
  out: Kind,
  n: number,
  steps: readonly number[],
): OwnLoop | undefined {
  if (!canGenerateCode()) return undefined;
  let walk = "";
  for (let k = 0; k < inputs.length; k++) walk += n < MIN_ROW || steps[k]! >>> 0 > 1 ? "s" : String(steps[k]);
  const key = `${inputs}${out}${walk}${name} ${f.toString()}`;
  let loop = loops.get(key);
  if (!loop) loops.set(key, (loop = makeLoop(inputs, out, walk)));
  return loop;
}

/** @param walk how an operand is walked: `1` element by element, `0` not at all, `s` by its step. */
function makeLoop(inputs: string, out: Kind, walk: string): OwnLoop {
  const each = (text: (k: number) => string): string => Array.from(inputs, (_, k) => text(k)).join(",");
  const load = (k: number, element: string): string => (inputs[k] === "b" ? `+(${element}!==0)` : element);
  const start = (k: number): string =>
    walk[k] === "1" ? `x${k}.subarray(p${k},p${k}+n)` : walk[k] === "0" ? load(k, `x${k}[p${k}]`) : `p${k}`;
  const element = (k: number): string =>
    walk[k] === "1" ? load(k, `q${k}[i]`) : walk[k] === "0" ? `q${k}` : load(k, `x${k}[q${k}]`);
  const isViewed = walk.includes("1");
  const moves = Array.from(walk, (w, k) => (w === "s" ? [`q${k}+=s${k}`] : [])).flat();
  const value = `f(${each(element)})`;
  // engines share what they learn about equal texts: the number keeps them apart
  const text =
    `/*${loops.size}*/return function(f,count,n,out,o,row,x,at,steps,rows){` +
    `const ${each((k) => `x${k}=x[${k}],s${k}=steps[${k}],r${k}=rows[${k}]`)};let ${each((k) => `p${k}=at[${k}]`)};` +
    `for(let r=0;r<count;r++,o+=row,${each((k) => `p${k}+=r${k}`)}){` +
    `${isViewed ? "const y=out.subarray(o,o+n);" : ""}let ${each((k) => `q${k}=${start(k)}`)};` +
    `for(let i=0;i<${isViewed ? "y.length" : "n"};${["i++", ...moves].join(",")})` +
    `${isViewed ? "y[i]" : "out[o+i]"}=${out === "b" ? `+(${value}!==0)` : value};}}`;
  return evaluate(text)() as OwnLoop;
}

/**
 * The same of complex numbers, pairs that lie one behind the other: out[o + i] = what f(re, im, ...) leaves in `result`, for i below `n`.
 * Operands begin at at[k], in numbers of their arrays, and are steps[k] numbers apart; the result is pairs, or their first parts.
 */
export type ComplexLoop = (
  f: (...parts: number[]) => void,
  result: { readonly re: number; readonly im: number },
  n: number,
  out: Numbers,
  o: number,
  x: readonly Numbers[],
  at: readonly number[],
  steps: readonly number[],
) => void;

const complexLoops = new Map<string, ComplexLoop>();

/** The loop of a function of so many complex numbers; undefined where there can be none. `kinds` tells arrays of other kinds apart. */
export function complexLoop(
  name: string,
  f: (...parts: number[]) => void,
  arity: number,
  kinds: string,
  isPairs: boolean,
): ComplexLoop | undefined {
  if (!canGenerateCode()) return undefined;
  const key = `${kinds}${arity}${isPairs}${name} ${f.toString()}`;
  let loop = complexLoops.get(key);
  if (!loop) {
    const each = (text: (k: number) => string): string => Array.from({ length: arity }, (_, k) => text(k)).join(",");
    const text =
      `/*${complexLoops.size}*/return function(f,result,n,out,o,x,at,steps){` +
      `let ${each((k) => `x${k}=x[${k}],p${k}=at[${k}],s${k}=steps[${k}]`)};` +
      `for(let i=0;i<n;i++,${each((k) => `p${k}+=s${k}`)}){f(${each((k) => `x${k}[p${k}],x${k}[p${k}+1]`)});` +
      `out[o++]=result.re;${isPairs ? "out[o++]=result.im;" : ""}}}`;
    complexLoops.set(key, (loop = evaluate(text)() as ComplexLoop));
  }
  return loop;
}
