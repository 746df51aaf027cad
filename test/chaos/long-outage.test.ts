import { isFull } from '../support/effort.js'
import { world } from '../support/world.js'
import { surviveOutage } from './outage.js'

const SECONDS = isFull ? 60 : 15

describe(`an outage of ${SECONDS} seconds`, function () {
  this.timeout(120_000)
  const w = world()
  it('stops nothing for longer than it lasts', () => surviveOutage(w, SECONDS * 1000))
})
