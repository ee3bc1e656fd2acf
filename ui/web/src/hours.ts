// SPDX-License-Identifier: Apache-2.0
import {localTime, parseTime} from './format';

const hourMs = 3600000;
const days = 14;
const hoursPerBar = 6;

export interface Bar {
  count: number;
  label: string; // when it began
}

// 14 days in bars of six hours, the last one ends with the hour that holds nowMs.
export function hourBars(hours: {time: string; count: number}[], nowMs: number): Bar[] {
  const count = (days * 24) / hoursPerBar;
  const end = (Math.floor(nowMs / hourMs) + 1) * hourMs;
  const barMs = hoursPerBar * hourMs;
  const start = end - count * barMs;
  const bars = Array.from({length: count}, (_, index) => ({
    count: 0,
    label: localTime(start + index * barMs).slice(0, 16),
  }));
  for (const hour of hours) {
    const bar = bars[Math.floor((parseTime(hour.time) - start) / barMs)];
    if (bar) bar.count += hour.count;
  }
  return bars;
}

// The 24 counts of a sparkline, an hour each, the last one ends with the hour that holds nowMs.
export function dayBars(counts: number[], nowMs: number): Bar[] {
  const end = (Math.floor(nowMs / hourMs) + 1) * hourMs;
  return counts.map((count, index) => ({
    count,
    label: localTime(end - (counts.length - index) * hourMs).slice(0, 16),
  }));
}
