/**
 * A bus whose deployment says how it is equipped: bare in development, with everything in production, and the same code in both.
 *
 * 1. The file is read, its environment variables put in, its shape checked.
 * 2. What it says for this service goes over what it says for all, and both over what the code says.
 * 3. Its plugins are imported from its folder, their options checked against their schemas.
 * 4. The bus is made: those plugins that the code lists in their places, the others around them.
 */
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Bus, BusOptions, Plugin } from '../api/index.js'
import { createBus } from '../bus.js'
import { BuswayError } from '../errors/busway-error.js'
import { checkService } from '../validate/names.js'
import { invalidOption } from '../validate/options.js'
import { check, compileSchema } from './check.js'
import { type Deployment, deploymentSchema, settingNames } from './deployment.js'
import { substitute } from './environment.js'
import { checkNamedOnce, makePlugin, overridden, placed, together } from './plugins.js'

/** What `loadBus` takes: `createBus`' options, and the deployment file. */
export type LoadBusOptions<
  T extends object = Record<string, unknown>,
  Plugins extends readonly Plugin[] = readonly Plugin[],
> = Omit<BusOptions<T, Plugins>, 'service'> & {
  /** The deployment file: a path from the working directory, or a URL. Its plugins are found from its folder. */
  config: string | URL
  /** This service's name. Default: `$SERVICE`. */
  service?: string
}

/**
 * Makes a bus as a deployment file says. The file's settings go over the code's; plugins that the code lists are there and typed whatever the file says, which may give
 * them other options. Does not connect: `ready`, or the first publish or consume, does. Rejects with CONFIG_INVALID for a file that cannot be read, or whose
 * settings, modules or options are wrong; and as `createBus` throws.
 *
 * @example
 * const bus = await loadBus({ config: './deployments/production.json', service: 'ledger', topics, plugins: [dedupe()] })
 */
export async function loadBus<T extends object = Record<string, unknown>, const Plugins extends readonly Plugin[] = []>(
  options: LoadBusOptions<T, Plugins>,
): Promise<Bus<T, Plugins[number]['name']>> {
  const { config, service = process.env.SERVICE, ...code } = options
  checkService(service)
  const file = fileOf(config)
  const where = basename(fileURLToPath(file))
  const said = substitute(await read(file), process.env, where)
  check(await compileSchema(deploymentSchema, where), said, where)
  const { services = {}, ...forAll } = said as Deployment
  const own = Object.hasOwn(services, service) ? services[service] : undefined

  const settings: Partial<Pick<BusOptions, (typeof settingNames)[number]>> = {}
  for (const name of settingNames) {
    const value = own?.[name] ?? forAll[name]
    if (value !== undefined) Object.assign(settings, { [name]: value })
  }
  const ownPath = `services.${service}.plugins`
  const lists = [placed(forAll.plugins), placed(own?.plugins, ownPath)] as const
  for (const list of lists) checkNamedOnce(list, where)
  const made = await Promise.all(overridden(...lists).map((entry) => makePlugin(entry, file, where)))
  const listed: readonly Plugin[] = code.plugins ?? []
  return createBus({ ...code, ...settings, service, plugins: together(listed, made) }) as unknown as Bus<
    T,
    Plugins[number]['name']
  >
}

function fileOf(config: unknown): URL {
  if (config instanceof URL && config.protocol === 'file:') return config
  if (typeof config !== 'string' || config === '')
    throw invalidOption('config', config instanceof URL ? config.href : config, 'the path or the file: URL of a file')
  return config.startsWith('file:') ? new URL(config) : pathToFileURL(resolve(config))
}

async function read(file: URL): Promise<unknown> {
  const path = fileURLToPath(file)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new BuswayError('CONFIG_INVALID', `The deployment file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BuswayError('CONFIG_INVALID', `The deployment file ${path} is no JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
}
