// mocha's spec reporter, which also leaves its totals, and what failed, where .ci/run adds them up.
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

/** Of an error's text and stack. A diff of two long values is above, in the log. */
const LINES_OF_ERROR = 12

export default class CiReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats
      const totals = process.env.BUSWAY_TEST_TOTALS
      writeFileSync(totals, `${passes} ${failures} ${pending}\n`)
      writeFileSync(`${totals}.failed`, this.failures.map(describeFailure).join(''))
    })
  }
}

function describeFailure(test) {
  const { stack, message } = test.err ?? {}
  const lines = String(stack || message)
    .split('\n')
    .slice(0, LINES_OF_ERROR)
  return [`  ${test.titlePath().join(' > ')}`, ...lines.map((line) => `      ${line}`), ''].join('\n')
}
