/**
 * What a resolved publish says. `accepted`: it is in Redis, within the durability chosen. `duplicate`: a message with this id, or one that a plugin
 * takes for the same, is there already, and this one was left out.
 *
 * @example
 * const receipt = await bus.publish('orders.paid', order, { id: order.id })
 * if (receipt.status === 'duplicate') console.log(`already there as ${receipt.duplicateOf}`)
 */
export type Receipt =
  | { readonly id: string; readonly topic: string; readonly status: 'accepted' }
  | { readonly id: string; readonly topic: string; readonly status: 'duplicate'; readonly duplicateOf: string }
