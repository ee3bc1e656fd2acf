// SPDX-License-Identifier: Apache-2.0
import {exact, plural} from '../format';

const width = 96;
const height = 22;

// 24 bars, one an hour, the newest at the right, on a scale of their own.
export function Sparkline({counts}: {counts: number[]}) {
  const most = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length);
  const bars = counts
    .map((count, index) => {
      const tall = count > 0 ? Math.max(2, (count / most) * (height - 2)) : 0;
      return tall ? `M${(index * step + step / 2).toFixed(1)} ${height - 1}v-${tall.toFixed(1)}` : '';
    })
    .join('');
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
      <path class="bars" d={bars} stroke-width={Math.max(1, step - 1).toFixed(1)} />
    </svg>
  );
}
