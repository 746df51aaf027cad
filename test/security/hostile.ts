/** Text made to break out of what it is put into. */
import fc from 'fast-check'

const PIECES = [
  ...[
    '}',
    '{',
    '}:',
    '}:{',
    ':',
    '::',
    '{$bus}',
    '$bus',
    'meta',
    '!admin',
    '!consume',
    'never',
    '@1',
    '~',
    '=',
    '-',
    '.',
  ],
  ...['*', '?', '[', ']', '[^a]', '>', '\\', '\0', '\n', '\r\n', '\t', '\u007f', ' ', ',', ';', '!', '%s', '%1'],
  ...['"', "'", ']]', '--', '$(x)', '`x`', '<x>', '__proto__', 'constructor', 'toString', 'hasOwnProperty'],
  ...['orders', 'a', '0', '-1', '1e999', 'NaN', 'é', 'ß', '\u202e', '\u0000', '😀', '\ud800', '\udc00'],
]

/** Empty, short, long; made of such pieces, or of anything. */
export const hostileText = (more: readonly string[] = []): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(fc.constantFrom(...PIECES, ...more), { maxLength: 6 }).map((all) => all.join('')),
    },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(...PIECES, ...more) },
    { weight: 1, arbitrary: fc.constantFrom(...PIECES, 'x').map((piece) => piece.repeat(3_000)) },
  )

/** Not even text. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText(),
  fc.constantFrom(
    undefined,
    null,
    0,
    -1,
    1e300,
    Number.NaN,
    true,
    [],
    {},
    ['orders'],
    Symbol('orders'),
    () => 'orders',
  ),
  fc.constant({ toString: () => 'orders' }),
)
