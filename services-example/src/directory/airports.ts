/** The airports of `vega-datasets`. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Airport } from '../topics.js'

const require = createRequire(import.meta.url)

/** By their code of three letters. */
export async function loadAirports(): Promise<ReadonlyMap<string, Airport>> {
  const file = new URL('../data/airports.csv', pathToFileURL(require.resolve('vega-datasets')))
  const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n')
  const airports = new Map<string, Airport>()
  for (const line of lines) {
    const [code = '', name = '', city = '', state = ''] = fieldsOf(line)
    airports.set(code, { name, city, state })
  }
  return airports
}

/** Of a line of CSV: a field with a comma in it is quoted, a quote in it doubled. */
function fieldsOf(line: string): string[] {
  const fields = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)]
  return fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '')
}
