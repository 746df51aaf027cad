/**
 * A length of time: a number of milliseconds, or a number with its unit. Negative, infinite and NaN durations are refused with `INVALID_OPTIONS`.
 *
 * @example
 * '250ms'; '30s'; '5m'; '1.5h'; '14d'; 1000
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
