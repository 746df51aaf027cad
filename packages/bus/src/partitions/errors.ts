/** What cannot be, since a topic is in partitions. */
import { BuswayError } from '../errors/busway-error.js'

/** Nothing was written. */
export const wrongNumber = (topic: string, says: number, has: number): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `The topic ${topic} has ${has} ${has === 1 ? 'partition' : 'partitions'}, and this bus says ${says}. The number is fixed when a topic is made: ` +
      `say ${has} where the topic is defined (defineTopics), or delete the topic and make it anew.`,
    { details: { topic, partitions: has, said: says } },
  )

/** One limit over all partitions would take a step in Redis that reaches over slots. */
export const inexact = (topic: string, what: string, advice: string): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `${what} cannot be kept exactly over the partitions of ${topic}, which are in different slots. ${advice}`,
    { details: { topic } },
  )
