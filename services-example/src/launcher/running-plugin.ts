import type { Plugin } from '@busway/bus'
import { tell } from './link.js'

const TELL_EVERY_MS = 100

/** Tells the launcher how many handlers run here, so that it can kill a process in the middle of its work. */
export const tellRunning = (): Plugin<'tell-running'> => ({
  name: 'tell-running',
  api: 1,
  setup(scope) {
    let count = 0
    let timer: NodeJS.Timeout
    scope.consume('handle', async (_delivery, next) => {
      count++
      try {
        return await next()
      } finally {
        count--
      }
    })
    scope.ready(() => {
      timer = setInterval(() => tell({ kind: 'running', count }), TELL_EVERY_MS).unref()
    })
    scope.close(() => clearInterval(timer))
  },
})
