import { of } from '../history.js'
import type { Checker } from './checker.js'

/** K: between runs and after the last, what is kept obeys docs/data-model.md, and nothing is kept for ever. */
export const left: Checker = ({ history }) => of(history, 'left').map(({ what }) => what)
