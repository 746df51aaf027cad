import { expect } from 'chai'
import { selfCosts } from '../../bench/src/profile.js'

describe('a CPU profile', () => {
  it('is added up by function, the costliest first', () => {
    const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 9 })
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('parse', 'file:///somewhere/node_modules/ioredis/parser.js') },
        { id: 2, callFrame: frame('', 'file:///somewhere/packages/bus/dist/bus.js') },
        { id: 3, callFrame: frame('parse', 'file:///somewhere/node_modules/ioredis/parser.js') },
        { id: 4, callFrame: frame('(idle)', '') },
      ],
      samples: [1, 2, 3, 4],
      timeDeltas: [10, 25, 20, 5],
    }
    expect(selfCosts(profile)).to.deep.equal([
      { where: 'parse node_modules/ioredis/parser.js:10', selfUs: 30 },
      { where: '(anonymous) packages/bus/dist/bus.js:10', selfUs: 25 },
      { where: '(idle)', selfUs: 5 },
    ])
  })
})
