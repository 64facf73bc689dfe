/** @file Plane rotations and 2 by 2 eigen- and singular value problems, with LAPACK's signs. Upstream: LAPACK lartg, laev2, lasv2, las2, lasr. Spec: none. */
import type { Matrix } from "./matrices.ts";

/** |a| with the sign of b (a negative zero counts as negative). */
export function sign(a: number, b: number): number {
  return b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a);
}

/** Rotation with c f + s g = r and c g - s f = 0. */
export interface Rotation {
  readonly c: number;
  readonly s: number;
  readonly r: number;
}

/** The rotation that maps (f, g) to (r, 0), with the signs of LAPACK since 3.10. */
export function rotation(f: number, g: number): Rotation {
  if (g === 0) return { c: 1, s: 0, r: f };
  if (f === 0) return { c: 0, s: sign(1, g), r: Math.abs(g) };
  const d = Math.sqrt(f * f + g * g);
  const r = sign(d, f);
  return { c: Math.abs(f) / d, s: g / r, r };
}

/** The same with the signs of LAPACK before 3.10: MKL kept them where it computes eigenvectors. */
export function olderRotation(f: number, g: number): Rotation {
  if (g === 0) return { c: 1, s: 0, r: f };
  if (f === 0) return { c: 0, s: 1, r: g };
  const r = Math.sqrt(f * f + g * g);
  const c = f / r;
  return Math.abs(f) > Math.abs(g) && c < 0 ? { c: -c, s: -g / r, r: -r } : { c, s: g / r, r };
}

/** Eigenvalues (rt1 the larger in size) of [[a, b], [b, c]], and the unit eigenvector (cs, sn) of rt1. */
export function symmetricPair(a: number, b: number, c: number): { rt1: number; rt2: number; cs: number; sn: number } {
  const sum = a + c;
  const df = a - c;
  const tb = b + b;
  const ab = Math.abs(tb);
  const [acmx, acmn] = Math.abs(a) > Math.abs(c) ? [a, c] : [c, a];
  const rt = Math.hypot(df, tb);
  let rt1: number;
  let rt2: number;
  let sgn1 = 1;
  if (sum < 0) {
    rt1 = 0.5 * (sum - rt);
    sgn1 = -1;
    rt2 = (acmx / rt1) * acmn - (b / rt1) * b;
  } else if (sum > 0) {
    rt1 = 0.5 * (sum + rt);
    rt2 = (acmx / rt1) * acmn - (b / rt1) * b;
  } else {
    rt1 = 0.5 * rt;
    rt2 = -0.5 * rt;
  }
  const sgn2 = df >= 0 ? 1 : -1;
  let cs = df + sgn2 * rt;
  let sn: number;
  if (Math.abs(cs) > ab) {
    const ct = -tb / cs;
    sn = 1 / Math.sqrt(1 + ct * ct);
    cs = ct * sn;
  } else if (ab === 0) {
    cs = 1;
    sn = 0;
  } else {
    const tn = -cs / tb;
    cs = 1 / Math.sqrt(1 + tn * tn);
    sn = tn * cs;
  }
  if (sgn1 === sgn2) [cs, sn] = [-sn, cs];
  return { rt1, rt2, cs, sn };
}

/** The smaller singular value of [[f, g], [0, h]]. */
export function smallerSingular(f: number, g: number, h: number): number {
  const fa = Math.abs(f);
  const ga = Math.abs(g);
  const ha = Math.abs(h);
  const min = Math.min(fa, ha);
  const max = Math.max(fa, ha);
  if (min === 0) return 0;
  const as = 1 + min / max;
  const at = (max - min) / max;
  if (ga < max) {
    const au = (ga / max) ** 2;
    return min * (2 / (Math.sqrt(as * as + au) + Math.sqrt(at * at + au)));
  }
  const au = max / ga;
  if (au === 0) return (min * max) / ga;
  return 2 * (min * (1 / (Math.sqrt(1 + (as * au) ** 2) + Math.sqrt(1 + (at * au) ** 2)))) * au;
}

/** The singular value decomposition of [[f, g], [0, h]]. */
export function triangularPair(
  f: number,
  g: number,
  h: number,
  eps: number,
): { min: number; max: number; sinR: number; cosR: number; sinL: number; cosL: number } {
  const swap = Math.abs(h) > Math.abs(f);
  const ft = swap ? h : f;
  const ht = swap ? f : h;
  const fa = Math.abs(ft);
  const ha = Math.abs(ht);
  const ga = Math.abs(g);
  let largest = swap ? 3 : 1;
  let min: number;
  let max: number;
  let clt: number;
  let crt: number;
  let slt: number;
  let srt: number;
  if (ga === 0) {
    [min, max, clt, crt, slt, srt] = [ha, fa, 1, 1, 0, 0];
  } else {
    if (ga > fa) largest = 2;
    if (ga > fa && fa / ga < eps) {
      max = ga;
      min = ha > 1 ? fa / (ga / ha) : (fa / ga) * ha;
      clt = 1;
      slt = ht / g;
      srt = 1;
      crt = ft / g;
    } else {
      const d = fa - ha;
      const l = d === fa ? 1 : d / fa;
      const m = g / ft;
      const t = 2 - l;
      const mm = m * m;
      const s = Math.sqrt(t * t + mm);
      const r = l === 0 ? Math.abs(m) : Math.sqrt(l * l + mm);
      const a = 0.5 * (s + r);
      min = ha / a;
      max = fa * a;
      let tt: number;
      if (mm === 0) tt = l === 0 ? sign(2, ft) * sign(1, g) : g / sign(d, ft) + m / t;
      else tt = (m / (s + t) + m / (r + l)) * (1 + a);
      const root = Math.sqrt(tt * tt + 4);
      crt = 2 / root;
      srt = tt / root;
      clt = (crt + srt * m) / a;
      slt = ((ht / ft) * srt) / a;
    }
  }
  const [cosL, sinL, cosR, sinR] = swap ? [srt, crt, slt, clt] : [clt, slt, crt, srt];
  const flip =
    largest === 1
      ? sign(1, cosR) * sign(1, cosL) * sign(1, f)
      : largest === 2
        ? sign(1, sinR) * sign(1, cosL) * sign(1, g)
        : sign(1, sinR) * sign(1, sinL) * sign(1, h);
  return { max: sign(max, flip), min: sign(min, flip * sign(1, f) * sign(1, h)), sinR, cosR, sinL, cosL };
}

/** Rotates columns j and j + 1 of m (lasr, side R). */
export function rotateColumns(m: Matrix, j: number, c: number, s: number): void {
  if (c === 1 && s === 0) return;
  const { cols, re, im } = m;
  for (let i = 0; i < m.rows; i++) {
    const p = i * cols + j;
    const [tr, ti] = [re[p + 1]!, im[p + 1]!];
    re[p + 1] = c * tr - s * re[p]!;
    im[p + 1] = c * ti - s * im[p]!;
    re[p] = s * tr + c * re[p]!;
    im[p] = s * ti + c * im[p]!;
  }
}

/** Rotates rows j and j + 1 of m (lasr, side L). */
export function rotateRows(m: Matrix, j: number, c: number, s: number): void {
  if (c === 1 && s === 0) return;
  const { cols, re, im } = m;
  for (let k = 0; k < cols; k++) {
    const p = j * cols + k;
    const q = p + cols;
    const [tr, ti] = [re[q]!, im[q]!];
    re[q] = c * tr - s * re[p]!;
    im[q] = c * ti - s * im[p]!;
    re[p] = s * tr + c * re[p]!;
    im[p] = s * ti + c * im[p]!;
  }
}

/** Exchanges two columns. */
export function swapColumns(m: Matrix, a: number, b: number): void {
  if (a === b) return;
  for (let i = 0; i < m.rows; i++) {
    const p = i * m.cols + a;
    const q = i * m.cols + b;
    [m.re[p], m.re[q]] = [m.re[q]!, m.re[p]!];
    [m.im[p], m.im[q]] = [m.im[q]!, m.im[p]!];
  }
}
