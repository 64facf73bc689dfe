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

const loops = new Map<string, OwnLoop>();

/** The loop of a function of as many numbers as there are `inputs`; undefined where there can be none. */
export function ownLoop(name: string, f: (...x: number[]) => number, inputs: string, out: Kind): OwnLoop | undefined {
  if (!canGenerateCode()) return undefined;
  const key = `${inputs}${out}${name} ${f.toString()}`;
  let loop = loops.get(key);
  if (!loop) loops.set(key, (loop = makeLoop(inputs, out)));
  return loop;
}

function makeLoop(inputs: string, out: Kind): OwnLoop {
  const each = (text: (k: number) => string): string => Array.from(inputs, (_, k) => text(k)).join(",");
  const value = `f(${each((k) => (inputs[k] === "b" ? `x${k}[q${k}]!==0?1:0` : `x${k}[q${k}]`))})`;
  // engines share what they learn about equal texts: the number keeps them apart
  const text =
    `/*${loops.size}*/return function(f,count,n,out,o,row,x,at,steps,rows){` +
    `const ${each((k) => `x${k}=x[${k}],s${k}=steps[${k}],r${k}=rows[${k}]`)};let ${each((k) => `p${k}=at[${k}]`)};` +
    `for(let r=0;r<count;r++,o+=row,${each((k) => `p${k}+=r${k}`)}){let ${each((k) => `q${k}=p${k}`)};` +
    `for(let i=0;i<n;i++,${each((k) => `q${k}+=s${k}`)})out[o+i]=${out === "b" ? `${value}!==0?1:0` : value};}}`;
  return evaluate(text)() as OwnLoop;
}
