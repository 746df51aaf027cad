import { type Child, forkChild } from './child.js'
import type { Measurement } from './measure.js'
import type { PeerName } from './peers/index.js'
import type { TrialOptions } from './trial.js'

export interface TrialQuestion extends TrialOptions {
  peer: PeerName
  scenario: string
}

export interface TrialAnswer extends Measurement {
  /** The peer's. */
  version: string
}

/** A fresh process for each trial, so that no peer warms up, or spoils, the engine for another. */
export function forkTrial(execArgv: string[] = []): Child<TrialQuestion, TrialAnswer> {
  return forkChild(new URL('trial-main.js', import.meta.url), { execArgv })
}
