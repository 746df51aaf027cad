// mocha's spec reporter, which also leaves its totals where .ci/run adds them up.
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

export default class CiReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats
      writeFileSync(process.env.BUSWAY_TEST_TOTALS, `${passes} ${failures} ${pending}\n`)
    })
  }
}
