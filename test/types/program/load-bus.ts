// A stand-in for loadBus, whose types follow from topics and plugins as those of createBus do.
import type { Bus, BusOptions, Plugin } from '@busway/bus'

export declare function loadBus<
  T extends object = Record<string, unknown>,
  const Plugins extends readonly Plugin[] = [],
>(options: { config: string | URL } & Partial<BusOptions<T, Plugins>>): Promise<Bus<T, Plugins[number]['name']>>
