import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes a shell script under a program's name into a folder that can serve as PATH. */
export async function standIn(parent: string, folder: string, name: string, script: string) {
  const path = join(parent, folder)
  await mkdir(path, { recursive: true })
  const command = join(path, name)
  await writeFile(command, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { path, command }
}
