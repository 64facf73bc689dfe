/** @file The error function and its relatives, in double precision. Upstream: none (rational approximations of fdlibm's s_erf.c; Cephes ndtri). Spec: none. */

const EXTRA = 8.45062911510467529297e-1;

function polynomial(x: number, c: readonly number[]): number {
  let y = c[c.length - 1]!;
  for (let i = c.length - 2; i >= 0; i--) y = y * x + c[i]!;
  return y;
}

// fdlibm: coefficients for |x| < 1.25
const PA = [
  -2.36211856075265944077e-3, 4.14856118683748331666e-1, -3.72207876035701323847e-1, 3.18346619901161753674e-1,
  -1.10894694282396677476e-1, 3.54783043256182359371e-2, -2.166375594868790843e-3,
];
const QA = [
  1, 1.06420880400844228286e-1, 5.40397917702171048937e-1, 7.18286544141962662868e-2, 1.26171219808761642112e-1,
  1.36370839120290507362e-2, 1.1984499846799107417e-2,
];
// for 1.25 <= |x| < 1/0.35
const RA = [
  -9.86494403484714822705e-3, -6.93858572707181764372e-1, -1.05586262253232909814e1, -6.23753324503260060396e1,
  -1.62396669462573470355e2, -1.84605092906711035994e2, -8.12874355063065934246e1, -9.81432934416914548592,
];
const SA = [
  1, 1.96512716674392571292e1, 1.376577541435190426e2, 4.34565877475229228821e2, 6.45387271733267880336e2,
  4.29008140027567833386e2, 1.08635005541779435134e2, 6.57024977031928170135, -6.04244152148580987438e-2,
];
// for 1/0.35 <= |x| < 28
const RB = [
  -9.86494292470009928597e-3, -7.99283237680523006574e-1, -1.77579549177547519889e1, -1.60636384855821916062e2,
  -6.37566443368389627722e2, -1.02509513161107724954e3, -4.83519191608651397019e2,
];
const SB = [
  1, 3.03380607434824582924e1, 3.25792512996573918826e2, 1.53672958608443695994e3, 3.19985821950859553908e3,
  2.55305040643316442583e3, 4.74528541206955367215e2, -2.24409524465858183362e1,
];

function small(x: number): number {
  const z = x * x;
  const r =
    1.28379167095512558561e-1 +
    z *
      (-3.2504210724700149937e-1 +
        z * (-2.84817495755985104766e-2 + z * (-5.77027029648944159157e-3 + z * -2.37630166566501626084e-5)));
  const s =
    1 +
    z *
      (3.97917223959155352819e-1 +
        z *
          (6.50222499887672944485e-2 +
            z * (5.08130628187576562776e-3 + z * (1.32494738004321644526e-4 + z * -3.9602282787753681232e-6))));
  return r / s;
}

/** exp(x*x) * erfc(x) times x, for x >= 1.25, without the exponential. */
function tailRatio(x: number): number {
  const s = 1 / (x * x);
  return x < 2.857142857142857 ? polynomial(s, RA) / polynomial(s, SA) : polynomial(s, RB) / polynomial(s, SB);
}

/** exp(-x*x - 0.5625 + ratio) / x with the square split so that no bits are lost. */
function tail(x: number): number {
  const z = Math.fround(x);
  return (Math.exp(-z * z - 0.5625) * Math.exp((z - x) * (z + x) + tailRatio(x))) / x;
}

/** erf(x). */
export function erf(x: number): number {
  if (x !== x) return NaN;
  const a = Math.abs(x);
  if (a < 0.84375) return x + x * small(x);
  const sign = x < 0 ? -1 : 1;
  if (a < 1.25) return sign * (EXTRA + polynomial(a - 1, PA) / polynomial(a - 1, QA));
  if (a >= 6) return sign;
  return sign * (1 - tail(a));
}

/** 1 - erf(x) without cancellation. */
export function erfc(x: number): number {
  if (x !== x) return NaN;
  const a = Math.abs(x);
  if (a < 0.84375) {
    const y = small(x);
    return x < 0.25 ? 1 - (x + x * y) : 0.5 - (x - 0.5 + x * y);
  }
  if (a < 1.25) {
    const ratio = polynomial(a - 1, PA) / polynomial(a - 1, QA);
    return x >= 0 ? 1 - EXTRA - ratio : 1 + (EXTRA + ratio);
  }
  if (a >= 28) return x > 0 ? 0 : 2;
  if (x < -6) return 2;
  const r = tail(a);
  return x > 0 ? r : 2 - r;
}

/** exp(x*x) * erfc(x). */
export function erfcx(x: number): number {
  if (x !== x) return NaN;
  if (x < 0) return x < -26.7 ? Infinity : 2 * Math.exp(x * x) - erfcx(-x);
  if (x < 1.25) return Math.exp(x * x) * erfc(x);
  if (x < 28) return Math.exp(-0.5625 + tailRatio(x)) / x;
  // asymptotic continued fraction
  const y = 0.5641895835477563;
  if (x > 5e7) return y / x;
  const z = x * x;
  return (y * (z * (z + 4.5) + 2)) / (x * (z * (z + 5) + 3.75));
}

/** Inverse of erf: a rational start, then two Newton steps, as PyTorch does. */
export function erfinv(y: number): number {
  const a = Math.abs(y);
  if (!(a <= 1)) return NaN;
  if (a === 1) return y * Infinity;
  let x: number;
  if (a <= 0.7) {
    const z = y * y;
    x =
      (y * (((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899)) /
      ((((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1);
  } else {
    const z = Math.sqrt(-Math.log((1 - a) / 2));
    x =
      (Math.sign(y) * (((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454)) /
      ((1.6370678 * z + 3.5438892) * z + 1);
  }
  const slope = 1.1283791670955126;
  for (let i = 0; i < 2; i++) x -= (erf(x) - y) / (slope * Math.exp(-x * x));
  return x;
}

/** log(ndtr(x)). */
export function logNdtr(x: number): number {
  const t = x * Math.SQRT1_2;
  return x < -1 ? Math.log(erfcx(-t) / 2) - t * t : Math.log1p(-erfc(t) / 2);
}

// Cephes ndtri.c
const P0 = [
  -1.23916583867381258016, 1.39312609387279679503e1, -5.66762857469070293439e1, 9.80010754185999661536e1,
  -5.99633501014107895267e1,
];
const Q0 = [
  -1.18331621121330003142, 1.59056225126211695515e1, -8.20372256168333339912e1, 2.00260212380060660359e2,
  -2.25462687854119370527e2, 8.63602421390890590575e1, 4.67627912898881538453, 1.95448858338141759834, 1,
];
const P1 = [
  -8.57456785154685413611e-4, -3.50424626827848203418e-2, -1.40256079171354495875e-1, 2.18663306850790267539,
  1.46849561928858024014e1, 4.408050738932008347e1, 5.71628192246421288162e1, 3.15251094599893866154e1,
  4.05544892305962419923,
];
const Q1 = [
  -9.33259480895457427372e-4, -3.80806407691578277194e-2, -1.42182922854787788574e-1, 2.50464946208309415979,
  1.50425385692907503408e1, 4.1317203825467203044e1, 4.53907635128879210584e1, 1.57799883256466749731e1, 1,
];
const P2 = [
  6.2397453918498329373e-9, 2.65806974686737550832e-6, 3.01581553508235416007e-4, 1.23716634817820021358e-2,
  2.01485389549179081538e-1, 1.33303460815807542389, 3.93881025292474443415, 6.91522889068984211695,
  3.2377489177694603597,
];
const Q2 = [
  6.79019408009981274425e-9, 2.89247864745380683936e-6, 3.28014464682127739104e-4, 1.34204006088543189037e-2,
  2.1623699359449663589e-1, 1.37702099489081330271, 3.67983563856160859403, 6.02427039364742014255, 1,
];

/** Inverse of ndtr. */
export function ndtri(p: number): number {
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  if (!(p > 0 && p < 1)) return NaN;
  const limit = 0.13533528323661269189; // exp(-2)
  const upper = p > 1 - limit;
  const y = upper ? 1 - p : p;
  if (y > limit) {
    const c = y - 0.5;
    const c2 = c * c;
    return (c + c * ((c2 * polynomial(c2, P0)) / polynomial(c2, Q0))) * 2.50662827463100050242;
  }
  const x = Math.sqrt(-2 * Math.log(y));
  const z = 1 / x;
  const rest = x < 8 ? (z * polynomial(z, P1)) / polynomial(z, Q1) : (z * polynomial(z, P2)) / polynomial(z, Q2);
  const result = x - Math.log(x) / x - rest;
  return upper ? result : -result;
}
