/** What a program and its watcher say to each other. */

/** From the program. Every request has a number, and is answered under it. */
export type WatchRequest = { request: number } & (
  | { do: 'make-folder' }
  | { do: 'start'; server: number; folder: string; command: string; args: string[]; atEnd?: string[] }
  | { do: 'remove-folder'; folder: string }
)

/** To the program: answers, and news of servers that ended. */
export type WatchMessage =
  | { answer: number; folder?: string; pid?: number; failed?: string }
  | { ended: number; how: string }
