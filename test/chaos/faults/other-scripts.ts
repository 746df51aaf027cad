/** Loaded before the program of a process whose scripts are another version's: they do the same, and Redis knows them under other hashes. */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const read = fs.readFileSync
fs.readFileSync = ((path: fs.PathOrFileDescriptor, ...options: [BufferEncoding]) => {
  const text = read(path, ...options)
  return /\/lua\/scripts\/[\w-]+\.lua$/.test(String(path)) ? `local deployed = 'another version'\n${text}` : text
}) as typeof fs.readFileSync
syncBuiltinESMExports()
