// SPDX-License-Identifier: Apache-2.0
//
// What the reader of a waterfall has chosen: the row, what is folded, which part of the time. And where the rows are on
// the screen: the chosen row must not move when the page changes around it.
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import {useMedia} from '../hooks';
import {replace} from '../navigation';
import {hrefs} from '../route';
import {rows, windowOf, type Node, type Range, type Timeline} from '../waterfall';

const rowHeightWide = 26;
const rowHeightNarrow = 44;
const marginRows = 12;
const scaleMargin = 0.05;

type List = {current: HTMLElement | null};

// Which rows the window shows, renewed while it scrolls.
export function useWindow(list: List, count: number, rowHeight: number): {from: number; to: number} {
  const [shown, setShown] = useState({from: 0, to: 80});
  useLayoutEffect(() => {
    const measure = (): void => {
      if (!list.current) return;
      const now = windowOf(count, rowHeight, -list.current.getBoundingClientRect().top, window.innerHeight, marginRows);
      setShown(before => (before.from === now.from && before.to === now.to ? before : now));
    };
    measure();
    window.addEventListener('scroll', measure, {passive: true});
    window.addEventListener('resize', measure);
    return () => {
      window.removeEventListener('scroll', measure);
      window.removeEventListener('resize', measure);
    };
  }, [count, rowHeight]);
  return {from: Math.min(shown.from, count), to: Math.min(shown.to, count)};
}

export interface Layout {
  rowHeight: number;
  middle: number; // of a bar in its row
  indent: number;
  head: number; // pixels at the top that are covered
  foot: (open: boolean) => number; // at the bottom, with and without details
}

export function useLayout(): Layout {
  const narrow = useMedia('(max-width: 700px)');
  const covered = useMedia('(max-width: 1000px)'); // the details lie over the lower half
  return {
    rowHeight: narrow ? rowHeightNarrow : rowHeightWide,
    middle: narrow ? 34 : 13,
    indent: narrow ? 8 : 14,
    head: narrow ? 40 : 90,
    foot: open => (covered && open ? window.innerHeight * 0.56 : 24),
  };
}

export interface Selection {
  selected: Node | null;
  index: number; // among the shown rows, -1: not there
  select: (node: Node | null | undefined) => void;
  move: (by: number) => void;
}

interface SelectionOptions {
  id: string; // of the request, as in the address
  timeline: Timeline;
  shown: Node[];
  spanId: string | null; // from the address
  list: List;
  layout: Layout;
}

export function useSelection({id, timeline, shown, spanId, list, layout}: SelectionOptions): Selection {
  const [key, setKey] = useState<string | null>(null);
  const selected = key ? (timeline.nodes.get(key) ?? null) : null;
  const index = selected ? shown.indexOf(selected) : -1;
  const kept = useRef<{key: string; top: number} | null>(null);
  const topOf = (each: string): number | undefined =>
    list.current?.querySelector(`[data-key="${CSS.escape(each)}"]`)?.getBoundingClientRect().top;

  const select = (node: Node | null | undefined): void => {
    const around = node?.key ?? key;
    const top = around === null ? undefined : topOf(around);
    kept.current = around !== null && top !== undefined ? {key: around, top} : null;
    setKey(node?.key ?? null);
    replace(hrefs.request(id, node?.span?.span_id));
  };
  // The details make the frame narrower and what is above the rows taller.
  useLayoutEffect(() => {
    const top = kept.current ? topOf(kept.current.key) : undefined;
    if (top !== undefined && top !== kept.current!.top) window.scrollBy(0, top - kept.current!.top);
    kept.current = null;
  }, [key]);
  // The span in the address, when it is another one: from a link.
  useEffect(() => {
    if (!spanId || selected?.span?.span_id === spanId) return;
    const node = [...timeline.nodes.values()].find(each => each.span?.span_id === spanId);
    if (node) setKey(node.key);
  }, [spanId, timeline]);
  // Into sight, once the details are there too.
  useEffect(() => {
    if (index < 0 || !list.current) return;
    const top = list.current.getBoundingClientRect().top + index * layout.rowHeight;
    const bottom = window.innerHeight - layout.foot(true);
    if (top < layout.head) window.scrollBy(0, top - layout.head);
    else if (top + layout.rowHeight > bottom) window.scrollBy(0, top + layout.rowHeight - bottom);
  }, [key]);
  return {
    selected,
    index,
    select,
    move: by => select(shown[Math.max(0, Math.min(shown.length - 1, index < 0 ? 0 : index + by))]),
  };
}

export interface Folding {
  folded: ReadonlySet<string>;
  toggle: (node: Node) => void;
  toggleAll: () => void;
}

export function useFolding(timeline: Timeline): Folding {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  return {
    folded,
    toggle: node => {
      const now = new Set(folded);
      if (!now.delete(node.key)) now.add(node.key);
      setFolded(now);
    },
    toggleAll: () => {
      if (folded.size > 0) {
        setFolded(new Set());
        return;
      }
      const outermost = timeline.roots.length === 1 ? 1 : 0;
      const parents = [...timeline.nodes.values()].filter(node => node.depth > outermost && node.children.length > 0);
      setFolded(new Set(parents.map(node => node.key)));
    },
  };
}

export interface Scale {
  range: Range;
  scaled: boolean;
  toggle: (node: Node | null) => void;
}

// The part of the time that is shown: all of it, or a little more than one row.
export function useScale(timeline: Timeline): Scale {
  const [scale, setScale] = useState<Range | null>(null);
  return {
    range: scale ?? {from: 0, to: timeline.length},
    scaled: scale !== null,
    toggle: node => {
      if (scale || !node || !(node.end > node.start)) {
        setScale(null);
        return;
      }
      const margin = (node.end - node.start) * scaleMargin;
      setScale({from: Math.max(0, node.start - margin), to: Math.min(timeline.length, node.end + margin)});
    },
  };
}

export function useRows(timeline: Timeline, folded: ReadonlySet<string>, logs: boolean, find: string): Node[] {
  return useMemo(() => rows(timeline, {folded, logs, text: find.trim().toLowerCase()}), [timeline, folded, logs, find]);
}
