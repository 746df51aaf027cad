#!/usr/bin/env node
/** `busway-schema`: for CI, before a service is deployed whose bus would refuse to start. Ends with 0, with 1 if a schema does not pass, with 2 if it was misused. */
import { parseArgs } from 'node:util'
import { BuswayError } from '@busway/bus'
import { type Compatibility, compatibilities } from '../registry/compatibility-mode.js'
import { check } from './check.js'
import { CommandError, sourceOf } from './sources.js'

const USAGE = `busway-schema check <schemas> --against <registry or schemas> [--compatibility <mode>] [--namespace busway]

  <schemas>         a module that exports topics (defineTopics), or a folder of <topic>.avsc
  --against         redis://... for the registry of a namespace; or a folder, where <topic>@<number>.avsc are earlier versions; or a module
  --compatibility   ${compatibilities.join(' ')}; what the registry keeps, or BACKWARD, if there is none
  --namespace       of the registry
`

class UsageError extends Error {}

interface Given {
  readonly schemas: string
  readonly against: string
  readonly namespace: string
  readonly mode?: Compatibility
}

function given(args: readonly string[]): Given {
  const { values, positionals } = parsed(args)
  const [command, schemas, ...more] = positionals
  if (command !== 'check') throw new UsageError(`there is no command ${JSON.stringify(command ?? '')}`)
  if (schemas === undefined || more.length > 0) throw new UsageError('check takes one module or folder')
  if (values.against === undefined) throw new UsageError('--against is missing')
  const mode = values.compatibility as Compatibility | undefined
  if (mode !== undefined && !compatibilities.includes(mode))
    throw new UsageError(`--compatibility is one of ${compatibilities.join(', ')}`)
  return { schemas, against: values.against, namespace: values.namespace, ...(mode === undefined ? {} : { mode }) }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        against: { type: 'string' },
        compatibility: { type: 'string' },
        namespace: { type: 'string', default: 'busway' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { schemas, against, namespace, mode } = given(args)
  const findings = await check(await sourceOf(schemas, namespace), await sourceOf(against, namespace), mode)
  if (findings.length === 0) throw new CommandError(`${schemas} has no schemas`)
  for (const { topic, isFine, message } of findings) console[isFine ? 'log' : 'error'](`${topic} ${message}`)
  return findings.every(({ isFine }) => isFine) ? 0 : 1
}

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  const isMisuse = error instanceof UsageError
  if (!isMisuse && !(error instanceof CommandError) && !(error instanceof BuswayError)) throw error
  console.error(`busway-schema: ${error.message}${isMisuse ? `\n\n${USAGE}` : ''}`)
  process.exitCode = isMisuse ? 2 : 1
}
