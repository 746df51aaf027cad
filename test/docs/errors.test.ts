import { readFileSync } from 'node:fs'
import { codes } from '@busway/bus'
import { expect } from 'chai'

describe('the page of errors', () => {
  it('has every code, with what its code says to do, and no other', () => {
    const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| .+ \| (.+) \|$/gm)].map(([, code, advice]) => [code, advice])
    expect(rows).to.deep.equal(Object.entries(codes))
  })
})
