import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { readPages, root } from './pages.js'

describe('the links in README and docs', () => {
  for (const { page, text } of readPages())
    it(`${page} links to files that exist`, () => {
      const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target as string)
      const local = targets.filter((target) => !/^[a-z]+:/.test(target))
      expect(local.filter((target) => !existsSync(join(root, dirname(page), target)))).to.deep.equal([])
    })
})
