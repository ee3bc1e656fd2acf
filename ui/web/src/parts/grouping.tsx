// SPDX-License-Identifier: Apache-2.0
//
// Why an event is in its issue: what counted of it, and what did not, with the reason.
import type {EventDetail} from '../api';
import {fold, outline, outlineVariant, outlineWords, summary, variantName, type Fold, type Line} from '../grouping';
import {Id} from './copy';
import {Text} from './text';

type Reasons = NonNullable<EventDetail['grouping']>;
type Variant = Reasons['variants'][string];

function Words({line}: {line: Line}) {
  return (
    <>
      <span aria-hidden="true" class="mark">
        {line.counts ? '✓' : '–'}
      </span>
      <span class="offscreen">{line.counts ? 'counts: ' : 'does not count: '}</span>
      <span class="label">
        <Text text={line.label} />
      </span>{' '}
      {line.value ? (
        <code>
          <Text text={line.value} />
        </code>
      ) : null}
      {line.reason ? (
        <span class="hint">
          <Text text={line.reason} />
        </span>
      ) : null}
    </>
  );
}

function Folded({fold: {lines, title}}: {fold: Fold}) {
  const first = lines[0]!;
  const depth = Math.min(first.depth, 6);
  if (lines.length === 1) {
    return (
      <li class={first.counts ? '' : 'muted'} data-depth={depth}>
        <Words line={first} />
      </li>
    );
  }
  return (
    <li class="muted" data-depth={depth}>
      <details>
        <summary>
          {title} do not count
          {first.reason ? (
            <>
              {': '}
              <Text text={first.reason} />
            </>
          ) : null}
        </summary>
        <ul>
          {lines.map((line, index) => (
            <li key={index}>
              <code>
                <Text text={line.value || line.label} />
              </code>
            </li>
          ))}
        </ul>
      </details>
    </li>
  );
}

function VariantPart({name, variant, open}: {name: string; variant: Variant; open: boolean}) {
  const lines = outline(variant.component);
  const beside = name === outlineVariant;
  const by = beside ? '' : summary(lines);
  const reason = variant.component.hint;
  return (
    <details open={open} class={variant.contributes ? '' : 'muted'}>
      <summary>
        <strong>
          <Text text={variantName(name)} />
        </strong>{' '}
        <span class="badge">{beside ? 'beside' : variant.contributes ? 'used' : 'not used'}</span>
      </summary>
      {beside ? <p>{outlineWords}</p> : null}
      {variant.contributes && by ? (
        <p>
          Grouped by <Text text={by} />.
        </p>
      ) : null}
      {!variant.contributes && reason ? (
        <p>
          <Text text={reason} />
        </p>
      ) : null}
      <ul class="components">
        {fold(lines).map((each, index) => (
          <Folded key={index} fold={each} />
        ))}
      </ul>
      {variant.hash ? (
        <p class="dim">
          Hash <Id id={variant.hash} what="hash" />
        </p>
      ) : null}
    </details>
  );
}

export function Grouping({grouping}: {grouping: Reasons}) {
  const variants = Object.entries(grouping.variants).sort(
    ([, a], [, b]) => Number(b.contributes) - Number(a.contributes),
  );
  // One is enough to see why; the frames of libraries would push everything below them out of sight.
  const first = variants.find(([name, variant]) => variant.contributes && name !== outlineVariant)?.[0];
  return (
    <section class="grouping">
      <h2>Why is this here</h2>
      <p class="dim">Events in which everything marked ✓ is the same are one error.</p>
      {variants.map(([name, variant]) => (
        <VariantPart key={name} name={name} variant={variant} open={name === first} />
      ))}
      <p class="dim algorithm">
        Algorithm <Text text={grouping.algorithm} />
      </p>
    </section>
  );
}
