/** From what a deployment file calls a plugin's module to where it is: as if the file itself had imported it. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The plugins that there are, for those who misspell one. */
export const ownPlugins = ['schema', 'tracing', 'metrics', 'dedupe', 'ratelimit', 'schedule', 'flow', 'sandbox'].map(
  (name) => `@busway/plugin-${name}`,
)

/** The module's address; `undefined` if it is not installed. `file`: the deployment file. */
export function resolveModule(specifier: string, file: URL): string | undefined {
  if (/^(\.{0,2}\/|file:)/.test(specifier)) {
    const url = new URL(specifier, file)
    return existsSync(fileURLToPath(url)) ? url.href : undefined
  }
  const require = createRequire(file)
  try {
    return pathToFileURL(require.resolve(specifier)).href
  } catch (error) {
    // A package that can only be imported has no address for `require`.
    return (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
      ? resolveImport(specifier, require.resolve.paths(specifier) ?? [])
      : undefined
  }
}

function resolveImport(specifier: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const manifest = join(folder, specifier, 'package.json')
    if (!existsSync(manifest)) continue
    const target = importTarget((JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown }).exports)
    return target === undefined ? undefined : pathToFileURL(join(dirname(manifest), target)).href
  }
  return undefined
}

/** Of a package's `exports`, what `import` gets for the package itself. */
function importTarget(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  for (const [condition, target] of Object.entries(exports))
    if (['.', 'node', 'import', 'default'].includes(condition)) {
      const found = importTarget(target)
      if (found !== undefined) return found
    }
  return undefined
}

/** Names of packages that the file's project depends on. */
export function dependenciesAround(file: URL): string[] {
  for (let folder = dirname(fileURLToPath(file)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) {
      const { dependencies = {}, devDependencies = {} } = readManifest(manifest)
      return Object.keys({ ...dependencies, ...devDependencies })
    }
    if (dirname(folder) === folder) return []
  }
}

function readManifest(path: string): { dependencies?: object; devDependencies?: object } {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
}
