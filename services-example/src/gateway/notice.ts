/** How long a notice is up, from when the gateway accepted it. Short, since this example runs for seconds. */
export const NOTICE_FOR_MS = 1_000
