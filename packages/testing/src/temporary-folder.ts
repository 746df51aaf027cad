import { makeWatchedFolder, removeWatchedFolder } from './watched.js'

/** A folder for a test's files. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
  /** Removes it with all that is in it. May be called again. */
  remove(): Promise<void>
}

/**
 * Makes a folder that never outlives this process, however that ends: by Ctrl-C and SIGKILL too.
 *
 * @example
 * await using folder = await temporaryFolder()
 * await writeFile(join(folder.path, 'production.json'), '{}')
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await makeWatchedFolder()
  const remove = () => removeWatchedFolder(path)
  return { path, remove, [Symbol.asyncDispose]: remove }
}
