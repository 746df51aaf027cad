import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { whoCanTakePart } from '../../bench/src/servers/index.js'
import { freePort, launch } from '../../bench/src/servers/server.js'

describe("the bench's peers with servers of their own", () => {
  let folder: TemporaryFolder
  before(async () => {
    folder = await temporaryFolder()
  })
  after(() => folder.remove())

  async function program(name: string, text: string): Promise<string> {
    const file = join(folder.path, name)
    await writeFile(file, `#!/bin/sh\n${text}\n`)
    await chmod(file, 0o755)
    return file
  }

  it('take part where the server is in PATH, and else tell how to install it', async () => {
    expect(await whoCanTakePart(['busway', 'nats'], folder.path)).to.deep.equal({
      peers: ['busway'],
      missing: ['nats takes no part: its server is not installed. To have it: apt-get install nats-server'],
    })
    await program('nats-server', 'exit 0')
    expect(await whoCanTakePart(['busway', 'nats'], folder.path)).to.deep.equal({
      peers: ['busway', 'nats'],
      missing: [],
    })
  })

  it('are given up when the server ends instead of listening, with what it said', async () => {
    const broken = await program('broken', 'echo no memory left >&2; exit 1')
    const error = await launch(broken, [], await freePort()).catch((reason: Error) => reason)
    expect(error).to.be.instanceOf(Error).with.property('message').that.includes('no memory left')
  })
})
