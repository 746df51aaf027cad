import { expect } from 'chai'
import { commandsBetween, costBetween, cpuOf, field, parseUse } from '../../bench/src/server-info.js'

const info = (cpu: [user: number, system: number], commands: Record<string, [calls: number, usec: number]>) =>
  [
    '# CPU',
    `used_cpu_sys:${cpu[1]}`,
    `used_cpu_user:${cpu[0]}`,
    'used_cpu_sys_children:9.000000',
    'used_cpu_user_main_thread:9.000000',
    '',
    '# Commandstats',
    ...Object.entries(commands).map(
      ([name, [calls, usec]]) =>
        `cmdstat_${name}:calls=${calls},usec=${usec},usec_per_call=1.00,rejected_calls=0,failed_calls=0`,
    ),
    '',
  ].join('\r\n')

const before = parseUse(info([1, 0.5], { evalsha: [10, 100], hset: [20, 40], ping: [3, 3] }))
const after = parseUse(
  info([1.25, 0.75], { evalsha: [14, 180], hset: [28, 60], ping: [3, 3], info: [2, 500], 'client|list': [1, 7] }),
)

describe("the bench's look at Redis", () => {
  it('adds user and system time of the server, without its children', () => {
    expect(costBetween(before, after).cpuUs).to.equal(0.5e6)
  })

  it('counts what was called between two looks, commands inside scripts too, but not its own', () => {
    expect(costBetween(before, after)).to.include({ commands: 13, scripts: 4, scriptUs: 80 })
  })

  it('tells commands apart, and leaves out those not called', () => {
    expect(Object.fromEntries(commandsBetween(before, after))).to.deep.equal({
      evalsha: { calls: 4, usec: 80 },
      hset: { calls: 8, usec: 20 },
      'client|list': { calls: 1, usec: 7 },
    })
  })

  it('counts every kind of script call', () => {
    const use = parseUse(info([0, 0], { eval: [1, 1], evalsha_ro: [2, 2], fcall: [4, 4], evaluate: [8, 8] }))
    expect(costBetween(parseUse(''), use)).to.include({ scripts: 7, scriptUs: 7, commands: 15 })
  })

  it('finds a field', () => {
    expect(field('# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n', 'redis_version')).to.equal('7.0.15')
    expect(field('', 'redis_version')).to.equal(undefined)
  })

  it("reads another server's CPU, whatever its name", () => {
    const stat = '42 (nats) server) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 8 0 100 200 300'
    expect(cpuOf(stat)).to.equal(1.75e6)
    expect(cpuOf('')).to.be.NaN
  })
})
