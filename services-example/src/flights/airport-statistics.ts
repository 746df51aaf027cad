/** Mean delays by airport, over what one process has seen. */
export class AirportStatistics {
  readonly #airports = new Map<string, { flights: number; totalDelay: number }>()

  /** Counts a flight and gives its airport's mean delay in minutes. */
  add(airport: string, delay: number): number {
    const { flights, totalDelay } = this.#airports.get(airport) ?? { flights: 0, totalDelay: 0 }
    this.#airports.set(airport, { flights: flights + 1, totalDelay: totalDelay + delay })
    return (totalDelay + delay) / (flights + 1)
  }
}
