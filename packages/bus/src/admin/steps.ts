/** What goes on in steps, each a bounded script call. */
import { randomId } from '../wire/index.js'

/** Messages of one call. */
export const STEP = 500

/** A request under which reports are published: by a producer of its own for each try, since its numbers start anew. */
export const reporting = <More extends object>(limit: number, more: More) => ({
  ...more,
  limit,
  get producer() {
    return randomId()
  },
})
