/** What plugins' keys are called, beneath a topic's prefix: each plugin has a part of its own, so that none meets another's or the kernel's. */
import type { PublishBatch } from '../api/index.js'

const extension = 'x:'

/** A plugin's key, relative to the topic's prefix. */
export const pluginKey = (plugin: string, name: string): string => `${extension}${plugin}:${name}`

export const pluginKeys = (plugin: string, names: readonly string[]): string[] =>
  names.map((name) => pluginKey(plugin, name))

/** `owns` is written with the plugin's own names; from here on it has the full ones. */
export function nameOwned(plugin: string, { messages }: PublishBatch): void {
  for (const message of messages) {
    if (message.owns === undefined) continue
    message.owns = message.owns.map((name) => (name.startsWith(extension) ? name : pluginKey(plugin, name)))
  }
}
