/** The program of a producer's process. Its argument is the peer. */
import { answer } from './child.js'
import { publishAtRate, publishInFlight, publishNowAndThen } from './load.js'
import type { Producer } from './peer.js'
import { loadPeer, type PeerName } from './peers/index.js'
import type { ProducerAnswer, ProducerQuestion } from './producer-process.js'

const peer = await loadPeer(process.argv[2] as PeerName)
let producer: Producer | undefined

answer<ProducerQuestion, ProducerAnswer>(async (question) => {
  const before = process.cpuUsage()
  await act(question)
  const { user, system } = process.cpuUsage(before)
  return { cpuUs: user + system }
})

async function act(question: ProducerQuestion): Promise<void> {
  if (question.kind === 'open') {
    producer = await peer.openProducer(question.place)
    return
  }
  if (!producer) throw new Error('No producer is open.')
  switch (question.kind) {
    case 'publish':
      return publishInFlight(
        producer,
        question.messages,
        question.inFlight,
        question.bodyBytes === undefined ? {} : { bodyBytes: question.bodyBytes },
      )
    case 'publishNowAndThen':
      return publishNowAndThen(producer, question.messages, question.everyMs)
    case 'publishAtRate':
      return publishAtRate(producer, question.messages, question.perSecond)
    case 'close':
      return producer.close()
  }
}
