/** A linear axis from zero: no bar is made longer than its figure by where the axis begins. */
export interface Scale {
  /** Of the axis; a round number that no value exceeds. */
  end: number
  ticks: number[]
  /** Where a value is, of a length. */
  at(value: number, length: number): number
}

const MOST_TICKS = 6

/** For values from 0 to `most`. Where all are zero, the axis still has an end. */
export function scaleFor(most: number): Scale {
  const step = roundStep((most > 0 ? most : 1) / MOST_TICKS)
  const steps = Math.ceil((most > 0 ? most : 1) / step - 1e-9)
  const end = steps * step
  return {
    end,
    ticks: Array.from({ length: steps + 1 }, (_, i) => i * step),
    at: (value, length) => (length * Math.min(Math.max(value, 0), end)) / end,
  }
}

/** The next of 1, 2, 5, 10, 20... from `least` on. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  const factor = [1, 2, 5, 10].find((each) => each * power >= least * (1 - 1e-9)) ?? 10
  return factor * power
}
