import { defineTopics, type } from '@busway/bus'
import { avro, type Infer } from '@busway/plugin-schema'

const Flight = avro({
  type: 'record',
  name: 'Flight',
  doc: 'A flight as the data set has it, with its position there as what it is called by.',
  fields: [
    { name: 'flight', type: 'int' },
    { name: 'date', type: 'string', doc: '2001/01/01 06:55, local time of departure' },
    { name: 'delay', type: 'int', doc: 'minutes late, negative when early' },
    { name: 'distance', type: 'int', doc: 'miles' },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
  ],
})
export type Flight = Infer<typeof Flight>

const AirportDelayed = avro({
  type: 'record',
  name: 'AirportDelayed',
  doc: 'An airport that just saw a flight leave very late.',
  fields: [
    { name: 'airport', type: 'string' },
    { name: 'flight', type: 'int', doc: 'that gave cause for it' },
    { name: 'delay', type: 'int' },
    { name: 'meanDelay', type: 'double', doc: 'minutes, over its flights that the process which says so has seen' },
  ],
})
export type AirportDelayed = Infer<typeof AirportDelayed>

const NoticeEnded = avro({
  type: 'record',
  name: 'NoticeEnded',
  doc: 'A notice that has been up for long enough.',
  fields: [
    { name: 'airport', type: 'string' },
    { name: 'flight', type: 'int' },
  ],
})
export type NoticeEnded = Infer<typeof NoticeEnded>

const AirportWanted = avro({
  type: 'record',
  name: 'AirportWanted',
  doc: 'A question: what an airport is called.',
  fields: [{ name: 'airport', type: 'string' }],
})

const ReportWanted = avro({
  type: 'record',
  name: 'ReportWanted',
  fields: [{ name: 'kind', type: 'string' }],
})

const ReportPart = avro({
  type: 'record',
  name: 'ReportPart',
  doc: 'A part of a report: one airport.',
  fields: [
    { name: 'report', type: 'string' },
    { name: 'airport', type: 'string' },
  ],
})
export type ReportPart = Infer<typeof ReportPart>

const ReportAssembled = avro({
  type: 'record',
  name: 'ReportAssembled',
  doc: 'A report whose parts are there.',
  fields: [{ name: 'report', type: 'string' }],
})

/** An airport as people know it. Replies travel as JSON. */
export interface Airport {
  name: string
  city: string
  state: string
}

export const topics = defineTopics({
  'flights.departed': { body: Flight, groups: ['ledger', 'delays'] },
  'airports.delayed': { body: AirportDelayed, groups: ['alerts'] },
  'airports.described': { body: AirportWanted, reply: type<Airport>() },
  'notices.ended': { body: NoticeEnded, groups: ['notices'] },
  'reports.wanted': { body: ReportWanted, groups: ['reports'] },
  'reports.parts': { body: ReportPart, groups: ['parts'] },
  'reports.assembled': { body: ReportAssembled, groups: ['assembly'] },
})
