/** An object with a life: it writes down what happens to it, into the file that its first message names. */
import { appendFileSync } from 'node:fs'
import type { SandboxModule } from '@busway/plugin-sandbox'

let opened = 0
let file = ''

const module: SandboxModule<{ file: string }, number> = {
  open() {
    opened++
  },
  run({ body }) {
    file = body.file
    appendFileSync(file, 'run\n')
    return opened
  },
  close() {
    appendFileSync(file, 'close\n')
  },
}
export default module
