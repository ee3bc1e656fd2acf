// SPDX-License-Identifier: Apache-2.0
import {exact, plural} from '../format';
import {dayBars} from '../hours';

const width = 96;
const height = 22;

// 24 bars, one an hour, the newest at the right, on a scale of their own.
export function Sparkline({counts}: {counts: number[]}) {
  const bars = dayBars(counts, Date.now());
  const most = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const label = `Last 24 hours: ${plural(total, 'event')}, at most ${exact(most)} an hour`;
  return (
    <svg
      class="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path class="base" d={`M0 ${height - 0.5}h${width}`} />
      {bars.map((bar, index) => {
        if (bar.count === 0) return null;
        const tall = Math.max(2, (bar.count / most) * (height - 2));
        return (
          <rect
            key={index}
            x={(index * step + 0.5).toFixed(1)}
            y={(height - 1 - tall).toFixed(1)}
            width={(step - 1).toFixed(1)}
            height={tall.toFixed(1)}
          >
            <title>{`${bar.label}: ${plural(bar.count, 'event')}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}
