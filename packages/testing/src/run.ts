import { execFile } from 'node:child_process'

/** What a program printed, and how it ended. `code` is undefined if it could not be started or was killed. */
export interface RunResult {
  code: number | undefined
  stdout: string
  stderr: string
}

/** Runs a program to its end. Never rejects: a program that is missing is one that failed. */
export function run(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number } = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const { env, cwd, timeoutMs = 10_000 } = options
    const limits = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 } as const
    const child = execFile(command, args, { env, cwd, ...limits }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : undefined) : 0
      resolve({ code, stdout, stderr: stderr || (error && code === undefined ? error.message : '') })
    })
    child.stdin?.end()
  })
}

/** The last line that a failed program printed, which is mostly the one that says why. */
export function lastLine(result: RunResult): string {
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '')
  return lines.at(-1)?.trim() ?? 'it printed nothing'
}
