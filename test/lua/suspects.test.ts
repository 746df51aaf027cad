/** What becomes of messages with a crash to their name: who takes them, what guards say to that, and that nobody is left idle by it. */
import { close, type GuardLua } from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

describe('suspects', () => {
  const driven = drivenTopic()
  const { place, begin, enter, go, bodies } = driven
  const put = (...each: unknown[]) => driven.put(each.map((body) => ({ value: encodeBatch([body]) })))
  const key = (name: string) => `${place.namespace}:{${TOPIC}}:g@1:${name}`
  /** As many suspects, of a session that went silent. */
  const crash = async (...bodies: unknown[]) => {
    await put(...bodies)
    await enter('gone____~1')
    await go('gone____~1', { want: bodies.length })
    await place.redis.zadd(key('sessions'), 1, 'gone____~1')
  }

  const fetchGuard = (lua: string): GuardLua => ({ name: 'valve', keys: ['x:valve:open'], lua })
  const guarded = (calls: string[]) => ({
    fetchGuardCalls: [{ guard: 0, args: calls }],
    guardKeys: { fetch: [['x:valve:open']], settle: [] },
  })

  it('are held back by a fetch guard as other messages are', async () => {
    const lua = 'return { check = function(f, args) return tonumber(args[1]), 70 end }'
    await begin({ guards: { fetch: [fetchGuard(lua)] } })
    await crash(1)
    await enter('busAAAAA~1')
    const shut = await go('busAAAAA~1', guarded(['0']))
    expect(bodies(shut)).to.deep.equal([])
    expect(shut.dueMs).to.equal(70)
    expect(bodies(await go('busAAAAA~1', guarded(['1'])))).to.deep.equal([1])
  })

  it('that a fetch guard knows to be done leave nobody idle: what is left is told, or waited for', async () => {
    const lua = 'return { skip = function(f, id, args) return true end }'
    await begin({ guards: { fetch: [fetchGuard(lua)] } })
    await crash(1, 2)
    await enter('busAAAAA~1')
    const first = await go('busAAAAA~1', guarded([]))
    expect(bodies(first)).to.deep.equal([])
    expect(first.more).to.equal(true)
    const last = await go('busAAAAA~1', guarded([]))
    expect(last.more).to.equal(false)
    expect(await place.redis.zrange(key('waiting'), '0', '-1')).to.deep.equal(['busAAAAA~1'])
  })

  it('are not kept waiting by a drainer that is closing', async () => {
    for (const id of ['busAAAAA~1', 'busAAAAA~2']) {
      await enter(id)
      await put(id)
      await go(id)
    }
    await crash('bad')
    await go('busAAAAA~1', { renew: true })
    expect(await place.redis.hget(key('state'), 'drainer')).to.equal('busAAAAA~1')
    await driven.scripts.run(close, TOPIC, {
      group: 'g@1',
      session: 'busAAAAA~1',
      running: [{ lease: 1, from: 0, count: 1 }],
    })
    expect((await go('busAAAAA~2')).drain).to.equal(true)
  })

  it('that another session has taken end the drought of the drainer', async () => {
    for (const id of ['busAAAAA~1', 'busAAAAA~2']) {
      await enter(id)
      await put(id)
      await go(id)
    }
    await crash('bad')
    expect((await go('busAAAAA~1', { renew: true })).drain).to.equal(true)
    expect((await go('busAAAAA~1', { want: 0 })).drain, 'while they are there').to.equal(true)
    const taken = await go('busAAAAA~2', { acks: [{ lease: 1 }] })
    expect(bodies(taken)).to.deep.equal(['bad'])
    expect((await go('busAAAAA~1', { want: 0, renew: true })).drain, 'once they are gone').to.equal(false)
    expect(await place.redis.hget(key('state'), 'drainer')).to.equal(null)
  })
})
