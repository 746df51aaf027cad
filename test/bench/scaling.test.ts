import { expect } from 'chai'
import { report } from '../../bench/src/scaling/report.js'

describe('the report on scaling', () => {
  const of = (masters: number, greatestShare: number) => ({
    ...{ masters, partitions: 12, keys: 0, publishUs: 1, consumeUs: 2, scripts: 0.01, greatestShare },
  })

  it('says what a topic bears when its busiest master is used to 60 %, and how many masters a million takes', () => {
    const text = report({
      spreads: [of(1, 1), of(3, 1 / 3)],
      sizes: [{ size: 10, requestUs: 60 }],
      renewalUs: 50,
      relayedUs: 20,
    })
    expect(text).to.contain('| 1 | 12 | - | 1.00 | 2.00 | 0.010 | 100 % | 200,000 |')
    expect(text).to.contain('| 3 | 12 | - | 1.00 | 2.00 | 0.010 | 33 % | 600,000 |')
    expect(text).to.contain('| 10 | 60.0 | 6.00 | 100,000 | 10,000 |')
    expect(text).to.contain('| without keys | 3.00 | 5 |')
  })
})
