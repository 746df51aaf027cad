/** What the launcher tells a service: environment variables, so that a service can also be run by hand. */
export const settings = {
  /** What separates this run's keys in Redis from everything else. */
  namespace: () => required('BUSWAY_NAMESPACE'),
  /** This process among those of its service: `ledger-1`. */
  processName: () => required('PROCESS_NAME'),
  /** The folder of the run's journals. */
  folder: () => required('RUN_FOLDER'),
  seed: () => Number(required('SEED')),
  flights: () => Number(required('FLIGHTS')),
  /** Over what time the feed spreads the flights; 0 is as fast as it can. */
  feedMs: () => Number(required('FEED_MS')),
  /** How often a report is due. */
  reportEveryMs: () => Number(required('REPORT_EVERY_MS')),
  gatewayUrl: () => required('GATEWAY_URL'),
  /** The file that says how the services are equipped. */
  deployment: () => deploymentFile(process.env.DEPLOYMENT ?? 'development'),
  /** A flight that the ledger loses, to see that the books notice. */
  lostEntry: () => (process.env.SABOTAGE_LOSE_ENTRY ? Number(process.env.SABOTAGE_LOSE_ENTRY) : undefined),
}

/** The environment of one process. */
export type ServiceEnvironment = Partial<
  Record<
    | 'REDIS_URL'
    | 'BUSWAY_NAMESPACE'
    | 'PROCESS_NAME'
    | 'RUN_FOLDER'
    | 'SEED'
    | 'FLIGHTS'
    | 'FEED_MS'
    | 'REPORT_EVERY_MS'
    | 'GATEWAY_URL'
    | 'DEPLOYMENT',
    string
  >
>

function required(name: keyof ServiceEnvironment): string {
  const value = process.env[name]
  if (value === undefined)
    throw new Error(`${name} is not set. docs/example.md tells what a service needs to run by itself.`)
  return value
}

/** As `npm start -- --deployment` names it. */
export const deploymentFile = (name: string): URL => new URL(`../deployments/${name}.json`, import.meta.url)
