/**
 * A body as it is sent: publishing one skips the topic's schema and the plugins' `encode`. For plugins that keep a message and publish it later, maybe from
 * a process that knows nothing of its topic: `scope.encode` makes it.
 *
 * @example
 * const { bytes, contentType } = await scope.encode('orders.paid', { total: 7 })
 * await scope.bus.publish('orders.paid', new EncodedBody(bytes, contentType))
 */
export class EncodedBody {
  readonly bytes: Uint8Array
  readonly contentType: string

  constructor(bytes: Uint8Array, contentType: string) {
    this.bytes = bytes
    this.contentType = contentType
  }
}
