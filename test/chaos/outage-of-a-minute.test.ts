import { world } from '../support/world.js'
import { surviveOutage } from './outage.js'

describe('an outage of a minute', function () {
  this.timeout(120_000)
  const w = world()
  it('stops nothing for longer than it lasts', () => surviveOutage(w, 60_000))
})
